"""Pulling: from a registry on loopback, and from a simulated one with faults on order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from iotistic.agent.clock import SystemClock
from iotistic.engines.docker import DockerEngine, docker_host
from iotistic.engines.protocol import Credentials, Engine
from iotistic.engines.simulated import Fault, SimulatedEngine, SimulatedImage, SimulatedRegistry
from iotistic.model.errors import EngineUnavailable, IotisticError, Refused
from iotistic.model.image import ImageRef
from iotistic.model.secret import Secret
from scripts.support.engine_http import EngineHttp
from scripts.support.registry import Registry, registry
from tests.engines.builders import Progress, image

LOGIN = ("device", "s3cret-password")
NOTHING_LISTENS = "127.0.0.1:1"


@dataclass(kw_only=True)
class Registries:
    """An engine, an open registry, and one that asks for a login which the engine has."""

    engine: Engine
    open: str
    closed: str
    strange: str
    """Asks for a login, and the engine has a wrong one."""


@contextmanager
def real_registries(host: str) -> Iterator[Registries]:
    with ExitStack() as stack:
        serve = stack.enter_context
        free, closed, strange = (
            serve(registry()),
            serve(registry(login=LOGIN)),
            serve(registry(login=LOGIN)),
        )
        logins = {
            closed.host: Credentials(username=LOGIN[0], password=Secret(LOGIN[1])),
            strange.host: Credentials(username=LOGIN[0], password=Secret("wrong-password")),
        }
        engine = DockerEngine("pulls", docker_host({"DOCKER_HOST": host}), logins=logins)
        yield Registries(engine=engine, open=free.host, closed=closed.host, strange=strange.host)
        _remove_images(host, free, closed, strange)


def _remove_images(host: str, *registries: Registry) -> None:
    http = EngineHttp(host)
    for found in http.call("GET", "/images/json"):
        for name in (*(found["RepoTags"] or ()), *(found["RepoDigests"] or ())):
            if any(name.startswith(f"{known.host}/") for known in registries):
                http.call("DELETE", f"/images/{found['Id']}", force="1")
                break


def simulated_registries(clock: SystemClock) -> Registries:
    images = [SimulatedImage(reference=f"{host}/shop/web:1") for host in ("open.test", "in.test")]
    engine = SimulatedEngine("pulls", clock, registry=SimulatedRegistry(*images))
    for subject, code in (
        ("/limited/", "rate-limited"),
        ("/broken/", "registry-unavailable"),
        ("strange.test", "registry-denied"),
        (NOTHING_LISTENS, "registry-unavailable"),
    ):
        engine.faults.order(
            Fault(call="pull", subject=subject, code=code, retry_after_s=7.0, times=None)
        )
    return Registries(engine=engine, open="open.test", closed="in.test", strange="strange.test")


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.docker)])
async def registries(
    request: pytest.FixtureRequest, clock: SystemClock
) -> AsyncIterator[Registries]:
    if request.param == "simulated":
        yield simulated_registries(clock)
        return
    with real_registries(request.getfixturevalue("docker_host")) as found:
        yield found
        await found.engine.close()


async def references(engine: Engine) -> set[str]:
    return {name for found in (await engine.resources()).images for name in found.references}


async def failed(engine: Engine, wanted: ImageRef) -> IotisticError:
    with pytest.raises(IotisticError) as failure:
        await engine.pull(wanted, Progress())
    assert wanted.canonical not in await references(engine)
    return failure.value


async def test_a_pull_brings_the_image_and_says_how_far_it_is(registries: Registries) -> None:
    wanted = image(f"{registries.open}/shop/web:1")
    progress = Progress()

    await registries.engine.pull(wanted, progress)

    assert wanted.canonical in await references(registries.engine)
    last = progress.seen[-1]
    assert 0 < last.done_bytes == last.total_bytes
    done = [seen.done_bytes for seen in progress.seen]
    assert done == sorted(done)


async def test_an_image_that_is_here_is_pulled_again_without_harm(registries: Registries) -> None:
    wanted = image(f"{registries.open}/shop/web:1")

    await registries.engine.pull(wanted, Progress())
    await registries.engine.pull(wanted, Progress())

    assert wanted.canonical in await references(registries.engine)


async def test_an_image_can_be_pinned_by_digest(registries: Registries) -> None:
    engine = registries.engine
    await engine.pull(image(f"{registries.open}/shop/web:1"), Progress())
    (pinned,) = [
        name for name in await references(engine) if name.startswith(f"{registries.open}/shop/web@")
    ]

    await engine.pull(image(pinned), Progress())

    assert pinned in await references(engine)


async def test_a_login_opens_its_registry(registries: Registries) -> None:
    wanted = image(f"{registries.closed}/shop/web:1")

    await registries.engine.pull(wanted, Progress())

    assert wanted.canonical in await references(registries.engine)


async def test_a_wrong_login_is_denied_and_not_shown(registries: Registries) -> None:
    error = await failed(registries.engine, image(f"{registries.strange}/shop/web:1"))

    assert isinstance(error, Refused)
    assert error.code == "registry-denied"
    assert "wrong-password" not in f"{error!r} {error.__cause__!r}"


async def test_an_image_that_the_registry_has_not(registries: Registries) -> None:
    error = await failed(registries.engine, image(f"{registries.open}/absent/web:1"))

    assert isinstance(error, Refused)
    assert error.code == "image-not-found"


async def test_too_many_pulls_are_told_when_to_come_back(registries: Registries) -> None:
    error = await failed(registries.engine, image(f"{registries.open}/limited/web:1"))

    assert isinstance(error, EngineUnavailable)
    assert (error.code, error.retry_after_s) == ("rate-limited", 7.0)


@pytest.mark.parametrize("where", ["ill", "not-there"])
async def test_a_registry_that_does_not_work(registries: Registries, where: str) -> None:
    host = f"{registries.open}/broken" if where == "ill" else f"{NOTHING_LISTENS}/shop"

    error = await failed(registries.engine, image(f"{host}/web:1"))

    assert isinstance(error, EngineUnavailable)
    assert error.code == "registry-unavailable"


@pytest.mark.docker
async def test_an_error_inside_the_stream_is_raised(docker_host: str) -> None:
    with real_registries(docker_host) as found:
        error = await failed(found.engine, image(f"{found.open}/holed/web:1"))
        await found.engine.close()

    assert error.code in ("image-not-found", "registry-unavailable")

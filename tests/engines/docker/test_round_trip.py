"""What a container is made with is what is found of it, for every field; on a real engine."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from iotistic.engines.protocol import Engine
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import Refused
from iotistic.model.image import parse_image
from iotistic.model.service import NetworkAttachment, ServiceSpec
from iotistic.planner.normalize import network_form, volume_form
from scripts.support import images
from tests.engines.builders import request as plain_request
from tests.engines.composing import Place, lost
from tests.engines.contract.sites import DockerSite
from tests.engines.docker.reading import network_spec, volume_spec
from tests.engines.field_cases import (
    CASES,
    NETWORK_CASES,
    TOGETHER,
    VOLUME_CASES,
    Case,
    ObjectCase,
    network_of,
    spec_of,
    volume_of,
)
from tests.engines.random_specs import specs

pytestmark = pytest.mark.docker


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A device on a real engine, whose things are removed afterwards."""

    site: DockerSite
    place: Place

    @property
    def engine(self) -> Engine:
        return self.site.engine

    async def make(self, spec: ServiceSpec) -> tuple[str, ContainerRequest]:
        """A container of the specification, with all that it needs."""
        request = self.place.container(spec)
        for folder in request.folders:
            write(Path(folder.source))
        for network in self.place.networks_of(spec):
            await self.engine.create_network(network)
        for volume in self.place.volumes_of(spec):
            await self.engine.create_volume(volume)
        return await self.engine.create_container(request), request

    async def found(self, container_id: str, request: ContainerRequest) -> ServiceSpec:
        """What is found of it."""
        seen = await self.engine.inspect(container_id, request)
        assert seen is not None
        assert seen.container_id == container_id
        return seen.spec


def write(secret: Path) -> None:
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("s3cret-value")


@pytest.fixture
async def bench(docker_host: str, tmp_path: Path) -> AsyncIterator[Bench]:
    site = DockerSite(docker_host)
    n, m = 100 + secrets.randbelow(70), secrets.randbelow(256)
    yield Bench(site=site, place=Place(uuid=site.uuid, folder=str(tmp_path), n=n, m=m))
    await site.close()


def has(info: dict[str, Any], feature: str) -> bool:
    name, _, value = feature.partition("=")
    return str(info.get(name)) == value if value else bool(info.get(name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_field_is_found_as_it_was_made(
    case: Case, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    spec = spec_of(bench.place.placed(case.spec))
    if case.refused:
        await check_refused(bench, spec, case.refused)
        return

    with caplog.at_level(logging.WARNING, "iotistic.engines"):
        container_id, request = await bench.make(spec)

    differing = lost(spec, await bench.found(container_id, request))
    if differing and case.feature and not has(bench.site.http.call("GET", "/info"), case.feature):
        assert "engine warned" in caplog.messages  # never without a word
        return
    assert differing == {}


async def check_refused(bench: Bench, spec: ServiceSpec, code: str) -> None:
    newest = bench.site.http.call("GET", "/version")["ApiVersion"].split(".")
    if code == "engine-too-old" and tuple(map(int, newest)) >= (1, 48):
        pytest.skip("this engine knows all fields")
    with pytest.raises(Refused) as refused:
        await bench.make(spec)

    assert refused.value.code == code
    assert await bench.engine.containers() == ()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.start_refused], ids=lambda case: case.id
)
async def test_what_this_machine_cannot_give_is_refused_at_the_start(
    case: Case, bench: Bench
) -> None:
    container_id, _ = await bench.make(spec_of(case.spec))

    try:
        await bench.engine.start(container_id)
    except Refused as refused:
        code = refused.code
    else:
        code = ""  # this machine can

    (seen,) = await bench.engine.containers()
    assert (code, seen.state) in (("start-failed", "created"), ("", "running"))


async def test_nothing_changes_by_being_started_stopped_and_started(bench: Bench) -> None:
    spec = spec_of(bench.place.placed(TOGETHER))
    container_id, request = await bench.make(spec)
    made = await bench.found(container_id, request)

    await bench.engine.start(container_id)
    running = await bench.found(container_id, request)
    await bench.engine.stop(container_id, grace_s=0)
    stopped = await bench.found(container_id, request)
    await bench.engine.start(container_id)
    again = await bench.found(container_id, request)

    assert lost(spec, made) == {}
    assert running == stopped == again == made


async def test_a_shared_network_is_found_in_the_words_of_the_target(bench: Bench) -> None:
    owner = await bench.engine.create_container(plain_request(bench.site.uuid, "db"))
    spec = spec_of({"network_mode": "service:db"})
    request = bench.place.container(spec, network_mode=f"container:{owner}")
    container_id = await bench.engine.create_container(request)

    found = await bench.found(container_id, request)
    other = bench.place.container(spec, network_mode="container:another")
    elsewhere = await bench.found(container_id, other)

    assert lost(spec, found) == {}
    assert found.networks == ()
    assert elsewhere.network_mode == f"container:{owner}"


async def test_an_update_by_somebody_else_is_found(bench: Bench) -> None:
    spec = spec_of({"mem_limit": 64 * 2**20, "cpu_shares": 512})
    container_id, request = await bench.make(spec)

    change = {"CpuShares": 256}
    bench.site.http.call("POST", f"/containers/{container_id}/update", body=change)

    found = await bench.found(container_id, request)
    assert lost(spec, found).keys() == {"cpu_shares", "form.cpu_shares", "drift.cpu_shares"}


async def test_a_network_that_was_left_is_found_missing(bench: Bench) -> None:
    networks = (NetworkAttachment(name="back"), NetworkAttachment(name="front"))
    spec = spec_of({"networks": networks})
    container_id, request = await bench.make(spec)

    left, who = request.networks[1].network, {"Container": container_id}
    bench.site.http.call("POST", f"/networks/{left}/disconnect", body=who)

    assert (await bench.found(container_id, request)).networks == networks[:1]


async def test_a_service_that_lost_its_own_name_in_a_network_is_not_joined(bench: Bench) -> None:
    spec = spec_of({"networks": (NetworkAttachment(name="front"),)})
    container_id, request = await bench.make(spec)

    path, who = f"/networks/{request.networks[0].network}", {"Container": container_id}
    bench.site.http.call("POST", f"{path}/disconnect", body=who)
    bench.site.http.call("POST", f"{path}/connect", body=who)

    assert (await bench.found(container_id, request)).networks == ()


async def test_what_is_not_there_cannot_be_found(bench: Bench) -> None:
    request = bench.place.container(spec_of({}))

    assert await bench.engine.inspect("f" * 64, request) is None


@given(spec=specs())
@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_service_is_found_as_it_was_made(bench: Bench, spec: ServiceSpec) -> None:
    wanted = bench.place.placed(spec)
    container_id, request = await bench.make(wanted)
    try:
        assert lost(wanted, await bench.found(container_id, request)) == {}
    finally:
        await bench.engine.remove(container_id)


@pytest.mark.parametrize("case", NETWORK_CASES, ids=lambda case: case.id)
async def test_a_network_is_found_as_it_was_made(case: ObjectCase, bench: Bench) -> None:
    spec = bench.place.placed(network_of(case.spec))
    request = bench.place.network(spec)

    try:
        await bench.engine.create_network(request)
    except Refused as refused:
        remedy = refused.remedy
    else:
        remedy = None
    if case.driver and remedy is not None:
        assert remedy == "this kernel has no such network driver"
        return
    assert remedy is None

    shown = bench.site.http.call("GET", f"/networks/{request.name}")
    check_form(network_form, spec, network_spec(shown))


@pytest.mark.parametrize("case", VOLUME_CASES, ids=lambda case: case.id)
async def test_a_volume_is_found_as_it_was_made(case: ObjectCase, bench: Bench) -> None:
    spec = volume_of(case.spec)
    request = bench.place.volume(spec)

    await bench.engine.create_volume(request)

    shown = bench.site.http.call("GET", f"/volumes/{request.name}")
    check_form(volume_form, spec, volume_spec(shown))


def check_form(form: Callable[[Any], dict[str, Any]], wanted: Any, found: Any) -> None:
    ours, theirs = form(wanted), form(found)
    assert {name: theirs.get(name) for name in ours} == ours


async def test_what_is_somebody_elses_is_not_made(bench: Bench) -> None:
    with pytest.raises(Refused):
        await bench.engine.create_network(bench.place.network(network_of({"external": True})))
    with pytest.raises(Refused):
        await bench.engine.create_volume(bench.place.volume(volume_of({"external": True})))

    resources = await bench.engine.resources()
    assert (resources.networks, resources.volumes) == ((), ())


async def test_no_command_at_all_leaves_an_image_with_its_entrypoint_alone(bench: Bench) -> None:
    config = {"Entrypoint": ["/bin/echo", "only"], "Cmd": ["not", "this"]}
    reference = f"iotistic-test/{bench.site.uuid}:1"
    made = images.TestImage(reference=reference, script="", more=config)
    images.load(bench.site.http.host, made)
    try:
        spec = spec_of(
            {"image": parse_image(reference, at="image"), "command": (), "network_mode": "none"}
        )
        container_id, request = await bench.make(spec)
        found = await bench.found(container_id, request)
        await bench.engine.remove(container_id)
    finally:
        bench.site.http.call("DELETE", f"/images/{reference}")

    assert (found.entrypoint, found.command) == (("/bin/echo", "only"), ())

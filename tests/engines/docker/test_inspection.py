"""What an engine says of a container is read in the words of the target; without an engine."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.engines.docker.inspection import read_inspected
from iotistic.model.errors import EngineUnavailable
from iotistic.model.service import (
    Healthcheck,
    Mount,
    MountKind,
    NetworkAttachment,
    PortBinding,
    RestartName,
    RestartPolicy,
    SecretUse,
    ServiceSpec,
)
from tests.engines.composing import Place, lost
from tests.engines.docker.fake_inspect import CONTAINER_ID, fake_inspect
from tests.engines.field_cases import CASES, TOGETHER, Case, spec_of
from tests.engines.random_specs import specs

param = pytest.param

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place(uuid="0f0e0d0c-0b0a-4908-8706-050403020100")
EVERYWHERE = str(IPv4Address(0))
ANONYMOUS = "ab" * 32


def seen(shown: dict[str, Any], spec: ServiceSpec, **request: Any) -> ServiceSpec:
    """What is read of the answer, where `spec` is wanted."""
    content = json.dumps(shown).encode()
    return read_inspected(content, PLACE.container(spec, **request)).spec


def shown_of(values: dict[str, Any], **host: Any) -> dict[str, Any]:
    """The answer about a container with those fields, and those in its HostConfig changed."""
    shown = fake_inspect(PLACE.container(spec_of(PLACE.placed(values))))
    shown["HostConfig"] |= host
    return shown


@pytest.mark.parametrize("api", [(1, 41), (1, 44), (1, 48)])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_field_is_read_as_it_was_written(case: Case, api: tuple[int, int]) -> None:
    wanted = spec_of(PLACE.placed(case.spec))

    found = seen(fake_inspect(PLACE.container(wanted), api=api), wanted)

    assert lost(wanted, found) == {}


@given(specs())
def test_any_service_is_read_as_it_was_written(spec: ServiceSpec) -> None:
    wanted = PLACE.placed(spec)

    assert lost(wanted, seen(fake_inspect(PLACE.container(wanted)), wanted)) == {}


@given(specs())
def test_what_was_read_is_read_again_when_it_is_made_so(spec: ServiceSpec) -> None:
    wanted = PLACE.placed(spec)
    found = seen(fake_inspect(PLACE.container(wanted)), wanted)

    assert seen(fake_inspect(PLACE.container(found)), found) == found


def test_the_answer_says_which_container_and_how_often_it_was_restarted() -> None:
    shown = shown_of({}) | {"RestartCount": 3, "State": {"StartedAt": "2026-01-02T03:04:05.6Z"}}

    inspected = read_inspected(json.dumps(shown).encode(), PLACE.container(spec_of({})))

    assert inspected.container_id == CONTAINER_ID
    assert inspected.started_at == "2026-01-02T03:04:05.6Z"
    assert inspected.restart_count == 3


def test_nothing_of_the_agents_own_is_among_what_is_found() -> None:
    spec = spec_of(
        {
            "secrets": (
                SecretUse(source="key", environment="KEY"),
                SecretUse(source="key", target="/run/secrets/key"),
            )
        }
    )

    found = seen(fake_inspect(PLACE.container(spec)), spec)

    assert "KEY" not in dict(found.environment)
    assert found.volumes == ()
    assert found.labels == ()
    assert found.networks == (NetworkAttachment(name="default"),)
    assert found.secrets == spec.secrets


def test_a_secret_that_is_not_there_is_not_found() -> None:
    use = SecretUse(source="key", target="/run/secrets/key")
    variable = SecretUse(source="key", environment="KEY")

    found = seen(shown_of({}), spec_of({"secrets": (variable, use)}))

    assert found.secrets == ()


def test_volumes_that_an_image_asks_for_are_nobodys_wish() -> None:
    shown = shown_of({})
    point = {"Type": "volume", "Name": ANONYMOUS, "Destination": "/var/lib", "RW": True}
    shown["Mounts"] = [point, point | {"Name": "by-hand", "Destination": "/x"}]

    assert seen(shown, spec_of({})).volumes == (Mount(target="/x", source="by-hand"),)


@pytest.mark.parametrize(
    ("host", "field", "expected"),
    [
        param({"NetworkMode": "host"}, "network_mode", "host", id="networks left"),
        param({"NetworkMode": "default"}, "network_mode", "bridge", id="the default is the bridge"),
        param({"NetworkMode": "container:c9"}, "network_mode", "container:c9", id="shared by hand"),
        param(
            {"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}},
            "restart",
            RestartPolicy(name=RestartName.NO),
            id="no policy",
        ),
        param(
            {"SecurityOpt": ["no-new-privileges", "label:disable", "apparmor:x"]},
            "security_opt",
            ("apparmor=x", "no-new-privileges=true"),
            id="options in an older form, and one that SELinux adds",
        ),
        param({"CapAdd": ["cap_sys_time", "ALL"]}, "cap_add", ("ALL", "SYS_TIME"), id="prefix"),
        param({"PidsLimit": -1}, "pids_limit", None, id="no limit of processes"),
        param({"MemorySwappiness": -1}, "mem_swappiness", None, id="no swappiness"),
        param(
            {"PortBindings": {"80/tcp": [{"HostIp": EVERYWHERE, "HostPort": "0"}], "90": None}},
            "ports",
            (PortBinding(container=80),),
            id="everywhere, any port",
        ),
        param({"ExtraHosts": None}, "extra_hosts", (), id="null is none"),
    ],
)
def test_an_engines_own_way_to_say_it(host: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(seen(shown_of({}, **host), spec_of({})), field) == expected


def test_a_check_that_is_off_is_one_word() -> None:
    shown = shown_of({})
    shown["Config"]["Healthcheck"] = {"Test": ["NONE"], "Interval": 5, "Retries": 2}

    assert seen(shown, spec_of({})).healthcheck == Healthcheck(test=("NONE",))


def test_a_shared_network_is_named_as_the_target_names_it() -> None:
    spec = spec_of({"network_mode": "service:db"})
    shown = shown_of({}, NetworkMode="container:c9")

    assert seen(shown, spec, network_mode="container:c9").network_mode == "service:db"
    assert seen(shown, spec, network_mode="container:c1").network_mode == "container:c9"


def test_names_that_the_engine_adds_are_no_aliases_unless_asked_for() -> None:
    plain = {"hostname": "edge", "networks": (NetworkAttachment(name="front"),)}
    asked = plain | {"networks": (NetworkAttachment(name="front", aliases=("edge",)),)}

    assert seen(shown_of(plain), spec_of(plain)).networks[0].aliases == ()
    assert seen(shown_of(asked), spec_of(asked)).networks[0].aliases == ("edge",)


def test_a_network_in_which_the_service_lost_its_name_is_not_joined() -> None:
    spec = spec_of({"networks": (NetworkAttachment(name="front"),)})
    shown = fake_inspect(PLACE.container(spec))
    for settings in shown["NetworkSettings"]["Networks"].values():
        settings["Aliases"] = None

    assert seen(shown, spec).networks == ()


def test_a_network_that_nobody_asked_for_has_the_engines_name() -> None:
    shown = shown_of({})
    shown["NetworkSettings"]["Networks"]["by-hand"] = None

    names = [network.name for network in seen(shown, spec_of({})).networks]
    assert names == ["by-hand", "default"]


def test_a_path_of_the_host_is_found_with_how_it_is_mounted() -> None:
    mount = Mount(target="/h", source="/srv", kind=MountKind.BIND, propagation="rslave")
    shown = shown_of({"volumes": (mount,)})

    assert seen(shown, spec_of({})).volumes == (mount,)
    shown["Mounts"][0] |= {"RW": False, "Propagation": "rprivate"}
    changed = replace(mount, read_only=True, propagation="")
    assert seen(shown, spec_of({})).volumes == (changed,)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Id": "x"}',
        json.dumps(shown_of({}, Memory="much")).encode(),
        json.dumps(shown_of({}, RestartPolicy={"Name": "never"})).encode(),
        json.dumps(shown_of({}, PortBindings={"http/tcp": [{"HostPort": "1"}]})).encode(),
    ],
)
def test_what_cannot_be_read_is_no_answer(broken: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        read_inspected(broken, PLACE.container(spec_of({})))


@given(st.binary(max_size=100))
def test_no_bytes_whatever_are_worse_than_no_answer(garbage: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        read_inspected(garbage, PLACE.container(spec_of({})))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_whole_answer_of_an_engine_is_read(path: Path) -> None:
    """`docker-…` are real answers; `synthetic-…` were made of one, by what newer engines add."""
    place = replace(PLACE, folder="/srv")
    wanted = spec_of(place.placed(TOGETHER))

    inspected = read_inspected(path.read_bytes(), place.container(wanted))

    assert lost(wanted, inspected.spec) == {}
    assert inspected.started_at

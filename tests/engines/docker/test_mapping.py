"""The body of a create call, field by field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.engines.docker.fields.network import endpoint
from iotistic.engines.docker.mapping import create_body
from iotistic.model.container import ContainerRequest, HostFolder
from iotistic.model.secret import Secret
from iotistic.model.service import (
    Mount,
    MountKind,
    PortBinding,
    RestartName,
    RestartPolicy,
)
from tests.engines.builders import request

param = pytest.param

UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
UNLESS_STOPPED = {"RestartPolicy": {"Name": "unless-stopped"}}


OLDEST, NEWER = (1, 41), (1, 44)


def body_of(made: ContainerRequest, api: tuple[int, int] = OLDEST) -> dict[str, Any]:
    return create_body(made, {}, api=api)


def on_host(*bindings: PortBinding) -> dict[str, Any]:
    body = body_of(request(UUID, ports=bindings))
    return {"ExposedPorts": body["ExposedPorts"], **body["HostConfig"]["PortBindings"]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        param({}, {}, id="nothing set: nothing said"),
        param({"command": ("a", "b")}, {"Cmd": ["a", "b"]}, id="command"),
        param({"command": ()}, {"Cmd": []}, id="no command at all"),
        param({"entrypoint": ("/run",)}, {"Entrypoint": ["/run"]}, id="entrypoint"),
        param({"entrypoint": ()}, {"Entrypoint": [""]}, id="no entrypoint at all"),
        param(
            {"environment": {"B": "2", "A": "x=y"}},
            {"Env": ["A=x=y", "B=2"]},
            id="environment, revealed",
        ),
        param({"working_dir": "/srv"}, {"WorkingDir": "/srv"}, id="working folder"),
        param({"user": "1000:1000"}, {"User": "1000:1000"}, id="user"),
        param({"hostname": "edge"}, {"Hostname": "edge"}, id="host name"),
    ],
)
def test_a_field_is_said_once_it_is_set(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    body = body_of(request(UUID, **spec))

    assert body.pop("Labels")
    assert body.pop("HostConfig") == UNLESS_STOPPED
    assert body.pop("Image") == "iotistic-test/sleeper:1"
    assert body == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        param(
            {"restart": RestartPolicy(name=RestartName.NO)},
            {"RestartPolicy": {"Name": "no"}},
            id="never restarted",
        ),
        param(
            {"restart": RestartPolicy(name=RestartName.ON_FAILURE, retries_max=3)},
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
            id="restarted three times",
        ),
        param(
            {"network_mode": "host"}, {**UNLESS_STOPPED, "NetworkMode": "host"}, id="network mode"
        ),
        param(
            {"networks": ("1_a", "1_b")},
            {**UNLESS_STOPPED, "NetworkMode": "1_a"},
            id="the first network is the mode",
        ),
        param(
            {
                "mounts": (Mount(target="/d", source="data"),),
                "volumes": (("data", "1_data-0f0e0d0c"),),
            },
            {
                **UNLESS_STOPPED,
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "1_data-0f0e0d0c",
                        "Target": "/d",
                        "ReadOnly": False,
                    }
                ],
            },
            id="a volume by the engine's name",
        ),
        param(
            {"mounts": (Mount(target="/d", source="/srv", kind=MountKind.BIND, read_only=True),)},
            {
                **UNLESS_STOPPED,
                "Mounts": [{"Type": "bind", "Source": "/srv", "Target": "/d", "ReadOnly": True}],
            },
            id="a path of the host, read-only",
        ),
    ],
)
def test_what_concerns_the_host(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body_of(request(UUID, **spec))["HostConfig"] == expected


def test_ports_are_exposed_and_bound() -> None:
    assert on_host(
        PortBinding(container=80, host=8080),
        PortBinding(container=80, host=8081, host_ip="127.0.0.1"),
        PortBinding(container=53, protocol="udp"),
    ) == {
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "80/tcp": [
            {"HostIp": "", "HostPort": "8080"},
            {"HostIp": "127.0.0.1", "HostPort": "8081"},
        ],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }


def test_only_the_first_network_is_joined_at_creation() -> None:
    made = request(UUID, networks=("1_a", "1_b"))

    body = body_of(made)

    assert body["NetworkingConfig"] == {"EndpointsConfig": {"1_a": {"Aliases": ["web"]}}}
    assert endpoint(made, 1) == {"Aliases": ["web"]}


def test_our_own_labels_win() -> None:
    body = create_body(request(UUID), {"iotistic.device": "mine", "extra": "1"}, api=OLDEST)

    assert body["Labels"]["iotistic.device"] == "mine"
    assert body["Labels"]["iotistic.service-name"] == "web"
    assert body["Labels"]["extra"] == "1"


def test_what_the_agent_adds_is_made_too() -> None:
    folder = HostFolder(source="/run/x/key", target="/run/secrets/key", read_only=True)
    made = replace(
        request(UUID, environment={"A": "1"}),
        secret_environment=(("KEY", Secret("s3cret")),),
        folders=(folder,),
    )

    body = body_of(made)

    assert body["Env"] == ["A=1", "KEY=s3cret"]
    assert body["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/run/x/key",
            "Target": "/run/secrets/key",
            "ReadOnly": True,
        }
    ]


def test_a_shared_network_is_said_as_the_engine_takes_it() -> None:
    made = replace(request(UUID, network_mode="service:db"), network_mode="container:c9")

    body = body_of(made)

    assert body["HostConfig"]["NetworkMode"] == "container:c9"
    assert "NetworkingConfig" not in body


@pytest.mark.parametrize(
    ("networks", "mode", "network"),
    [param(("1_a", "1_b"), None, "1_a", id="of the first network"), ((), "bridge", "bridge")],
)
def test_a_hardware_address_moves_to_the_network_in_newer_engines(
    networks: tuple[str, ...], mode: str | None, network: str
) -> None:
    address = "02:42:0a:00:00:02"
    made = request(UUID, networks=networks, network_mode=mode, mac_address=address)

    older, newer = body_of(made), body_of(made, NEWER)

    assert older["MacAddress"] == address
    assert "MacAddress" not in newer
    joined = newer["NetworkingConfig"]["EndpointsConfig"][network]
    assert joined["MacAddress"] == address


def test_an_entrypoint_in_place_of_one_that_is_not_said() -> None:
    silent, says = request(UUID, command=()), request(UUID, command=(), entrypoint=("/own",))

    assert create_body(silent, {}, api=OLDEST, entrypoint=("/image",))["Entrypoint"] == ["/image"]
    assert create_body(says, {}, api=OLDEST, entrypoint=("/image",))["Entrypoint"] == ["/own"]

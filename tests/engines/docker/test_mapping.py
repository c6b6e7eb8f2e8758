"""The body of a create call, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.engines.docker.mapping import create_body, endpoint
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


def on_host(*bindings: PortBinding) -> dict[str, Any]:
    body = create_body(request(UUID, ports=bindings), {})
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
        param({"user": ""}, {"User": ""}, id="user explicitly empty"),
        param({"hostname": "edge"}, {"Hostname": "edge"}, id="host name"),
    ],
)
def test_a_field_is_said_once_it_is_set(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    body = create_body(request(UUID, **spec), {})

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
    assert create_body(request(UUID, **spec), {})["HostConfig"] == expected


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

    body = create_body(made, {})

    assert body["NetworkingConfig"] == {"EndpointsConfig": {"1_a": {"Aliases": ["web"]}}}
    assert endpoint(made, 1) == {"Aliases": ["web"]}


def test_our_own_labels_win() -> None:
    body = create_body(request(UUID), {"iotistic.device": "mine", "extra": "1"})

    assert body["Labels"]["iotistic.device"] == "mine"
    assert body["Labels"]["iotistic.service-name"] == "web"
    assert body["Labels"]["extra"] == "1"

"""Hashes that containers in the field carry: they must come out the same for ever.

A hash that changes makes every device of a fleet stop and remake every service. These were made by
the first version that was released; a new field must not be in the form of a service that does not
set it. Were one of them to change on purpose, `HASH_VERSION` has to go up.
"""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.model.target import parse_target
from iotistic.planner import normalize

KEY = bytes(range(32))
DIGEST = "sha256:" + "ab" * 32

GOLDEN: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("nginx", {}, "1:d63de1d17a1686a261a3d909caa38164"),
    ("registry.example:5000/team/web:1.4", {}, "1:54932e0fb3daff43beea73cda40cf0fb"),
    (f"team/web@{DIGEST}", {}, "1:3839461a1f64d48c2c5b1aeb54c4a443"),
    ("web:1", {"command": "run --fast 'a b'"}, "1:6b90775cc467a2e67b7583c6551a131c"),
    ("web:1", {"command": [], "entrypoint": []}, "1:67ce7ce9d95dcfb4233424cf3b232463"),
    (
        "web:1",
        {"entrypoint": ["/init"], "command": ["serve", "-p", "80"]},
        "1:bd351ca2130b52c063bfe4baad27b5bd",
    ),
    (
        "web:1",
        {"environment": {"A": "1", "TOKEN": "hunter2"}},
        "1:773aca399588d3d71272c5ef0cde4332",
    ),
    ("web:1", {"environment": ["B=x=y", "A=", "N"]}, "1:f66c3b8a6f9ec3e5f61fe499b3b2c326"),
    ("web:1", {"environment": {"T": True, "N": 1, "F": 0.5}}, "1:df7d2add1d7ed508bd1f8b50331e45a2"),
    ("web:1", {"labels": {"com.example.a": "1", "b": ""}}, "1:02d0306bdfd130c973b53ebd8d6a1b10"),
    ("web:1", {"ports": ["80:80", "443:443/tcp", 9000]}, "1:657b1c399aada6a30d6abfbd7c79ec0b"),
    (
        "web:1",
        {"ports": ["127.0.0.1:8080:80/udp", "[::1]:53:53/udp", "0.0.0.0:1:1"]},
        "1:9d4a29eff921a9422500b6bc21cf0fff",
    ),
    (
        "web:1",
        {"ports": ["8000-8002:9000-9002", "7000-7001"]},
        "1:68d2743f777a9b01c4646cdc4c10aa47",
    ),
    (
        "web:1",
        {"ports": [{"target": 80, "published": "8080", "protocol": "tcp", "host_ip": "10.0.0.1"}]},
        "1:14ecd9f141b06dee496fa46106c7a9f9",
    ),
    (
        "web:1",
        {"volumes": ["data:/data", "conf:/etc/web:ro"]},
        "1:f921e1d549bf5c321ab8b22c10cb26d7",
    ),
    (
        "web:1",
        {
            "volumes": [
                "/srv/www/:/usr/share/www/:ro",
                {"type": "volume", "source": "d", "target": "/x", "read_only": True},
            ]
        },
        "1:164feac8443dfc4f603750df7191ddba",
    ),
    ("web:1", {"networks": ["front", "back"]}, "1:6873cae638e57286e1b2303bdab4a945"),
    (
        "web:1",
        {"networks": {"back": {"aliases": ["db", "cache"]}, "front": None}},
        "1:cd17ecca6f2f28986f71722e8ea2417a",
    ),
    ("web:1", {"network_mode": "host"}, "1:998fb8b386c41bc37c43a423976638cc"),
    ("web:1", {"networkMode": "none"}, "1:4431d388b7d7ab9576fe82c973ecb353"),
    ("web:1", {"network_mode": "bridge"}, "1:bb0c52553885fa70705d52e6dbb66797"),
    ("web:1", {"restart": "always"}, "1:a7dc80da99ade8e2c0ce7fcfc7b6b267"),
    ("web:1", {"restart": False}, "1:09ed6f11fa35213a169c28751cb08f2c"),
    ("web:1", {"restart": "on-failure:5"}, "1:f8d04d0d0ef2746d954f466eb76dd31e"),
    ("web:1", {"restart": "on-failure"}, "1:27fa300672b1413b85defd9574709ef6"),
    (
        "web:1",
        {"workingDir": "/srv/app/", "user": "1000:1000", "hostname": "web.example"},
        "1:87d88f997f851468699d8d58eef353a3",
    ),
    ("web:1", {"working_dir": ""}, "1:22ba7cdb37e79ff164c5d279bf931e10"),
    (
        "web:2",
        {
            "image": "web:2",
            "command": "x",
            "environment": {"A": "1"},
            "labels": ["k=v"],
            "ports": ["80:80"],
            "volumes": ["d:/d"],
            "networks": ["n"],
            "restart": "no",
            "working_dir": "/w",
            "user": "u",
            "hostname": "h",
            "entrypoint": "sh -c",
        },
        "1:f4b6ce75fd3ea1c62bd1173c6304ef3b",
    ),
)
# What the label of the last of them says of its fields.
FIELDS = {
    "command": "cd65ea2c",
    "entrypoint": "4df6e6a2",
    "environment.A": "ebd98c50",
    "hostname": "71e0bdc1",
    "image": "a4f8d3d0",
    "labels": "666c1aa0",
    "networks": "20fd6b1c",
    "ports": "4ce9ba82",
    "restart": "8ad9d5cf",
    "service_name": "bde14896",
    "user": "a103d1b5",
    "volumes": "f8dbad9f",
    "working_dir": "000b3d69",
}


@pytest.mark.parametrize(("image", "config", "expected"), GOLDEN)
def test_a_service_that_could_be_said_before_has_the_hash_it_had(
    image: str, config: dict[str, Any], expected: str
) -> None:
    assert normalize.hash_of(form_of(image, config), KEY) == expected


def test_the_label_of_fields_is_as_it_was() -> None:
    image, config, _ = GOLDEN[-1]

    assert normalize.short_hashes(form_of(image, config)) == FIELDS


def form_of(image: str, config: dict[str, Any]) -> dict[str, Any]:
    service = {"serviceId": 1, "serviceName": "web", "imageName": image, "config": config}
    target = parse_target({"apps": {"1": {"appName": "a", "services": [service]}}})
    spec = target.apps[0].services[0].spec
    return normalize.normal_form(spec, service_name="web", key=KEY)

"""What somebody changed is found, and what the engine says in its own way is not taken for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iotistic.model.image import ImageRef, parse_image
from iotistic.model.service import (
    Logging,
    NetworkAttachment,
    RestartName,
    RestartPolicy,
    ServiceSpec,
)
from iotistic.planner import normalize
from iotistic.planner.world import Difference
from tests.model.vocabulary.builders import service_of, spec_of

param = pytest.param
KEY = bytes(range(32))
CERT = {"cert": {"value": "x"}}


def drift(
    wanted: ServiceSpec, found: ServiceSpec, born: ServiceSpec | None = None
) -> tuple[Difference, ...]:
    form = born and normalize.normal_form(born, service_name="web", key=KEY)
    return normalize.drift(
        wanted,
        found,
        service_name="web",
        key=KEY,
        born=normalize.short_hashes(form) if form else None,
    )


def said(config: dict[str, Any]) -> ServiceSpec:
    """What a target with this configuration wants."""
    return service_of(config, secrets=CERT).spec


def seen(config: dict[str, Any]) -> ServiceSpec:
    """A container with this configuration as a close look shows it: on its networks."""
    spec = said(config)
    return replace(spec, networks=normalize.attachments(spec))


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        param({"image": "web:1"}, {"image": "web:2"}, [], id="imageName counts, not image"),
        param({"command": "a b"}, {"command": "a c"}, ["command"], id="command"),
        param({"command": []}, {"command": "of the image"}, [], id="no command: hash only"),
        param({"cpus": 1}, {"cpus": 2}, ["cpus"], id="another number"),
        param({"cpus": 1}, {}, ["cpus"], id="none at all"),
        param({}, {"cpus": 1, "user": "x", "tty": True, "ports": ["80:80"]}, [], id="not said"),
        param({"tty": False}, {}, [], id="false, and the engine says nothing"),
        param({"privileged": False}, {"privileged": True}, ["privileged"], id="privileged now"),
        param({"stop_grace_period": "1.2s"}, {"stop_grace_period": 2}, [], id="whole seconds"),
        param(
            {"stop_grace_period": 1}, {"stop_grace_period": 2}, ["stop_grace_period"], id="grace"
        ),
        param({}, {"restart": "always"}, ["restart"], id="docker update --restart"),
        param({"restart": "on-failure:3"}, {"restart": "on-failure:4"}, ["restart"], id="retries"),
        param(
            {"environment": {"A": "1", "B": "2"}},
            {"environment": {"A": "1", "B": "3", "C": "of the image"}},
            ["environment.B"],
            id="environment by name",
        ),
        param({"labels": ["a=1"]}, {"labels": ["b=2"]}, ["labels.a"], id="labels by name"),
        param({"labels": ["a=1"]}, {"labels": ["a=1", "b=2"]}, [], id="labels of the image"),
        param(
            {"healthcheck": {"interval": "5s"}},
            {"healthcheck": {"test": "of the image", "interval": "6s"}},
            ["healthcheck.interval"],
            id="health check by setting",
        ),
        param(
            {"healthcheck": {"disable": True}},
            {"healthcheck": {"test": "x"}},
            ["healthcheck.test"],
            id="a health check that was to be none",
        ),
        param(
            {"ulimits": {"nofile": 5}}, {"ulimits": {"nofile": 6}}, ["ulimits.nofile"], id="ulimit"
        ),
        param({"cap_add": ["A_B"]}, {"cap_add": ["A_B", "C_D"]}, ["cap_add"], id="a cap more"),
        param(
            {"security_opt": ["no-new-privileges"]},
            {"security_opt": ["no-new-privileges", "label=type:engine_t"]},
            [],
            id="an option of the engine",
        ),
        param(
            {"security_opt": ["no-new-privileges"]}, {}, ["security_opt"], id="an option is missing"
        ),
        param({"ports": ["80:80"]}, {"ports": ["81:80"]}, ["ports"], id="ports"),
        param({"dns": ["1.1.1.1", "9.9.9.9"]}, {"dns": ["9.9.9.9", "1.1.1.1"]}, ["dns"], id="dns"),
        param(
            {"volumes": ["a:/x"]}, {"volumes": ["a:/x", "b:/of-the-image"]}, [], id="more volumes"
        ),
        param({"volumes": ["a:/x"]}, {"volumes": ["b:/x"]}, ["volumes./x"], id="another volume"),
        param({"volumes": ["a:/x:ro"]}, {"volumes": ["a:/x"]}, ["volumes./x"], id="not read-only"),
        param({"volumes": ["a:/x"]}, {"volumes": ["a:/x:nocopy"]}, [], id="how it was filled"),
        param({"tmpfs": "/t:size=1m"}, {"tmpfs": "/t:size=2m"}, ["tmpfs./t"], id="tmpfs"),
        param({"devices": ["/dev/a:r"]}, {"devices": ["/dev/a"]}, ["devices./dev/a"], id="device"),
        param(
            {"networks": {"a": {"aliases": ["x"]}}},
            {"networks": {"a": {"aliases": ["x", "0123456789ab"], "ipv4_address": "10.0.0.2"}}},
            [],
            id="what the engine adds to a network",
        ),
        param(
            {"networks": {"a": {"aliases": ["x"], "ipv4_address": "10.0.0.3"}, "b": None}},
            {"networks": {"a": {"ipv4_address": "10.0.0.2"}}},
            ["networks.a.aliases", "networks.a.ipv4_address", "networks.b"],
            id="networks",
        ),
        param({"network_mode": "host"}, {"network_mode": "none"}, ["network_mode"], id="mode"),
        param({"network_mode": "container:a"}, {"network_mode": "container:b"}, [], id="by id"),
        param(
            {"logging": {"options": {"max-size": "1m"}}},
            {"logging": {"driver": "json-file", "options": {"max-size": "2m", "x": "y"}}},
            ["logging.max-size"],
            id="logging by option",
        ),
        param({"logging": {"driver": "local"}}, {}, ["logging"], id="log driver"),
        param({"secrets": ["cert"]}, {}, ["secrets.cert"], id="a secret that is not mounted"),
        param({"platform": "linux/arm64"}, {}, [], id="what no engine tells"),
        param({"init": False}, {}, [], id="no init"),
    ],
)
def test_what_the_target_sets_is_compared_and_nothing_else(
    wanted: dict[str, Any], found: dict[str, Any], expected: list[str]
) -> None:
    differences = drift(said(wanted), seen(found))

    assert [difference.field for difference in differences] == expected


def test_a_container_like_its_target_has_no_drift() -> None:
    config: dict[str, Any] = {
        "cpus": 1,
        "environment": {"A": "1"},
        "networks": ["a"],
        "ports": ["80:80"],
    }

    assert drift(spec_of(**config), seen(config)) == ()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        param("team/web:1", "docker.io/team/web:1", [], id="the same reference"),
        param("web:1", "web:2", ["image"], id="another tag"),
        param("a/web@sha256:" + "0" * 64, "b/web@sha256:" + "0" * 64, [], id="the same digest"),
        param("web:1", "web@sha256:" + "0" * 64, ["image"], id="a tag is no digest"),
    ],
)
def test_images_are_the_same_by_reference_or_digest(
    one: str, other: str, expected: list[str]
) -> None:
    wanted, found = ServiceSpec(image=image(one)), seen({})

    assert [d.field for d in drift(wanted, replace(found, image=image(other)))] == expected


def test_what_an_engine_wrote_otherwise_from_birth_is_no_drift() -> None:
    wanted = spec_of(cpuset="0-1", oom_kill_disable=True, mem_limit="64m")
    born = replace(seen({"cpuset": "0", "mem_limit": "64m"}), oom_kill_disable=False)

    assert drift(wanted, born, born) == ()
    assert [d.field for d in drift(wanted, replace(born, mem_limit=1), born)] == ["mem_limit"]
    assert [d.field for d in drift(wanted, replace(born, cpuset="1"), born)] == ["cpuset"]


def test_one_variable_that_was_always_odd_does_not_hide_another() -> None:
    wanted = spec_of(environment={"A": "1", "B": "1"})
    born = seen({"environment": {"A": "odd", "B": "1"}})
    found = seen({"environment": {"A": "odd", "B": "2"}})

    assert [d.field for d in drift(wanted, found, born)] == ["environment.B"]


def test_without_a_birth_certificate_every_difference_counts() -> None:
    wanted, found = spec_of(cpuset="0-1"), seen({"cpuset": "0"})

    assert drift(wanted, found) == (Difference(field="cpuset", wanted="0-1", found="0"),)


def test_values_that_may_be_secret_are_masked() -> None:
    wanted = spec_of(
        environment={"TOKEN": "hunter2", "NONE": "hunter3"},
        logging={"driver": "splunk", "options": {"splunk-token": "hunter4"}},
    )
    found = replace(
        seen({"environment": {"TOKEN": "hunter5"}}),
        logging=Logging(driver="splunk", options=(("splunk-token", "hunter6"),)),
    )

    differences = drift(wanted, found)

    assert "hunter" not in repr(differences)
    assert [(d.field, d.wanted, d.found) for d in differences] == [
        ("environment.NONE", "***", "nothing"),
        ("environment.TOKEN", "***", "***"),
        ("logging.splunk-token", "***", "***"),
    ]


def test_a_person_can_read_what_is_different() -> None:
    wanted = spec_of(cap_add=["SYS_TIME"], restart="always", volumes=["a:/x"])
    found = replace(
        seen({}),
        restart=RestartPolicy(name=RestartName.NO),
        networks=(NetworkAttachment(name="b"),),
    )

    assert [str((d.field, d.wanted, d.found)) for d in drift(wanted, found)] == [
        "('restart', 'always', 'no')",
        "('cap_add', '[\"SYS_TIME\"]', '[]')",
        "('networks.default', 'joined', 'nothing')",
        "('volumes./x', '[\"volume\",\"a\",\"/x\",false]', 'nothing')",
    ]


def image(text: str) -> ImageRef:
    return parse_image(text, at="image")

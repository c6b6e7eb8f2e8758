"""A compose file as an app of a target: fields move, and one parser judges."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.compose import NotOnADevice, from_compose, is_compose
from iotistic.model.errors import InvalidField
from iotistic.model.target import parse_target
from iotistic.model.vocabulary import elsewhere
from tests.compose.builders import app_of, one_service, refusal, service_of

SHOP = """
name: shop
version: "3.8"
x-shared: &shared
  restart: on-failure:3
  logging: {driver: json-file, options: {max-size: 10m, x-mine: kept}, x-note: dropped}
services:
  web:
    <<: *shared
    image: nginx:${TAG:-1.27}
    ports: ["8080:80", 22:22]
    depends_on: {db: {condition: service_healthy}}
    networks: {front: {aliases: [www]}, default: }
    labels: {x-mine: kept}
    x-note: dropped
    x-iotistic: {state: paused, update_lock: true, secrets: [{source: pw, environment: PW}]}
  db:
    image: postgres:16
    user: "1000:1000"
    volumes: [data:/var/lib/postgresql/data]
    secrets: [{source: pw, target: /etc/pw, mode: 0400}]
    x-iotistic: {service_id: 2}
networks:
  front: {driver: bridge, x-note: dropped}
volumes:
  data:
secrets:
  pw: {environment: PW}
x-iotistic:
  app_id: 7
  release: r5
  strategy: {kind: hand-over, handover_timeout: 30s}
  verify: {timeout: 2m}
  lock: force
"""


def test_a_file_becomes_an_app_as_the_wire_has_it() -> None:
    found = app_of(SHOP, {"PW": "hush"}, app_id=7)

    web, db = found.app.pop("services")  # type: ignore[attr-defined]
    assert found.app == {
        "appId": 7,
        "appName": "shop",
        "networks": {"front": {"driver": "bridge"}},
        "volumes": {"data": {}},
        "secrets": {"pw": {"value": "hush"}},
        "release": "r5",
        "strategy": {"kind": "hand-over", "handover_timeout": "30s"},
        "verify": {"timeout": "2m"},
        "lock": "force",
    }
    assert web == {
        "serviceId": "web",
        "serviceName": "web",
        "imageName": "nginx:1.27",
        "state": "paused",
        "config": {
            "ports": ["8080:80", "22:22"],
            "depends_on": {"db": {"condition": "service_healthy"}},
            "networks": {"front": {"aliases": ["www"]}, "default": None},
            "labels": {"x-mine": "kept"},
            "restart": "on-failure:3",
            "logging": {"driver": "json-file", "options": {"max-size": "10m", "x-mine": "kept"}},
            "update_lock": True,
            "secrets": [{"source": "pw", "environment": "PW"}],
        },
    }
    assert (db["serviceId"], db["config"]["secrets"][0]["mode"]) == (2, 0o400)
    assert found.warnings == ()


def test_what_comes_out_is_what_the_parser_of_targets_made_of_it() -> None:
    found = app_of(SHOP, {"PW": "hush"}, app_id=7)

    assert parse_target({"apps": {"7": found.app}}).apps == (found.parsed,)


def test_a_bare_no_is_no_restart() -> None:
    assert service_of("restart: no")["config"] == {"restart": "no"}


def test_services_keep_the_ids_they_had() -> None:
    text = one_service("user: a") + "  new:\n    image: busybox\n"

    services = app_of(text, service_ids={"web": 1}).app["services"]

    assert [service["serviceId"] for service in services] == [1, "new"]


def test_the_name_is_what_the_caller_says_or_what_stands_in_the_file() -> None:
    assert app_of(one_service("tty: true")).parsed.app_name == "shop"
    assert app_of(one_service("tty: true"), app_name="store").parsed.app_name == "store"
    assert app_of(one_service("tty: true"), app_name="store").warnings == ()
    assert refusal("services: {web: {image: a}}").path == "name"


@pytest.mark.parametrize("field", sorted(elsewhere.REFUSED))
def test_what_a_device_cannot_do_is_refused_with_the_reason(field: str) -> None:
    document = {"name": "a", "services": {"web": {"image": "a", field: ["x"]}}}

    with pytest.raises(NotOnADevice) as refused:
        from_compose(document)

    assert refused.value.path == f"services.web.{field}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("scale: 2", "services.web.scale"),
        ("deploy: {replicas: 3}", "services.web.deploy.replicas"),
    ],
)
def test_more_than_one_of_a_service_is_refused(fields: str, path: str) -> None:
    error = refusal(one_service(fields))

    assert (type(error), error.path) == (NotOnADevice, path)


@pytest.mark.parametrize("field", ["configs", "include", "models"])
def test_whole_parts_that_a_device_has_not_are_refused(field: str) -> None:
    error = refusal(one_service("tty: true") + f"{field}: {{a: {{}}}}\n")

    assert (type(error), error.path) == (NotOnADevice, field)


@pytest.mark.parametrize("fields", ["profiles: []", "scale: 1", "deploy: {replicas: 1}", "links:"])
def test_what_says_nothing_is_no_reason_to_refuse(fields: str) -> None:
    assert app_of(one_service(fields)).warnings == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (one_service("ports: [99999:1]"), "services.web.ports[0]"),
        (one_service("networks: [a]\nnetwork_mode: host"), "services.web.networks"),
        (one_service("depends_on: [nope]"), "services.web.depends_on"),
        (one_service("x-iotistic: {state: asleep}"), "services.web.x-iotistic.state"),
        (one_service("x-iotistic: {service_id: [1]}"), "services.web.x-iotistic.service_id"),
        (one_service("x-iotistic: {update_lock: x}"), "services.web.x-iotistic.update_lock"),
        (one_service("healthcheck: {interval: x}"), "services.web.healthcheck.interval"),
        ("name: a\nservices: {web: {tty: true}}", "services.web.image"),
        ("name: a\nservices: {web: {image: 'A B'}}", "services.web.image"),
        ("name: a\nservices: {web: }", "services.web"),
        ("name: a\nservices: {we.b: {image: a, tty: 5}}", "services['we.b'].tty"),
        ("name: a\nservices: {'w b': {image: a}}", "services['w b']"),
        ("name: a/b\nservices: {web: {image: a}}", "name"),
        ("name: a\nservices: []", "services"),
        ("name: a", "services"),
        ("name: a\nservices: {web: {image: a}}\nvolumes: {v: {driver: 5}}", "volumes.v.driver"),
        ("name: a\nservices: {web: {image: a}}\nvolumes: {v: 5}", "volumes.v"),
        ("name: a\nservices: {web: {image: a}}\nsecrets: {s: {}}", "secrets.s.value"),
        ("name: a\nservices: {web: {image: a}}\nnetworks: []", "networks"),
        (one_service("tty: true") + "x-iotistic: {verify: 5}", "x-iotistic.verify"),
        (one_service("tty: true") + "x-iotistic: {strategy: x}", "x-iotistic.strategy"),
    ],
)
def test_what_the_parser_refuses_is_refused_by_its_place_in_the_file(text: str, path: str) -> None:
    error = refusal(text)

    assert error.path == path
    assert "apps.1001" not in str(error)


def test_a_sentence_that_names_another_place_names_it_in_the_file() -> None:
    error = refusal(one_service("cpus: 1\ndeploy: {resources: {limits: {cpus: 2}}}"))

    assert error.expected == "the same as services.web.cpus"


def test_the_value_of_a_secret_is_in_no_message() -> None:
    text = one_service("environment: ['hush hush=1']") + "secrets: {s: {value: 123456}}"

    assert "hush" not in str(refusal(text))
    assert "123456" not in str(refusal(text.replace("hush hush", "A")))


UNKNOWN = one_service("colour: red\nx-iotistic: {size: 1}") + "shape: round\n"
WARNED = {
    "shape: unknown field, ignored",
    "services.web.colour: unknown field, ignored",
    "services.web.x-iotistic.size: unknown field, ignored",
}


def test_fields_that_nobody_knows_are_warned_of() -> None:
    assert set(app_of(UNKNOWN).warnings) == WARNED


def test_fields_that_nobody_knows_are_refused_where_that_is_asked_for() -> None:
    left = UNKNOWN
    for field in ("size: 1", "shape: round", "colour: red"):
        assert refusal(left, strict=True).path.endswith(field.partition(":")[0])
        left = left.replace(field, "")
    assert app_of(left, strict=True).warnings == ()


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        ({"services": {}}, True),
        ({"services": {"a": None}, "apps": {}}, False),
        ({"services": []}, False),
        ({"apps": {}}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_compose_file_is_told_by_what_is_in_it(document: Any, is_one: bool) -> None:
    assert is_compose(document) is is_one


@pytest.mark.parametrize("document", [None, [], "text", {"services": {1: {}}}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(InvalidField):
        from_compose(document)

"""A target is read whole or refused with the path to the fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.model.errors import InvalidField
from iotistic.model.target import SERVICES_MAX, parse_target


def document(**service: Any) -> dict[str, Any]:
    """A target of one app with one service."""
    whole = {"serviceId": "1", "serviceName": "web", "imageName": "nginx:latest", "config": {}}
    return {
        "apps": {"1001": {"appId": 1001, "appName": "shop", "services": [whole | service]}},
        "config": {},
        "version": 3,
    }


def config(**fields: Any) -> dict[str, Any]:
    """A target of one service with this `config`."""
    return document(config=fields)


def test_a_target_of_the_wire_becomes_a_trusted_model() -> None:
    raw = document(
        state="paused",
        config={"image": "nginx:latest", "ports": ["80:80"], "volumes": ["data:/usr/share/html"]},
    )
    target = parse_target(raw)
    (app,) = target.apps
    (service,) = app.services
    assert (target.version, app.app_id, app.app_name) == (3, 1001, "shop")
    assert (service.service_id, service.state) == ("1", "paused")
    assert service.spec.image.canonical == "docker.io/library/nginx:latest"
    assert (service.spec.ports[0].host, service.spec.ports[0].container) == (80, 80)
    assert service.spec.volumes[0].source == "data"
    assert target.warnings == ()


@pytest.mark.parametrize(
    ("raw", "path", "expected"),
    [
        pytest.param(
            document(state="runing"),
            "apps.1001.services[0].state",
            "running, stopped, paused",
            id="a misspelt state",
        ),
        pytest.param(
            config(ports=["99999:80"]), "apps.1001.services[0].config.ports[0]", "65535", id="port"
        ),
        pytest.param(
            config(ports=["80-82:80-81"]),
            "apps.1001.services[0].config.ports[0]",
            "one length",
            id="ranges of different length",
        ),
        pytest.param(
            config(volumes=["/data"]),
            "apps.1001.services[0].config.volumes[0]",
            "NAME:/path",
            id="a volume without a name",
        ),
        pytest.param(
            config(volumes=["a:/x", "b:/x/"]),
            "apps.1001.services[0].config.volumes",
            "each target path once",
            id="two volumes on one path",
        ),
        pytest.param(
            config(volumes=["a:/x/../../etc"]),
            "apps.1001.services[0].config.volumes[0]",
            "'..'",
            id="a path that climbs",
        ),
        pytest.param(
            config(labels={"iotistic.device": "x"}),
            "apps.1001.services[0].config.labels",
            "no label that starts with",
            id="one of our own labels",
        ),
        pytest.param(
            config(restart="sometimes"),
            "apps.1001.services[0].config.restart",
            "on-failure",
            id="restart",
        ),
        pytest.param(
            config(network_mode="bridge", networks=["a"]),
            "apps.1001.services[0].config.networks",
            "no networks beside",
            id="mode and networks",
        ),
        pytest.param(
            config(command="echo 'open"),
            "apps.1001.services[0].config.command",
            "closed quotes",
            id="a command with an open quote",
        ),
        pytest.param(
            document(imageName="web::1"),
            "apps.1001.services[0].imageName",
            "image reference",
            id="an image nobody could pull",
        ),
        pytest.param(
            {"apps": {"7": {"appId": 8, "appName": "x", "services": []}}},
            "apps.7.appId",
            "the key it stands under",
            id="an id that is not its key",
        ),
        pytest.param(
            {"apps": {"7": {"appName": "x"}}}, "apps.7.services", "[] for none", id="no services"
        ),
        pytest.param({"apps": "all"}, "apps", "an object by app id", id="apps of a wrong type"),
        pytest.param({"apps": {}, "version": -1}, "version", "from 0", id="a negative version"),
        pytest.param({"version": 7}, "apps", "{} for none", id="a version, and no word of apps"),
        pytest.param({"apps": None, "version": 7}, "apps", "{} for none", id="nor with null"),
    ],
)
def test_a_fault_is_named_by_its_path(raw: Any, path: str, expected: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_target(raw)
    assert caught.value.path.startswith(path)
    assert expected in str(caught.value)


def test_a_wrong_environment_value_is_not_shown() -> None:
    with pytest.raises(InvalidField) as caught:
        parse_target(config(environment={"TOKEN": ["hunter2"]}))
    assert "TOKEN" in caught.value.path
    assert "hunter2" not in str(caught.value)


def test_values_of_the_environment_do_not_show_in_a_printed_target() -> None:
    target = parse_target(config(environment={"TOKEN": "hunter2"}))
    assert "hunter2" not in repr(target)
    assert target.apps[0].services[0].spec.environment[0][1].reveal() == "hunter2"


def test_unknown_fields_are_named_and_ignored() -> None:
    raw = config(privileged_mode=True)
    raw["apps"]["1001"]["colour"] = "red"
    assert parse_target(raw).warnings == (
        "apps.1001.services[0].config.privileged_mode: unknown field, ignored",
        "apps.1001.colour: unknown field, ignored",
    )


def test_a_misspelled_field_is_told_with_what_was_meant() -> None:
    raw = config(enviroment={"A": "1"})
    told = "apps.1001.services[0].config.enviroment: unknown field, ignored (environment?)"
    assert parse_target(raw).warnings == (told,)
    with pytest.raises(InvalidField) as caught:
        parse_target({**raw, "strict": True})
    assert caught.value.remedy == "correct its name (environment?), or remove it"


@pytest.mark.parametrize("no", [False, "no", ""])
def test_restart_no_means_no_however_yaml_reads_it(no: Any) -> None:
    spec = parse_target(config(restart=no)).apps[0].services[0].spec
    assert spec.restart.name == "no"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ports": ["80:80", "443:443/tcp"]}, {"ports": ["443:443", "0.0.0.0:80:80/tcp"]}),
        ({"ports": ["8000-8001:80-81"]}, {"ports": ["8000:80", "8001:81"]}),
        ({"ports": [{"target": 80, "published": "8080"}]}, {"ports": ["8080:80"]}),
        ({"environment": ["A=1", "B=x=y"]}, {"environment": {"B": "x=y", "A": 1}}),
        ({"command": "echo 'a b'"}, {"command": ["echo", "a b"]}),
        ({"volumes": ["d:/x/"]}, {"volumes": [{"type": "volume", "source": "d", "target": "/x"}]}),
        ({"networks": ["b", "a"]}, {"networks": {"a": None, "b": {}}}),
        ({"workingDir": "/srv/"}, {"working_dir": "/srv"}),
        ({"networkMode": "none"}, {"network_mode": "none"}),
        ({"labels": ["a=1", "b"]}, {"labels": {"b": "", "a": "1"}}),
    ],
)
def test_two_ways_to_write_the_same_are_the_same(one: Any, other: Any) -> None:
    assert parse_target(config(**one)).apps == parse_target(config(**other)).apps


def test_a_list_of_apps_is_as_good_as_a_map() -> None:
    mapped = document()
    listed = mapped | {"apps": list(mapped["apps"].values())}
    assert parse_target(listed) == parse_target(mapped)


def test_a_target_beyond_the_limits_is_refused() -> None:
    service = document()["apps"]["1001"]["services"][0]
    many = [service | {"serviceId": n, "serviceName": f"s{n}"} for n in range(SERVICES_MAX + 1)]
    raw = {"apps": {"1": {"appName": "big", "services": many}}}
    with pytest.raises(InvalidField, match="at most 1000 services"):
        parse_target(raw)


def fault_of(raw: Any) -> InvalidField | None:
    """Why a document is no target, None when it is one. Nothing else may come out."""
    try:
        parse_target(raw)
    except InvalidField as error:
        return error
    return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(json_values, st.sampled_from(("apps", "version", "config", "target_epoch")))
def test_whatever_arrives_is_a_target_or_an_invalid_field(value: Any, field: str) -> None:
    fault = fault_of({field: value})
    assert fault is None or fault.path


@given(
    st.sampled_from(
        ("image", "command", "environment", "labels", "ports", "volumes", "networks", "restart",
         "network_mode", "working_dir", "user", "hostname")
    ),
    json_values,
)  # fmt: skip
def test_whatever_a_service_says_is_read_or_an_invalid_field(field: str, value: Any) -> None:
    fault = fault_of(config(**{field: value}))
    assert fault is None or fault.path.startswith("apps.1001.services[0]")

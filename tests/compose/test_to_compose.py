"""An app as a compose file, and back again without a loss."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.compose import from_compose, read_yaml, resolved, to_compose, yaml_text
from iotistic.model.errors import MASK, InvalidField
from iotistic.model.target import AppTarget, parse_target


def app(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"appId": 7, "appName": "shop", "services": list(services), **more}


def service(name: str = "web", service_id: Any = None, **config: Any) -> dict[str, Any]:
    return {
        "serviceId": name if service_id is None else service_id,
        "serviceName": name,
        "imageName": "nginx:1.27",
        "config": config,
    }


def parsed(wire: Any) -> AppTarget:
    return parse_target({"apps": {"7": wire}}).apps[0]


def there_and_back(wire: Any, **variables: str) -> AppTarget:
    """Through the text of a compose file."""
    text = yaml_text(to_compose(wire).document)
    document = resolved(read_yaml(text).value, variables=variables).document
    return from_compose(document, app_id=7).parsed


def test_an_app_becomes_a_file_that_a_person_can_read() -> None:
    wire = app(
        service(
            service_id="1",
            environment={"MODE": "shop", "TOKEN": MASK},
            command="echo $HOME",
            stopTimeout=30,
            update_lock=True,
            secrets=["pw", {"source": "pw", "environment": "PW"}],
        ),
        networks=[{"name": "front", "driver": "bridge"}],
        secrets={"pw": {"value": MASK}},
        lock="force",
    )

    found = to_compose(wire)

    assert yaml_text(found.document) == (
        "name: shop\n"
        "services:\n"
        "  web:\n"
        "    image: nginx:1.27\n"
        "    command: echo $$HOME\n"
        "    stop_grace_period: 30s\n"
        "    environment:\n"
        "      MODE: shop\n"
        "      TOKEN: ${TOKEN}\n"
        "    secrets:\n"
        "    - pw\n"
        "    x-iotistic:\n"
        "      service_id: '1'\n"
        "      update_lock: true\n"
        "      secrets:\n"
        "      - source: pw\n"
        "        environment: PW\n"
        "networks:\n"
        "  front:\n"
        "    driver: bridge\n"
        "secrets:\n"
        "  pw:\n"
        "    environment: PW\n"
        "x-iotistic:\n"
        "  app_id: 7\n"
        "  lock: force\n"
    )
    assert found.variables == ("TOKEN", "PW")


def test_no_secret_of_the_app_is_written() -> None:
    wire = app(service(secrets=["pw"]), secrets={"pw": {"value": "hush-hush"}})

    found = to_compose(wire)

    assert "hush" not in str(found)
    assert there_and_back(wire, PW="hush-hush") == parsed(wire)


def test_everything_that_is_masked_gets_a_variable_of_its_own() -> None:
    wire = app(
        service("web", environment={"KEY": MASK, "LEVEL": MASK}),
        service("d-b", environment={"KEY": MASK}, labels={"token": MASK}),
        service("d_b", environment={"KEY": MASK}),
        volumes={"v": {"driver_opts": {"o": MASK}}},
    )

    found = to_compose(wire)

    assert sorted(found.variables) == ["D_B_KEY", "D_B_KEY_2", "KEY", "LEVEL", "O", "TOKEN"]
    services = found.document["services"]
    assert services["d-b"]["environment"] == {"KEY": "${D_B_KEY}"}
    assert services["d-b"]["labels"] == {"token": "${TOKEN}"}
    assert found.document["volumes"]["v"]["driver_opts"] == {"o": "${O}"}


OLDER: list[dict[str, Any]] = [
    {"workingDir": "/a", "readonlyRootfs": True, "stopSignal": "SIGINT", "restart": False},
    {"networkMode": "host", "restart": "on-failure:3"},
    {"resources": {"limits": {"cpu": "0.5", "memory": "64Mi"}, "requests": {"memory": "16Mi"}}},
    {"resources": {"limits": {"cpu": 1}}, "deploy": {"resources": {"limits": {"memory": "64M"}}}},
    {"environment": ["A=1", "B", "C=a=b"], "labels": ["x=1"], "user": "1"},
    {"volumes": [{"type": "volume", "source": "v", "target": "/v", "read_only": True}]},
    {"healthcheck": {"test": ["CMD", "a"], "interval": 5, "timeout": "1s", "start_period": 2.5}},
    {"labels": {"timeout": "5", "workingDir": "x"}, "sysctls": {"net.core.somaxconn": 5}},
    {"tmpfs": ["/t:size=64m"], "ulimits": {"nofile": {"soft": 1, "hard": 2}}, "command": []},
]


@pytest.mark.parametrize("config", OLDER, ids=",".join)
def test_older_spellings_become_those_of_compose(config: dict[str, Any]) -> None:
    wire = app(service(**config))

    assert there_and_back(wire) == parsed(wire)


@pytest.mark.parametrize("wire", [{}, {"appId": 1, "appName": "a", "services": [5]}, {"appId": 1}])
def test_what_is_no_app_is_refused(wire: Any) -> None:
    with pytest.raises(InvalidField):
        to_compose(wire)


words = st.text("abc$ {}:#'\"-\né0", min_size=1, max_size=12)
values = words | st.integers(0, 99) | st.booleans()
configs = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(st.sampled_from("ABC"), values, max_size=3),
        "labels": st.dictionaries(st.sampled_from(["a", "b.c", "timeout"]), values, max_size=3),
        "command": st.lists(words, max_size=3),
        "entrypoint": st.lists(words, max_size=2),
        "restart": st.sampled_from(["no", "always", "on-failure:2"]),
        "stop_grace_period": st.integers(1, 99) | st.just("1m30s"),
        "ports": st.lists(st.sampled_from(["80", "81:81", "127.0.0.1:82:82/udp"]), max_size=2),
        "tty": st.booleans(),
        "read_only": st.booleans(),
        "mem_limit": st.just("64m"),
        "cpus": st.sampled_from([0.5, "1.5"]),
        "volumes": st.just(["data:/data:ro", "/etc:/host:ro"]),
        "networks": st.sampled_from([["front"], {"front": {"aliases": ["w"]}, "back": {}}]),
        "secrets": st.sampled_from([["pw"], [{"source": "pw", "environment": "PW"}]]),
        "update_lock": st.booleans(),
        "pull_policy": st.sampled_from(["always", "never"]),
        "logging": st.just({"driver": "json-file", "options": {"max-size": "1m"}}),
    },
)
apps = st.builds(
    lambda first, second, ids, states, more: app(
        {**service("web", ids[0], **first), **states[0]},
        {**service("db", ids[1], **second, depends_on=["web"]), **states[1]},
        secrets={"pw": {"value": "hush"}},
        **more,
    ),
    configs,
    configs,
    st.sampled_from([("web", "db"), (1, 2), ("1", "2"), ("db", "web")]),
    st.tuples(*[st.sampled_from([{}, {"state": "running"}, {"state": "paused"}])] * 2),
    st.fixed_dictionaries(
        {},
        optional={
            "networks": st.just({"front": {"internal": True}, "back": None}),
            "volumes": st.sampled_from([[{"name": "data", "driver": "local"}], {"data": {}}]),
            "release": st.sampled_from(["r1", "$r"]) | st.just({"commit": "abc"}),
            "strategy": st.sampled_from(["hand-over", {"kind": "kill-then-download"}]),
            "verify": st.just({"timeout": "2m", "min_healthy_s": 5, "on_failure": "keep"}),
            "lock": st.just("force"),
        },
    ),
)


@given(apps)
def test_there_and_back_an_app_means_the_same(wire: Any) -> None:
    assert there_and_back(wire, PW="hush") == parsed(wire)

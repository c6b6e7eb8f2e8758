"""What cannot be used is refused, with the path to it and what would do instead."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.model.errors import InvalidField
from iotistic.model.target import parse_target
from tests.model.vocabulary.builders import CONFIG, document, fault_of, read

param = pytest.param
KNOWN = {"cert": {"value": "x"}}


@pytest.mark.parametrize(
    ("config", "path", "expected"),
    [
        param({"mem_limit": "12 apples"}, "mem_limit", "512m", id="size"),
        param({"mem_limit": True}, "mem_limit", "size", id="a switch for a size"),
        param({"mem_limit": "5m"}, "mem_limit", "6291456", id="less than an engine takes"),
        param({"mem_limit": "9999999g"}, "mem_limit", "at most", id="more than anybody has"),
        param({"memswap_limit": "1g"}, "memswap_limit", "mem_limit", id="swap without memory"),
        param(
            {"mem_limit": "1g", "memswap_limit": "512m"}, "memswap_limit", "part of it", id="swap"
        ),
        param(
            {"mem_limit": "64m", "mem_reservation": "65m"}, "mem_reservation", "at most", id="more"
        ),
        param(
            {"mem_limit": "64m", "deploy": {"resources": {"limits": {"memory": "65m"}}}},
            "deploy.resources.limits.memory",
            "the same as",
            id="two limits that disagree",
        ),
        param({"cpus": 0.5, "cpu_quota": 5000}, "cpu_quota", "beside cpus", id="cpus and quota"),
        param({"cpus": -1}, "cpus", "0.5", id="less than no processor"),
        param({"cpuset": "3-1"}, "cpuset", "0-2,4", id="a falling range"),
        param({"cpuset": "0-99999"}, "cpuset", "0-2,4", id="too many processors"),
        param({"pids_limit": -2}, "pids_limit", "from -1", id="pids"),
        param({"ulimits": {"nofile": {"soft": 2, "hard": 1}}}, "ulimits.nofile.soft", "1", id="u"),
        param({"ulimits": {"nofile": {"soft": 2}}}, "ulimits.nofile.hard", "number", id="half"),
        param({"deploy": {"replicas": 2}}, "deploy.replicas", "1", id="replicas"),
        param({"stop_grace_period": "soon"}, "stop_grace_period", "1m30s", id="span"),
        param({"stop_grace_period": "400d"}, "stop_grace_period", "366 days", id="a long span"),
        param({"stop_signal": "SIGNOTHING"}, "stop_signal", "SIGTERM", id="signal"),
        param({"stop_signal": 99}, "stop_signal", "SIGTERM", id="signal number"),
        param({"healthcheck": {"test": ["curl", "x"]}}, "healthcheck.test", "CMD", id="test"),
        param({"healthcheck": {"test": ["CMD"]}}, "healthcheck.test", "CMD", id="empty test"),
        param({"healthcheck": {"retries": -1}}, "healthcheck.retries", "from 0", id="retries"),
        param({"ports": ["8080:80", "8080:81"]}, "ports[1]", "port 80", id="a host port twice"),
        param(
            {"ports": ["127.0.0.1:53:1/udp", "53:2/udp"]}, "ports[1]", "port 1", id="all and one"
        ),
        param({"platform": "arm"}, "platform", "linux/arm64", id="platform"),
        param({"pull_policy": "build"}, "pull_policy", "missing", id="pull policy"),
        param({"tty": "yes"}, "tty", "true or false", id="a text for a switch"),
        param({"cap_add": ["net admin"]}, "cap_add[0]", "NET_ADMIN", id="capability"),
        param({"security_opt": ["x=y"]}, "security_opt[0]", "seccomp", id="security option"),
        param(
            {"security_opt": ["seccomp=/etc/profile.json"]},
            "security_opt[0]",
            "JSON",
            id="a profile in a file",
        ),
        param({"security_opt": ["seccomp={"]}, "security_opt[0]", "JSON", id="half a profile"),
        param({"pid": "service:s1"}, "pid", "host", id="the processes of another service"),
        param({"ipc": "everybody"}, "ipc", "shareable", id="ipc"),
        param({"userns_mode": "me"}, "userns_mode", "host", id="users"),
        param({"devices": ["dev/a"]}, "devices[0]", "absolute", id="device"),
        param({"devices": ["/dev/a:/dev/b:rwx"]}, "devices[0]", "HOST_PATH", id="permissions"),
        param({"devices": ["/dev/a", "/dev/b:/dev/a"]}, "devices", "once", id="two on one path"),
        param({"device_cgroup_rules": ["c 1"]}, "device_cgroup_rules[0]", "c 13", id="rule"),
        param({"gpus": [{"count": 1, "device_ids": ["0"]}]}, "gpus[0].count", "one of", id="both"),
        param(
            {"deploy": {"resources": {"reservations": {"devices": [{"count": 1}]}}}},
            "deploy.resources.reservations.devices[0].capabilities",
            "[gpu]",
            id="devices that can do nothing",
        ),
        param({"networks": {"a b": None}}, "networks", "letters", id="network name"),
        param(
            {"networks": {"a": {"ipv4_address": "::1"}}},
            "networks.a.ipv4_address",
            "IPv4",
            id="the other version",
        ),
        param({"network_mode": "vpn"}, "network_mode", "service:NAME", id="network mode"),
        param({"network_mode": "service:db"}, "network_mode", "another service", id="unknown"),
        param(
            {"network_mode": "container:x", "ports": [80]}, "ports", "container:x", id="ports of it"
        ),
        param({"mac_address": "02:42"}, "mac_address", "02:42:ac", id="mac"),
        param({"dns": ["one.example"]}, "dns[0]", "IP address", id="dns"),
        param({"extra_hosts": ["a"]}, "extra_hosts[0]", "IP address", id="host without address"),
        param({"ports": ["80:90-91"]}, "ports[0]", "one length", id="ranges"),
        param({"ports": [{"published": 1}]}, "ports[0].target", "port", id="no target"),
        param({"ports": ["1-65535"]}, "ports[0]", "1000", id="a thousand ports and more"),
        param({"volumes": ["/data"]}, "volumes[0]", "NAME:/path", id="a volume without a name"),
        param({"volumes": ["./x:/y"]}, "volumes[0]", "absolute", id="a path beside nothing"),
        param({"volumes": ["a:/x:ro,rw"]}, "volumes[0]", "NAME:/path", id="ro and rw"),
        param({"volumes": ["a:/x:shared"]}, "volumes[0]", "path of the host", id="propagation"),
        param({"volumes": ["a:/x"], "tmpfs": "/x/"}, "volumes", "once", id="two on one path"),
        param(
            {"volumes": [{"type": "npipe", "source": "a", "target": "/x"}]},
            "volumes[0].type",
            "tmpfs",
            id="a kind of volume",
        ),
        param(
            {"volumes": [{"source": "a", "target": "/x", "volume": {"subpath": "b"}}]},
            "volumes[0].volume.subpath",
            "whole",
            id="part of a volume",
        ),
        param({"tmpfs": "/x:size=big"}, "tmpfs", "512m", id="tmpfs size"),
        param({"tmpfs": "/x:mode=999"}, "tmpfs", "0440", id="tmpfs mode"),
        param({"labels": ["iotistic.app-id=1"]}, "labels[0]", "no label", id="one of our labels"),
        param({"secrets": ["cert"]}, "secrets", "secrets of the app", id="unknown secret"),
        param({"depends_on": ["db"]}, "depends_on", "another service", id="unknown service"),
        param({"depends_on": ["web"]}, "depends_on", "order", id="depends on itself"),
        param(
            {"depends_on": {"web": {"condition": "done"}}},
            "depends_on.web.condition",
            "service_healthy",
            id="condition",
        ),
        param({"build": "."}, "build", "builds no images", id="build"),
        param({"links": ["db"]}, "links", "by name", id="links"),
        param({"extends": {"service": "x"}}, "extends", "no such file", id="extends"),
        param({"profiles": ["debug"]}, "profiles", "all services", id="profiles"),
        param({"env_file": ".env"}, "env_file", "no such file", id="env file"),
        param({"configs": ["a"]}, "configs", "no such files", id="configs"),
        param({"scale": 3}, "scale", "runs a service once", id="scale"),
        param({"logging": {"driver": "a b"}}, "logging.driver", "driver", id="log driver"),
    ],
)
def test_a_fault_of_a_service_is_named_by_its_path(config: Any, path: str, expected: str) -> None:
    fault = fault_of(config)

    assert fault.path == f"{CONFIG}.{path}"
    assert expected in str(fault)


@pytest.mark.parametrize(
    ("app", "path", "expected"),
    [
        param({"networks": {"a": {"ipam": {"config": [{"gateway": "10.0.0.1"}]}}}},
              "networks.a.ipam.config[0].subnet", "172.28", id="a pool without a range"),
        param({"networks": {"a": {"ipam": {"config": [
                  {"subnet": "10.0.0.0/24", "gateway": "10.1.0.1"}]}}}},
              "networks.a.ipam.config[0].gateway", "10.0.0.0/24", id="a gateway elsewhere"),
        param({"networks": {"a": {"external": True, "driver": "macvlan"}}},
              "networks.a.driver", "others make it", id="more beside external"),
        param({"networks": [{"driver": "bridge"}]}, "networks[0].name", "a name", id="no name"),
        param({"networks": [{"name": "a"}, {"name": "a"}]}, "networks", "once", id="twice"),
        param({"volumes": {"a": {"name": "no blanks"}}}, "volumes.a.name", "engine", id="name"),
        param({"secrets": {"a": {"file": "./a"}}}, "secrets.a.file", "value itself", id="file"),
        param({"secrets": {"a": {}}}, "secrets.a.value", "a text", id="no value"),
        param({"strategy": "big-bang"}, "strategy", "hand-over", id="strategy"),
        param({"strategy": {"kind": "hand-over", "handover_timeout": "2d"}},
              "strategy.handover_timeout", "at most", id="a long hand-over"),
        param({"verify": {"timeout": "5s", "min_healthy_s": 10}},
              "verify.min_healthy_s", "less than timeout", id="healthy for longer than watched"),
        param({"verify": {"on_failure": "panic"}}, "verify.on_failure", "rollback", id="verdict"),
        param({"lock": "maybe"}, "lock", "respect", id="lock"),
        param({"release": {"id": ["x"]}}, "release.id", "short text", id="release"),
    ],
)  # fmt: skip
def test_a_fault_of_an_app_is_named_by_its_path(app: Any, path: str, expected: str) -> None:
    fault = fault_of({}, **app)

    assert fault.path == f"apps.1001.{path}"
    assert expected in str(fault)


@pytest.mark.parametrize(
    ("uses", "config", "expected"),
    [
        param([{"source": "cert", "environment": "A"}], {"environment": {"A": "1"}}, "A", id="env"),
        param(["cert"], {"tmpfs": "/run/secrets/cert"}, "nothing else", id="path taken"),
        param(["cert", {"source": "cert", "target": "b"}], {}, "once", id="twice as a file"),
        param([{"source": "cert", "mode": "0999"}], {}, "0440", id="mode"),
        param([{"source": "cert", "environment": "A", "mode": 1}], {}, "beside", id="both"),
        param([{"source": "cert", "target": "../x"}], {}, "..", id="a path that climbs"),
    ],
)
def test_a_use_of_a_secret_that_cannot_be_is_refused(uses: Any, config: Any, expected: str) -> None:
    fault = fault_of({**config, "secrets": uses}, secrets=KNOWN)

    assert fault.path.startswith(f"{CONFIG}.secrets")
    assert expected in str(fault)


@pytest.mark.parametrize(
    ("configs", "circle"),
    [
        param(
            [{"depends_on": ["s1"]}, {"depends_on": ["s2"]}, {"depends_on": ["web"]}],
            "web -> s1 -> s2 -> web",
            id="a circle of three",
        ),
        param(
            [{"depends_on": ["s1"]}, {"network_mode": "service:web"}],
            "web -> s1 -> web",
            id="a circle through a shared network",
        ),
        param(
            [
                {"depends_on": {"s1": {"required": False}}},
                {"depends_on": {"web": {"required": False}}},
            ],
            "web -> s1 -> web",
            id="a circle of those that may be missing",
        ),
    ],
)
def test_services_that_wait_for_each_other_are_refused(configs: Any, circle: str) -> None:
    fault = fault_of(*configs)

    assert circle in str(fault)
    assert fault.path == f"{CONFIG}.depends_on"


def test_a_chain_as_long_as_an_app_may_be_is_read() -> None:
    chain = [{"depends_on": [f"s{n + 1}"]} for n in range(998)]

    assert len(read(*chain, {}).apps[0].services) == 999


@pytest.mark.parametrize(
    ("config", "app"),
    [
        param({"update_lock": True}, {}, id="a service that may hold updates off"),
        param({}, {"strategy": "hand-over"}, id="an app that is handed over"),
    ],
)
def test_nothing_is_mounted_where_a_service_and_the_agent_speak(config: Any, app: Any) -> None:
    mounts = {"volumes": ["data:/run/iotistic"]}

    assert fault_of({**config, **mounts}, **app).path == f"{CONFIG}.volumes"
    assert read(mounts).apps[0].services[0].spec.volumes


def test_a_network_can_only_be_shared_with_the_service_that_has_it() -> None:
    fault = fault_of({"network_mode": "service:s1"}, {"network_mode": "service:s2"}, {})

    assert fault.path == f"{CONFIG}.network_mode"
    assert "service:s2" in str(fault)


@pytest.mark.parametrize(
    ("config", "app"),
    [
        param({"environment": {"TOKEN": ["hunter2"]}}, {}, id="a list for a value"),
        param({"environment": ["hunter2 with blanks"]}, {}, id="a line without a name"),
        param({"environment": "TOKEN=hunter2"}, {}, id="a text for the whole"),
        param({"labels": {"db.password": ["hunter2"]}}, {}, id="a label that sounds secret"),
        param(
            {"logging": {"driver": "x", "options": {"token": {"a": "hunter2"}}}},
            {},
            id="an option that sounds secret",
        ),
        param({}, {"secrets": {"a": "hunter2"}}, id="a text for a secret"),
        param({}, {"secrets": {"a": {"value": ["hunter2"]}}}, id="a list for a secret's value"),
        param({}, {"secrets": ["hunter2"]}, id="a list of secrets"),
        param({}, {"secrets": {"a": {"value": "hunter2\0"}}}, id="a secret with a zero"),
    ],
)
def test_what_may_be_a_secret_is_not_shown_in_a_fault(config: Any, app: Any) -> None:
    assert "hunter2" not in str(fault_of(config, **app))


def test_what_may_be_a_secret_is_not_shown_in_a_warning() -> None:
    (warning,) = read({"environment": ["TOKEN:hunter2"]}).warnings

    assert warning == f"{CONFIG}.environment[0]: has no value, ignored"


def test_values_of_secrets_do_not_show_in_a_printed_target() -> None:
    target = read({"secrets": ["a"]}, secrets={"a": {"value": "hunter2"}})

    assert "hunter2" not in repr(target)
    assert target.apps[0].secrets[0][1].reveal() == "hunter2"


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        param({"container_name": "web"}, "container_name", id="a name of its own"),
        param({"privileged_mode": True}, "privileged_mode", id="a field nobody knows"),
        param({"deploy": {"mode": "global"}}, "deploy.mode", id="deeper"),
        param({"healthcheck": {"tests": "x"}}, "healthcheck.tests", id="a misspelt one"),
        param({"livenessProbe": {"type": "http"}}, "livenessProbe", id="a probe"),
    ],
)
def test_what_is_not_applied_is_a_warning_and_in_a_strict_target_an_error(
    config: Any, warned: str
) -> None:
    (warning,) = read(config).warnings
    assert warning.startswith(f"{CONFIG}.{warned}: ")

    assert fault_of(config, strict=True).path == f"{CONFIG}.{warned}"


def test_a_target_can_say_itself_that_it_is_strict() -> None:
    raw = document({"container_name": "web"})

    assert parse_target({**raw, "strict": False}).warnings
    with pytest.raises(Exception, match="container_name"):
        parse_target({**raw, "strict": True})


def test_what_is_its_writers_own_is_no_warning_even_when_strict() -> None:
    raw = document({"x-note": 1}, **{"x-more": {}})

    assert parse_target({**raw, "x-top": 1}, strict=True).warnings == ()


def test_a_target_that_goes_wrong_everywhere_is_warned_of_in_bounds() -> None:
    assert len(read({f"field{n}": 1 for n in range(5000)}).warnings) == 200


@pytest.mark.parametrize(
    "ports",
    [
        ["8080:80", "8080:80/udp"],
        ["127.0.0.1:8080:80", "127.0.0.2:8080:81"],
        ["8080:80", "8081:80"],
        ["8080:80", "0.0.0.0:8080:80"],
        ["80", "80"],
    ],
)
def test_ports_that_do_not_meet_are_taken(ports: list[str]) -> None:
    assert len(read({"ports": ports}).apps) == 1


def test_a_name_without_end_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidField) as caught:
        parse_target({"apps": {"9" * 5000: {"appId": 1}}})
    assert len(str(caught.value)) < 400


def test_every_service_that_is_wrong_is_told_at_once() -> None:
    services = [
        {"serviceId": n, "serviceName": f"s{n}", "imageName": "web:1", "config": config}
        for n, config in enumerate(({"tty": "yes"}, {}, {"stop_signal": "SIGNOTHING"}))
    ]
    app = {"appId": 1001, "appName": "shop", "services": services}
    with pytest.raises(InvalidField) as caught:
        parse_target({"apps": {"1001": app}})
    assert [fault.path for fault in caught.value.all] == [
        "apps.1001.services[0].config.tty",
        "apps.1001.services[2].config.stop_signal",
    ]
    (other,) = caught.value.details()["more"]
    assert other["path"].endswith("stop_signal")


def test_of_very_many_faults_twenty_are_told() -> None:
    services = [{"serviceId": n} for n in range(100)]
    app = {"appId": 1001, "appName": "shop", "services": services}
    with pytest.raises(InvalidField) as caught:
        parse_target({"apps": {"1001": app}})
    assert len(caught.value.all) == 20

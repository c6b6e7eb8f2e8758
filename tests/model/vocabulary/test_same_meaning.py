"""Two ways to write the same are the same afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.model.service import ServiceSpec
from tests.model.vocabulary.builders import app_of, service_of, spec_of

param = pytest.param
GPU = {"capabilities": ["gpu"]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # process
        param({"command": "echo 'a b'"}, {"command": ["echo", "a b"]}, id="command"),
        param({"user": 1000}, {"user": "1000"}, id="user by number"),
        param({"working_dir": "/srv//app/"}, {"workingDir": "/srv/app"}, id="working dir"),
        param({"stop_signal": "SIGTERM"}, {"stopSignal": 15}, id="signal by number"),
        param({"stop_signal": "term"}, {"stop_signal": "15"}, id="signal without SIG"),
        param({"stop_signal": 36}, {"stop_signal": "RTMIN+2"}, id="real-time signal"),
        param({"stop_grace_period": "1m30s"}, {"stopTimeout": 90}, id="grace in seconds"),
        param({"stop_grace_period": "1.5s"}, {"stop_grace_period": "1500ms"}, id="grace in ms"),
        param({"restart": False}, {"restart": "no"}, id="a bare no of YAML"),
        param({"restart": "unless-stopped"}, {}, id="no restart policy"),
        param({"read_only": True}, {"readonlyRootfs": True}, id="read only"),
        param({"annotations": ["a=1"]}, {"annotations": {"a": 1}}, id="annotations"),
        # health
        param(
            {"healthcheck": {"test": "curl x", "interval": "1m"}},
            {"healthcheck": {"test": ["CMD-SHELL", "curl x"], "interval": 60}},
            id="health check as a text",
        ),
        param(
            {"healthcheck": {"disable": True, "interval": "5s"}},
            {"healthcheck": {"test": ["NONE"]}},
            id="no health check",
        ),
        param({"healthcheck": {"test": "NONE"}}, {"healthcheck": {"disable": True}}, id="NONE"),
        param(
            {"healthcheck": {"test": "x", "interval": 0, "retries": 0}},
            {"healthcheck": {"test": "x"}},
            id="health check with zeros",
        ),
        param({"healthcheck": {}}, {}, id="health check that says nothing"),
        # resources
        param({"mem_limit": "512m"}, {"mem_limit": 536870912}, id="memory"),
        param({"mem_limit": "512MiB"}, {"mem_limit": "524288k"}, id="memory in other units"),
        param({"mem_limit": "1.5g"}, {"mem_limit": "1536M"}, id="memory, a fraction"),
        param(
            {"mem_limit": "512m", "cpus": 0.5, "pids_limit": 9, "mem_reservation": "64m"},
            {
                "deploy": {
                    "resources": {
                        "limits": {"cpus": "0.50", "memory": "512M", "pids": 9},
                        "reservations": {"memory": "64M"},
                    }
                }
            },
            id="limits under deploy",
        ),
        param(
            {"mem_limit": "512m", "cpus": "0.5", "mem_reservation": "256m"},
            {
                "resources": {
                    "limits": {"cpu": "500m", "memory": "512M"},
                    "requests": {"memory": "256Mi"},
                }
            },
            id="limits under resources",
        ),
        param(
            {"mem_limit": "64m", "resources": {"limits": {"memory": "64Mi"}}},
            {"mem_limit": "64m"},
            id="a limit said twice alike",
        ),
        param(
            {
                "mem_limit": 0, "memswap_limit": "", "cpus": 0, "pids_limit": -1, "shm_size": 0,
                "cpu_shares": 0, "cpu_quota": -1, "mem_swappiness": -1, "oom_score_adj": 0,
                "cpuset": "", "mem_reservation": "0",
            },
            {},
            id="what compose takes for unset",
        ),
        param({"cpuset": "3,0-1,2"}, {"cpuset": "0-3"}, id="processors"),
        param({"cpu_quota": "50ms"}, {"cpu_quota": 50000}, id="quota"),
        param(
            {"ulimits": {"nofile": 1024}},
            {"ulimits": {"nofile": {"soft": 1024, "hard": 1024}}},
            id="ulimit as one number",
        ),
        param({"ulimits": {"core": -1}}, {"ulimits": {"core": "-1"}}, id="no ulimit"),
        # security
        param(
            {"cap_add": ["cap_net_admin", "NET_ADMIN"]}, {"cap_add": ["NET_ADMIN"]}, id="caps"
        ),
        param({"cap_drop": ["all"]}, {"cap_drop": "ALL"}, id="all caps"),
        param(
            {"security_opt": ["no-new-privileges"]},
            {"security_opt": ["no-new-privileges:true"]},
            id="no new privileges",
        ),
        param(
            {"security_opt": ["label:disable"]}, {"security_opt": ["label=disable"]}, id="label"
        ),
        param(
            {"security_opt": ['seccomp={"b": 1, "a": 2}']},
            {"security_opt": ['seccomp:{"a":2,"b":1}']},
            id="a seccomp profile",
        ),
        param({"group_add": [20, "audio"]}, {"group_add": ["audio", "20"]}, id="groups"),
        param(
            {"sysctls": ["net.core.somaxconn=1024"]},
            {"sysctls": {"net/core/somaxconn": 1024}},
            id="sysctls",
        ),
        # hardware
        param(
            {"devices": ["/dev/a"]},
            {"devices": [{"source": "/dev/a", "target": "/dev/a", "permissions": "mrw"}]},
            id="device",
        ),
        param({"devices": ["/dev/a:r"]}, {"devices": ["/dev/a:/dev/a:r"]}, id="device to read"),
        param(
            {"device_cgroup_rules": ["c 13:* mrw"]},
            {"device_cgroup_rules": ["c 13:* rwm"]},
            id="device rule",
        ),
        param({"gpus": "all"}, {"gpus": [{"count": "all"}]}, id="all graphics cards"),
        param(
            {"gpus": [{"driver": "nvidia", "count": 2}]},
            {
                "deploy": {
                    "resources": {
                        "reservations": {"devices": [{"driver": "nvidia", "count": 2, **GPU}]}
                    }
                }
            },
            id="graphics cards under deploy",
        ),
        # networks
        param({"networks": ["b", "a"]}, {"networks": {"a": None, "b": {}}}, id="networks"),
        param(
            {"networks": {"a": {"aliases": ["y", "x", "x"]}}},
            {"networks": {"a": {"aliases": ["x", "y"]}}},
            id="aliases",
        ),
        param({"networkMode": "none"}, {"network_mode": "none"}, id="network mode"),
        param(
            {"mac_address": "02-42-AC-11-00-02"}, {"mac_address": "02:42:ac:11:00:02"}, id="mac"
        ),
        param({"dns": "8.8.8.8"}, {"dns": ["8.8.8.8"]}, id="one name server"),
        param({"dns_opt": ["b", "a"]}, {"dns_opt": ["a", "b"]}, id="resolver options"),
        param(
            {"extra_hosts": ["a:1.2.3.4", "b=::1", "c:host-gateway"]},
            {"extra_hosts": {"a": "1.2.3.4", "b": ["[::1]"], "c": "host-gateway"}},
            id="hosts",
        ),
        # ports
        param({"ports": ["80:80", "443:443/tcp"]}, {"ports": ["443:443", "0.0.0.0:80:80"]}, id="p"),
        param({"ports": ["8000-8001:80-81"]}, {"ports": ["8000:80", "8001:81"]}, id="port range"),
        param(
            {"ports": ["127.0.0.1:8000-8001:80-81/udp"]},
            {
                "ports": [
                    {
                        "target": "80-81",
                        "published": "8000-8001",
                        "protocol": "udp",
                        "host_ip": "127.0.0.1",
                        "mode": "host",
                        "name": "x",
                    }
                ]
            },
            id="port range in the long form",
        ),
        param({"ports": ["[::1]:80:80"]}, {"ports": ["[0:0:0:0:0:0:0:1]:80:80"]}, id="IPv6"),
        param({"ports": [80]}, {"ports": [{"target": 80, "published": ""}]}, id="port alone"),
        # storage
        param(
            {"volumes": ["d:/x/:ro,nocopy"]},
            {
                "volumes": [
                    {
                        "type": "volume",
                        "source": "d",
                        "target": "/x",
                        "read_only": True,
                        "volume": {"nocopy": True},
                    }
                ]
            },
            id="volume",
        ),
        param(
            {"volumes": ["/srv:/x:rslave"]},
            {
                "volumes": [
                    {
                        "type": "bind",
                        "source": "/srv/",
                        "target": "/x",
                        "bind": {"propagation": "rslave", "create_host_path": False},
                    }
                ]
            },
            id="path of the host",
        ),
        param({"volumes": ["/srv:/x:rprivate,cached"]}, {"volumes": ["/srv:/x"]}, id="defaults"),
        param(
            {"tmpfs": "/t:size=64m,mode=01777"},
            {"tmpfs": ["/t:mode=1777,size=67108864"]},
            id="tmpfs",
        ),
        param(
            {"tmpfs": ["/t:size=1048576,mode=700"]},
            {
                "volumes": [
                    {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m", "mode": 0o700}}
                ]
            },
            id="tmpfs as a volume",
        ),
        # labels and environment
        param({"environment": ["A=1", "B=x=y"]}, {"environment": {"B": "x=y", "A": 1}}, id="env"),
        param({"labels": ["a=1", "b"]}, {"labels": {"b": "", "a": "1"}}, id="labels"),
        param(
            {"logging": {"driver": "", "options": {"max-size": "1m"}}},
            {"logging": {"options": ["max-size=1m"]}},
            id="logging by the engine's own driver",
        ),
        param({"logging": {}}, {}, id="logging that says nothing"),
        param({"expose": [80]}, {}, id="expose means nothing"),
        param({"links": [], "build": None, "scale": 1, "x-mine": 1}, {}, id="empty words"),
    ],
)  # fmt: skip
def test_two_ways_to_write_the_same_are_the_same(one: Any, other: Any) -> None:
    assert service_of(one) == service_of(other)


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        param({"memswap_limit": -1, "mem_limit": "64m"}, "memswap_limit", -1, id="all swap"),
        param({"mem_swappiness": 0}, "mem_swappiness", 0, id="no swapping is not unset"),
        param({"stop_grace_period": 0}, "stop_grace_period_ms", 0, id="no grace at all"),
        param({"command": []}, "command", (), id="no command is not the image's"),
        param({"init": False}, "init", False, id="no init is not the engine's"),
        param({"dns": ["9.9.9.9", "1.1.1.1"]}, "dns", ("9.9.9.9", "1.1.1.1"), id="dns order"),
        param({"cpus": "0.25"}, "nano_cpus", 250_000_000, id="a quarter of a processor"),
        param({"security_opt": ["no-new-privileges:false"]}, "security_opt",
              ("no-new-privileges=false",), id="new privileges, said aloud"),
    ],
)  # fmt: skip
def test_what_is_said_is_not_taken_for_unset(config: Any, field: str, value: Any) -> None:
    assert getattr(spec_of(**config), field) == value


def test_two_networks_are_joined_by_rank_and_then_by_name() -> None:
    # Said in `planner.fields.attachments`; here only that the ranks survive.
    spec = spec_of(networks={"a": None, "b": {"priority": 10, "gw_priority": -1}})

    assert [(n.name, n.priority, n.gw_priority) for n in spec.networks] == [
        ("a", 0, 0), ("b", 10, -1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        param(
            {"networks": [{"name": "front", "driver": "bridge", "internal": True}]},
            {"networks": {"front": {"driver": "bridge", "internal": True}}},
            id="the older list of networks",
        ),
        param(
            {"volumes": [{"name": "data", "driver": "local", "driverOpts": {"a": 1}}]},
            {"volumes": {"data": {"driver": "local", "driver_opts": ["a=1"]}}},
            id="the older list of volumes",
        ),
        param(
            {"networks": {"x": {"external": {"name": "shared"}}}},
            {"networks": {"x": {"external": True, "name": "shared"}}},
            id="the older external",
        ),
        param(
            {"volumes": {"x": {"external": True}}},
            {"volumes": {"x": {"external": True, "name": "x"}}},
            id="external without a name",
        ),
        param({"release": "r7"}, {"release": {"id": "r7", "commit": "abc"}}, id="release"),
        param({"release": {"commit": "abc"}}, {"release": "abc"}, id="release by commit"),
        param({"strategy": "hand-over"}, {"strategy": {"kind": "hand-over"}}, id="strategy"),
        param(
            {"strategy": {"kind": "hand-over", "handover_timeout": "2m"}},
            {"strategy": {"kind": "hand-over", "handover_timeout": 120}},
            id="hand-over time",
        ),
        param({"verify": {"timeout": "5m", "min_healthy_s": 10}}, {}, id="verify as by default"),
        param({"lock": "respect", "networks": {}, "secrets": {}}, {}, id="defaults"),
    ],
)
def test_two_ways_to_write_an_app_are_the_same(one: Any, other: Any) -> None:
    assert app_of({}, **one) == app_of({}, **other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        param(["s1"], {"s1": {"condition": "service_started"}}, id="as a list"),
        param({"s1": None}, {"s1": {"required": True, "restart": False}}, id="with defaults"),
    ],
)
def test_two_ways_to_depend_are_the_same(one: Any, other: Any) -> None:
    assert service_of({"depends_on": one}, {}) == service_of({"depends_on": other}, {})


def test_two_ways_to_use_a_secret_are_the_same() -> None:
    known = {"cert": {"value": "x"}}
    long = {"source": "cert", "target": "cert", "uid": "0", "gid": 0, "mode": "0444"}

    assert spec_of(uses=["cert"], secrets=known) == spec_of(uses=[long], secrets=known)


def test_a_service_that_says_nothing_is_its_image_and_the_defaults() -> None:
    spec = spec_of()

    assert spec == ServiceSpec(image=spec.image)

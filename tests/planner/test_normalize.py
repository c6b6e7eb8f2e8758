"""One normal form for each service: what is in it, what is not, and what it never shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.secret import Secret
from iotistic.model.service import ServiceSpec
from iotistic.planner import normalize
from iotistic.planner.fields import FIELDS, Rule
from tests.model.vocabulary.builders import app_of, service_of, spec_of

param = pytest.param
KEY = bytes(range(32))
CERT = {"cert": {"value": "hunter2"}}


def form_of(config: dict[str, Any], **app: Any) -> dict[str, Any]:
    found = app_of(config, **app)
    return normalize.normal_form(
        found.services[0].spec, service_name="web", key=KEY, secrets=dict(found.secrets)
    )


EVERYTHING: dict[str, Any] = {
    "command": "run", "entrypoint": "/init", "user": "1000", "working_dir": "/srv", "tty": True,
    "stdin_open": True, "init": False, "stop_signal": "SIGINT", "stop_grace_period": "5s",
    "healthcheck": {"test": "true"}, "restart": "always", "environment": {"A": "1"},
    "labels": {"a": "b"}, "annotations": {"a": "b"}, "platform": "linux/arm64", "cpus": 1,
    "cpu_shares": 512, "cpu_rt_runtime": 1000, "cpu_rt_period": 2000, "cpuset": "0",
    "mem_limit": "64m", "mem_reservation": "32m", "memswap_limit": "128m", "mem_swappiness": 0,
    "pids_limit": 100, "shm_size": "8m", "oom_score_adj": 100, "oom_kill_disable": True,
    "ulimits": {"nofile": 1024}, "storage_opt": {"size": "1g"}, "privileged": True,
    "read_only": True, "cap_add": ["SYS_TIME"], "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"], "group_add": ["audio"], "sysctls": {"net.a": 1},
    "userns_mode": "host", "pid": "host", "ipc": "host", "uts": "host", "cgroup": "host",
    "cgroup_parent": "/x", "runtime": "crun", "devices": ["/dev/a"],
    "device_cgroup_rules": ["c 1:1 r"], "gpus": "all", "ports": ["80:80"], "networks": ["front"],
    "hostname": "h", "domainname": "d.example", "mac_address": "02:42:ac:11:00:02",
    "dns": ["1.1.1.1"], "dns_opt": ["ndots:1"], "dns_search": ["example"],
    "extra_hosts": ["a=1.2.3.4"], "volumes": ["data:/data"], "tmpfs": "/cache", "secrets": ["cert"],
    "logging": {"driver": "json-file"},
}  # fmt: skip
"""A value of every field that can stand beside the others."""
APART: dict[str, dict[str, Any]] = {
    "cpu_quota": {"cpu_quota": 50000},
    "cpu_period": {"cpu_period": 100000},
    "network_mode": {"network_mode": "host"},
}
"""Of those that cannot."""


def test_every_field_of_a_service_is_in_the_list_once() -> None:
    attributes = [field.attribute for field in FIELDS]

    assert sorted(attributes) == sorted(field.name for field in dataclasses.fields(ServiceSpec))


def test_every_rule_is_a_rule_of_some_field() -> None:
    assert {field.rule for field in FIELDS} == set(Rule)


def test_every_field_that_is_set_is_in_the_form() -> None:
    form = {name.partition(".")[0] for name in form_of(EVERYTHING, secrets=CERT)}
    for config in APART.values():
        form |= form_of(config).keys()

    assert form == {field.name for field in FIELDS} | {"service_name"}


@pytest.mark.parametrize("name", sorted(EVERYTHING.keys() | APART.keys()))
def test_a_change_of_any_field_is_another_service(name: str) -> None:
    whole = APART.get(name, EVERYTHING)
    without = {field: value for field, value in whole.items() if field != name}
    if name == "mem_limit":  # which the limit of swap needs beside it
        without[name] = "96m"

    one, other = form_of(whole, secrets=CERT), form_of(without, secrets=CERT)

    assert normalize.hash_of(one, KEY) != normalize.hash_of(other, KEY)
    assert {d.field.partition(".")[0] for d in normalize.differences(
        one, normalize.fields_of(other)
    )} <= {name, "networks"}  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        param({"depends_on": {"nobody": {"required": False}}}, id="what it waits for"),
        param({"pull_policy": "always"}, id="when its image is pulled"),
        param({"update_lock": True}, id="whether it may hold updates off"),
        param({"privileged": False, "tty": False, "read_only": False}, id="what is so anyway"),
        param({"expose": [80], "x-note": "hello"}, id="what means nothing"),
        param({"healthcheck": {}, "logging": {}, "networks": []}, id="what says nothing"),
    ],
)
def test_what_needs_no_new_container_is_not_in_the_form(config: dict[str, Any]) -> None:
    assert form_of(config) == form_of({})


def test_neither_form_nor_label_shows_what_is_secret() -> None:
    form = form_of({"environment": {"TOKEN": "hunter2"}, "secrets": ["cert"]}, secrets=CERT)

    assert "hunter2" not in repr(form)
    assert "hunter2" not in normalize.fields_of(form)
    assert {"environment.TOKEN", "secrets.cert"} <= form.keys()


def test_a_new_value_of_a_secret_is_another_service_and_only_for_those_that_use_it() -> None:
    used, unused = {"secrets": ["cert"]}, {"environment": {"A": "1"}}
    newer = {"cert": {"value": "hunter3"}}

    assert form_of(used, secrets=CERT) != form_of(used, secrets=newer)
    assert form_of(unused, secrets=CERT) == form_of(unused, secrets=newer)


def test_the_same_secret_used_otherwise_is_another_service() -> None:
    as_file = {"secrets": [{"source": "cert", "mode": "0400"}]}
    as_variable = {"secrets": [{"source": "cert", "environment": "CERT"}]}

    assert form_of(as_file, secrets=CERT) != form_of({"secrets": ["cert"]}, secrets=CERT)
    assert form_of(as_variable, secrets=CERT) != form_of(as_file, secrets=CERT)


def test_keyed_hashes_of_two_devices_have_nothing_in_common() -> None:
    spec = spec_of(environment={"A": "1"})
    forms = [normalize.normal_form(spec, service_name="web", key=bytes([n]) * 32) for n in (1, 2)]

    assert forms[0]["environment.A"] != forms[1]["environment.A"]


def test_networks_are_joined_in_falling_order_of_their_priority() -> None:
    networks = {"a": None, "b": {"priority": 5}, "c": {"priority": 10}, "d": {"priority": 5}}

    joined = normalize.attachments(spec_of(networks=networks))

    assert [network.name for network in joined] == ["c", "b", "d", "a"]


def test_a_difference_of_options_of_a_log_service_does_not_show_its_token() -> None:
    config = {"logging": {"driver": "splunk", "options": {"splunk-token": "hunter2"}}}

    (difference,) = normalize.differences(form_of(config), normalize.fields_of(form_of({})))

    assert difference.field == "logging"
    assert "splunk-token" in difference.wanted
    assert "hunter2" not in difference.wanted


def test_a_long_value_is_shown_short() -> None:
    config = {"command": ["x" * 30_000]}

    (difference,) = normalize.differences(form_of(config), normalize.fields_of(form_of({})))

    assert len(difference.wanted) <= 200


@pytest.mark.parametrize(
    ("label", "version"),
    [
        param("1:abc", 1, id="ours"),
        param("12:abc", 12, id="a later one"),
        param("abc", None, id="no version"),
        param("", None, id="empty"),
        param("x:abc", None, id="not a number"),
        param("²:abc", None, id="nearly a number"),
        param("9" * 5000 + ":abc", None, id="a number without end"),
    ],
)
def test_the_version_of_a_hash_is_read_from_its_label(label: str, version: int | None) -> None:
    assert normalize.hash_version(label) == version


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(short_name="a"),
        NetworkSpec(short_name="b", driver="bridge", ipam_driver="default", name="given"),
    ],
)
def test_a_network_with_defaults_is_as_an_older_agent_made_it(spec: NetworkSpec) -> None:
    form = normalize.network_form(spec)

    assert normalize.object_hash(form) == normalize.DEFAULT_OBJECT_HASH


def test_a_volume_with_defaults_is_as_an_older_agent_made_it() -> None:
    form = normalize.volume_form(VolumeSpec(short_name="a", driver="local"))

    assert normalize.object_hash(form) == normalize.DEFAULT_OBJECT_HASH


def test_every_other_field_of_a_network_or_volume_makes_it_another_one() -> None:
    networks = app_of({}, networks={
        "a": None, "b": {"driver": "macvlan"}, "c": {"driver_opts": {"x": "1"}},
        "d": {"internal": True}, "e": {"enable_ipv6": True}, "f": {"attachable": True},
        "g": {"labels": {"x": "1"}}, "h": {"ipam": {"driver": "x"}},
        "i": {"ipam": {"options": {"x": "1"}}},
        "j": {"ipam": {"config": [{"subnet": "10.0.0.0/24"}]}},
        "k": {"ipam": {"config": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.1"}]}},
        "l": {"ipam": {"config": [{"subnet": "10.0.0.0/24", "ip_range": "10.0.0.0/28"}]}},
        "m": {"ipam": {"config": [{"subnet": "10.0.0.0/24", "aux_addresses": {"x": "10.0.0.9"}}]}},
    }).networks  # fmt: skip
    volumes = app_of({}, volumes={
        "a": None, "b": {"driver": "x"}, "c": {"driver_opts": {"x": "1"}}, "d": {"labels": ["x"]},
    }).volumes  # fmt: skip

    of_networks = {normalize.object_hash(normalize.network_form(n)) for n in networks}
    of_volumes = {normalize.object_hash(normalize.volume_form(v)) for v in volumes}
    assert (len(of_networks), len(of_volumes)) == (len(networks), len(volumes)) == (13, 4)


def test_a_secret_that_is_not_known_has_a_form_of_its_own() -> None:
    spec = service_of({"secrets": ["cert"]}, secrets=CERT).spec
    known, unknown = (
        normalize.normal_form(spec, service_name="web", key=KEY, secrets=secrets)
        for secrets in ({"cert": Secret("")}, {})
    )

    assert known != unknown

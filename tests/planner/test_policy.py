"""Nothing of a target reaches the host unless the device's owner said so."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from iotistic.model.errors import InvalidField
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.service import ServiceSpec
from iotistic.model.target import AppTarget
from iotistic.planner.object_policy import (
    NETWORK_CHECKS,
    NETWORK_HARMLESS,
    VOLUME_CHECKS,
    VOLUME_HARMLESS,
)
from iotistic.planner.permissions import ABOUT, Permission
from iotistic.planner.policy import Denied, Policy, check, check_app, parse_permissions
from iotistic.planner.service_policy import CHECKS, HARMLESS
from tests.model.vocabulary.builders import app_of, spec_of

param = pytest.param
P = Permission

DENIED: tuple[tuple[str, dict[str, Any], set[Permission]], ...] = (
    ("privileged", {"privileged": True}, {P.PRIVILEGED}),
    ("volumes", {"volumes": ["/srv:/srv:ro"]}, {P.BIND_MOUNTS}),
    ("volumes", {"volumes": ["/var/run/docker.sock:/s"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("volumes", {"volumes": ["/run/docker.sock:/s:ro"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("volumes", {"volumes": ["/srv/a/docker.sock:/s"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("volumes", {"volumes": ["/:/host"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("volumes", {"volumes": ["/var:/v"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("volumes", {"volumes": ["/run/iotistic/x:/v"]}, {P.BIND_MOUNTS, P.ENGINE_SOCKET}),
    ("network_mode", {"network_mode": "host"}, {P.HOST_NETWORK}),
    ("network_mode", {"network_mode": "container:x"}, {P.FOREIGN_CONTAINERS}),
    ("devices", {"devices": ["/dev/mem"]}, {P.DEVICES}),
    ("device_cgroup_rules", {"device_cgroup_rules": ["a *:* rwm"]}, {P.DEVICES}),
    ("device_requests", {"gpus": "all"}, {P.GPUS}),
    ("cap_add", {"cap_add": ["SYS_ADMIN"]}, {P.CAPABILITIES}),
    ("cap_add", {"cap_add": ["ALL"]}, {P.CAPABILITIES}),
    ("security_opt", {"security_opt": ["seccomp=unconfined"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["seccomp={}"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["apparmor:unconfined"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["label:disable"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["label=type:spc_t"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["systempaths=unconfined"]}, {P.UNCONFINED}),
    ("security_opt", {"security_opt": ["no-new-privileges:false"]}, {P.UNCONFINED}),
    ("userns_mode", {"userns_mode": "host"}, {P.HOST_NAMESPACES}),
    ("pid", {"pid": "host"}, {P.HOST_NAMESPACES}),
    ("pid", {"pid": "container:x"}, {P.FOREIGN_CONTAINERS}),
    ("ipc", {"ipc": "host"}, {P.HOST_NAMESPACES}),
    ("ipc", {"ipc": "container:x"}, {P.FOREIGN_CONTAINERS}),
    ("uts", {"uts": "host"}, {P.HOST_NAMESPACES}),
    ("cgroup", {"cgroup": "host"}, {P.HOST_NAMESPACES}),
    ("cgroup_parent", {"cgroup_parent": "/system.slice"}, {P.CGROUP_PARENT}),
    ("runtime", {"runtime": "mine"}, {P.RUNTIMES}),
    ("annotations", {"annotations": {"run.oci.handler": "x"}}, {P.RUNTIMES}),
    ("sysctls", {"sysctls": {"kernel.panic": 1}}, {P.SYSCTLS}),
    ("sysctls", {"sysctls": {"kernel/core_pattern": "x"}}, {P.SYSCTLS}),
    (
        "sysctls",
        {"sysctls": {"net.ipv4.ip_forward": 1}, "network_mode": "host"},
        {P.SYSCTLS, P.HOST_NETWORK},
    ),
    ("oom_kill_disable", {"oom_kill_disable": True}, {P.PRIORITY}),
    ("oom_score_adj", {"oom_score_adj": -1}, {P.PRIORITY}),
    ("cpu_rt_runtime", {"cpu_rt_runtime": 1000}, {P.PRIORITY}),
    ("cpu_rt_period", {"cpu_rt_period": 1000}, {P.PRIORITY}),
)

ALLOWED: tuple[dict[str, Any], ...] = (
    {"privileged": False, "oom_kill_disable": False},
    {"volumes": ["data:/data"], "tmpfs": "/cache"},
    {"network_mode": "none"},
    {"network_mode": "bridge"},
    {"cap_drop": ["ALL"], "cap_add": ["NET_BIND_SERVICE", "CHOWN"]},
    {"security_opt": ["no-new-privileges", "seccomp=builtin", "apparmor=docker-default"]},
    {"ipc": "shareable", "cgroup": "private"},
    {"ipc": "none"},
    {"sysctls": {"net.core.somaxconn": 1, "kernel.shmmax": 1, "fs.mqueue.msg_max": 1}},
    {"oom_score_adj": 500},
    {"ports": ["80:80"], "dns": "1.1.1.1", "extra_hosts": ["a:host-gateway"]},
    {"user": "root", "group_add": ["docker"], "ulimits": {"nofile": 1}, "shm_size": "1g"},
)


def allowing(*permissions: Permission) -> Policy:
    return Policy(allow=frozenset(permissions))


def denial(app: AppTarget, policy: Policy) -> Denied | None:
    """Why an app is not allowed, None when it is."""
    try:
        check_app(app, policy, at="apps.1001")
    except Denied as denied:
        return denied
    return None


@pytest.mark.parametrize(("field", "config", "needed"), DENIED)
def test_what_reaches_the_host_is_denied_until_each_permission_for_it_is_given(
    field: str, config: dict[str, Any], needed: set[Permission]
) -> None:
    spec = spec_of(**config)

    for missing in needed:
        with pytest.raises(Denied) as caught:
            check(spec, allowing(*(set(Permission) - {missing})), at="apps.1001.web")
        assert missing in str(caught.value)
        assert caught.value.code == "denied-by-policy"
    check(spec, allowing(*needed), at="apps.1001.web")


@pytest.mark.parametrize("config", ALLOWED)
def test_what_stays_inside_is_allowed(config: dict[str, Any]) -> None:
    assert denial(app_of(config), Policy()) is None


def test_every_field_of_a_service_is_checked_or_named_as_harmless() -> None:
    fields = {field.name for field in dataclasses.fields(ServiceSpec)}

    assert CHECKS.keys() | HARMLESS == fields
    assert not CHECKS.keys() & HARMLESS
    assert {field for field, _, _ in DENIED} == CHECKS.keys()


@pytest.mark.parametrize(
    ("kind", "checks", "harmless"),
    [
        (NetworkSpec, NETWORK_CHECKS, NETWORK_HARMLESS),
        (VolumeSpec, VOLUME_CHECKS, VOLUME_HARMLESS),
    ],
)
def test_every_field_of_a_network_or_volume_is_checked_or_named_as_harmless(
    kind: Any, checks: Any, harmless: Any
) -> None:
    assert checks.keys() | harmless == {field.name for field in dataclasses.fields(kind)}
    assert not checks.keys() & harmless


MACVLAN = {"driver": "macvlan", "driver_opts": {"parent": "eth0"}}


@pytest.mark.parametrize(
    ("app", "needed"),
    [
        param({"networks": {"a": {"external": True}}}, {P.EXTERNAL_NETWORKS}, id="external"),
        param(
            {"networks": {"a": {"external": True, "name": "host"}}},
            {P.EXTERNAL_NETWORKS, P.HOST_NETWORK},
            id="the host's network as an external one",
        ),
        param({"networks": {"a": {"name": "host"}}}, {P.HOST_NETWORK}, id="by its name"),
        param({"networks": {"a": MACVLAN}}, {P.NETWORK_DRIVERS}, id="macvlan"),
        param(
            {"networks": {"a": {"driver_opts": {"com.docker.network.bridge.name": "br0"}}}},
            {P.NETWORK_DRIVERS},
            id="a bridge of the host",
        ),
        param({"networks": {"a": {"ipam": {"driver": "dhcp"}}}}, {P.NETWORK_DRIVERS}, id="ipam"),
        param({"volumes": {"a": {"external": True}}}, {P.EXTERNAL_VOLUMES}, id="external volume"),
        param({"volumes": {"a": {"driver": "rclone"}}}, {P.VOLUME_DRIVERS}, id="volume driver"),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv"}}}},
            {P.BIND_MOUNTS},
            id="a bind mount in disguise",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "tmpfs", "o": "rbind", "device": "/run"}}}},
            {P.BIND_MOUNTS, P.ENGINE_SOCKET},
            id="a better disguise",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "ext4", "device": "/dev/sda1"}}}},
            {P.BIND_MOUNTS},
            id="a disk of the host",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "overlay", "o": "lowerdir=/"}}}},
            {P.BIND_MOUNTS},
            id="an overlay of the host",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "proc", "device": "proc"}}}},
            {P.BIND_MOUNTS},
            id="the kernel's files",
        ),
        param({"volumes": {"a": {"driver_opts": {"x": "1"}}}}, {P.VOLUME_DRIVERS}, id="unknown"),
    ],
)
def test_networks_and_volumes_in_disguise_are_denied_until_allowed(
    app: dict[str, Any], needed: set[Permission]
) -> None:
    found = app_of({}, **app)

    for missing in needed:
        with pytest.raises(Denied, match=missing):
            check_app(found, allowing(*(set(Permission) - {missing})), at="apps.1001")
    check_app(found, allowing(*needed), at="apps.1001")


@pytest.mark.parametrize(
    "app",
    [
        param({"networks": {"a": {"internal": True, "labels": {"x": "y"}}}}, id="own network"),
        param(
            {"networks": {"a": {"driver_opts": {"com.docker.network.driver.mtu": "1400"}}}},
            id="a smaller packet",
        ),
        param({"volumes": {"a": {"driver": "local", "name": "data"}}}, id="own volume"),
        param(
            {
                "volumes": {
                    "a": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
                }
            },
            id="in memory",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "nfs", "o": "addr=x,rw", "device": ":/x"}}}},
            id="on the network",
        ),
        param(
            {"volumes": {"a": {"driver_opts": {"type": "cifs", "device": "//nas/x", "o": "ro"}}}},
            id="on a share",
        ),
    ],
)
def test_networks_and_volumes_of_the_app_itself_are_allowed(app: dict[str, Any]) -> None:
    assert denial(app_of({}, **app), Policy()) is None


def test_a_denial_says_which_service_and_what_to_do() -> None:
    with pytest.raises(Denied) as caught:
        check_app(app_of({}, {"cap_add": ["SYS_TIME"]}), Policy(), at="apps.1001")

    assert str(caught.value) == (
        "apps.1001.s1.cap_add: SYS_TIME is not allowed on this device;"
        " do without it, or add capabilities to POLICY_ALLOW on the device"
    )


def test_every_permission_is_explained_and_needed_for_something() -> None:
    assert ABOUT.keys() == set(Permission)


def test_permissions_are_read_from_a_comma_list() -> None:
    assert parse_permissions(" bind-mounts, host-network,") == {P.BIND_MOUNTS, P.HOST_NETWORK}
    with pytest.raises(InvalidField, match="engine-socket"):
        parse_permissions("everything")

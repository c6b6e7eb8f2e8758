"""Services at random, each field in any form that it may have; and the one way to write each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from iotistic.model.service import MountKind, ServiceSpec

_words = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8)
_names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
_values = st.one_of(_words, st.integers(-5, 10**6), st.booleans())
_spans = st.one_of(
    st.integers(0, 10**6),
    st.builds("{}{}".format, st.integers(0, 999), st.sampled_from(("ms", "s", "m", "h"))),
    st.sampled_from(("1m30s", "1h0.5s", "0")),
)
_sizes = st.builds(
    "{}{}".format, st.integers(8, 64), st.sampled_from(("m", "M", "mb", "MiB", "g", "G"))
)
_addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
_paths = st.lists(_names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


def _listed(pairs: dict[str, Any]) -> list[str]:
    return [f"{name}={_text(value)}" for name, value in pairs.items()]


def _text(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


_maps = st.dictionaries(_names, _values, max_size=4).flatmap(
    lambda pairs: st.sampled_from((pairs, _listed(pairs)))
)
_commands = st.one_of(st.lists(_words, max_size=3), st.sampled_from(("run", "run 'a b'", "")))
_ports = st.one_of(
    st.integers(1, 65535),
    st.builds("{}:{}".format, st.integers(1, 65535), st.integers(1, 65535)),
    st.builds("{0}-{1}:{2}-{3}/udp".format, st.just(80), st.just(82), st.just(90), st.just(92)),
    st.builds(
        lambda target, host, ip: {"target": target, "published": str(host), "host_ip": ip},
        st.integers(1, 65535),
        st.integers(1, 65535),
        _addresses,
    ),
)
_networks = st.one_of(
    st.lists(_names, max_size=3),
    st.dictionaries(
        _names,
        st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "aliases": st.lists(_names, max_size=3),
                    "ipv4_address": st.ip_addresses(v=4).map(str),
                    "ipv6_address": st.ip_addresses(v=6).map(str),
                    "priority": st.integers(0, 9),
                    "gw_priority": st.integers(-9, 9),
                    "driver_opts": _maps,
                },
            ),
        ),
        max_size=3,
    ),
)
_volumes = st.one_of(
    st.builds("{}:{}{}".format, _names, _paths, st.sampled_from(("", ":ro", ":rw,nocopy"))),
    st.builds("/host{}:{}{}".format, _paths, _paths, st.sampled_from(("", ":ro,rshared"))),
    st.builds(
        lambda target, size: {"type": "tmpfs", "target": target, "tmpfs": {"size": size}},
        _paths,
        _sizes,
    ),
)

FORMS: Mapping[str, st.SearchStrategy[Any]] = {
    "command": _commands,
    "entrypoint": _commands,
    "user": st.sampled_from((0, "1000:1000", "nobody", "")),
    "working_dir": _paths.flatmap(lambda path: st.sampled_from((path, f"{path}/", ""))),
    "tty": st.booleans(),
    "stdin_open": st.booleans(),
    "init": st.booleans(),
    "stop_signal": st.sampled_from((15, "9", "TERM", "sigint", "RTMIN+3", 40, "")),
    "stop_grace_period": _spans,
    "healthcheck": st.fixed_dictionaries(
        {},
        optional={
            "test": st.sampled_from(("true", ["CMD", "a", "b"], ["CMD-SHELL", "x"], "NONE", [])),
            "interval": _spans,
            "timeout": _spans,
            "start_period": _spans,
            "start_interval": _spans,
            "retries": st.integers(0, 9),
            "disable": st.booleans(),
        },
    ),
    "restart": st.sampled_from((False, "no", "", "always", "on-failure:3", "unless-stopped")),
    "environment": _maps,
    "labels": _maps,
    "annotations": _maps,
    "platform": st.sampled_from(("linux/amd64", "linux/arm/v7", "")),
    "cpus": st.sampled_from((0, 0.5, "1.25", 3, "")),
    "cpu_shares": st.integers(0, 1024),
    "cpu_rt_runtime": st.sampled_from((0, "950ms", 1000)),
    "cpuset": st.sampled_from(("0", "0-3", "1,0", "3,5-7", 2, "")),
    "mem_limit": _sizes,
    "mem_swappiness": st.integers(-1, 100),
    "pids_limit": st.integers(-1, 100),
    "shm_size": _sizes,
    "oom_score_adj": st.integers(-1000, 1000),
    "oom_kill_disable": st.booleans(),
    "ulimits": st.dictionaries(
        st.sampled_from(("nofile", "nproc", "core")),
        st.one_of(st.integers(-1, 9), st.just({"soft": 1, "hard": -1})),
    ),
    "storage_opt": _maps,
    "privileged": st.booleans(),
    "read_only": st.booleans(),
    "cap_add": st.lists(st.sampled_from(("NET_ADMIN", "cap_net_admin", "all", "Kill"))),
    "cap_drop": st.sampled_from(("ALL", ["cap_chown"], [])),
    "security_opt": st.lists(
        st.sampled_from(("no-new-privileges", "label:disable", "seccomp={}", "apparmor=x"))
    ),
    "group_add": st.lists(st.one_of(st.integers(0, 99), _names)),
    "sysctls": st.sampled_from(({"net.a": 1}, ["net/a=1", "kernel.b=2"])),
    "userns_mode": st.sampled_from(("host", "")),
    "pid": st.sampled_from(("host", "container:x")),
    "ipc": st.sampled_from(("host", "none", "shareable")),
    "uts": st.just("host"),
    "cgroup": st.sampled_from(("host", "private")),
    "cgroup_parent": _paths,
    "runtime": _names,
    "devices": st.lists(
        st.one_of(
            st.builds("{}:/in{}:{}".format, _paths, _paths, st.sampled_from(("r", "mw", "rwm"))),
            st.builds(lambda path: {"source": path}, _paths),
        ),
        max_size=2,
        unique_by=repr,
    ),
    "device_cgroup_rules": st.lists(st.sampled_from(("c 1:1 r", "a *:* mwr"))),
    "gpus": st.sampled_from(("all", [{"count": 1}], [{"device_ids": ["1", 0]}], [{}])),
    "ports": st.lists(_ports, max_size=4),
    "networks": _networks,
    "hostname": _names.map(lambda name: name.replace("_", "0")),
    "domainname": st.just("a.example"),
    "mac_address": st.just("02-42-AC-11-00-02"),
    "dns": st.one_of(_addresses, st.lists(_addresses, max_size=3)),
    "dns_opt": st.lists(st.sampled_from(("ndots:1", "rotate"))),
    "dns_search": st.lists(st.sampled_from((".", "a.example", "b"))),
    "extra_hosts": st.one_of(
        st.dictionaries(_names, st.one_of(_addresses, st.just("host-gateway")), max_size=3),
        st.lists(st.builds("{}:{}".format, _names, _addresses), max_size=3),
    ),
    "volumes": st.lists(_volumes, max_size=3),
    "tmpfs": st.one_of(_paths.map("/t{}:size=1m,mode=0700".format), st.lists(_paths, max_size=2)),
    "secrets": st.lists(
        st.sampled_from(
            (
                "one",
                {"source": "two", "target": "x", "uid": "5", "mode": "0400"},
                {"source": "one", "environment": "ONE_SECRET"},
            )
        ),
        max_size=3,
        unique_by=repr,
    ),
    "logging": st.fixed_dictionaries(
        {}, optional={"driver": st.sampled_from(("local", "")), "options": _maps}
    ),
}
"""Of every field that can stand beside all others: what may be written there."""
SECRETS = {"one": {"value": "1"}, "two": {"value": "2"}}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration of a few fields. Two mounts may be on one path, and then it is refused."""
    chosen = draw(st.lists(st.sampled_from(sorted(FORMS)), unique=True, max_size=8))
    return {name: draw(FORMS[name]) for name in chosen}


def written(spec: ServiceSpec) -> dict[str, Any]:
    """The specification as a configuration, every field in one form."""
    found = {
        name: getattr(spec, name)
        for name in spec.__dataclass_fields__
        if name not in _WRITTEN and name != "image"
    }
    for name, (field, write) in _WRITTEN.items():
        value = getattr(spec, name)
        found[field] = None if value is None or value == () else write(value)
    for words in ("command", "entrypoint"):
        found[words] = None if getattr(spec, words) is None else list(getattr(spec, words))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if value is not None and value != ()
    }


def _ms(span: int | None) -> str | None:
    return None if span is None else f"{span}ms"


_WRITTEN: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "nano_cpus": ("cpus", lambda n: f"{n / 1e9:.9f}"),
    "stop_grace_period_ms": ("stop_grace_period", _ms),
    "restart": (
        "restart",
        lambda r: f"{r.name}:{r.retries_max}" if r.retries_max else str(r.name),
    ),
    "environment": (
        "environment",
        lambda pairs: {name: value.reveal() for name, value in pairs},
    ),
    "labels": ("labels", dict),
    "annotations": ("annotations", dict),
    "storage_opt": ("storage_opt", dict),
    "sysctls": ("sysctls", dict),
    "extra_hosts": ("extra_hosts", lambda pairs: [f"{name}={ip}" for name, ip in pairs]),
    "healthcheck": (
        "healthcheck",
        lambda c: {
            "test": list(c.test) if c.test else None,
            "interval": _ms(c.interval_ms),
            "timeout": _ms(c.timeout_ms),
            "start_period": _ms(c.start_period_ms),
            "start_interval": _ms(c.start_interval_ms),
            "retries": c.retries,
        },
    ),
    "ulimits": (
        "ulimits",
        lambda limits: {limit.name: {"soft": limit.soft, "hard": limit.hard} for limit in limits},
    ),
    "devices": (
        "devices",
        lambda devices: [
            {"source": d.source, "target": d.target, "permissions": d.permissions} for d in devices
        ],
    ),
    "device_requests": (
        "gpus",
        lambda requests: [
            {
                "driver": r.driver,
                "count": r.count or None,
                "device_ids": list(r.device_ids),
                "capabilities": list(r.capabilities),
                "options": dict(r.options),
            }
            for r in requests
        ],
    ),
    "ports": (
        "ports",
        lambda ports: [
            {
                "target": p.container,
                "published": p.host,
                "protocol": p.protocol,
                "host_ip": p.host_ip,
            }
            for p in ports
        ],
    ),
    "networks": (
        "networks",
        lambda networks: {
            n.name: {
                "aliases": list(n.aliases),
                "ipv4_address": n.ipv4_address,
                "ipv6_address": n.ipv6_address,
                "link_local_ips": list(n.link_local_ips),
                "mac_address": n.mac_address,
                "gw_priority": n.gw_priority,
                "priority": n.priority,
                "driver_opts": dict(n.driver_opts),
            }
            for n in networks
        },
    ),
    "volumes": (
        "volumes",
        lambda mounts: [
            {
                "type": str(m.kind),
                "source": m.source,
                "target": m.target,
                "read_only": m.read_only,
                **({"volume": {"nocopy": m.no_copy}} if m.kind is MountKind.VOLUME else {}),
                **({"bind": {"propagation": m.propagation}} if m.kind is MountKind.BIND else {}),
            }
            for m in mounts
        ],
    ),
    "tmpfs": ("tmpfs", lambda mounts: [f"{t.target}:{t.options}" for t in mounts]),
    "secrets": (
        "secrets",
        lambda uses: [
            {"source": u.source, "environment": u.environment}
            if u.environment
            else {
                "source": u.source,
                "target": u.target,
                "uid": u.uid,
                "gid": u.gid,
                "mode": f"{u.mode:o}",
            }
            for u in uses
        ],
    ),
    "logging": ("logging", lambda w: {"driver": w.driver, "options": dict(w.options)}),
}

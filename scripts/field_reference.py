"""The tables of a service's fields and of what a device denies, for the reference.

How a field may be written is said here, in words; how it is compared, whether an engine tells it
and whether it is checked is taken from the planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iotistic.model.vocabulary.elsewhere import IGNORED, REFUSED, WITHOUT_MEANING
from iotistic.planner.fields import FIELDS, Echo, Field
from iotistic.planner.permissions import ABOUT
from iotistic.planner.service_policy import CHECKS


@dataclass(frozen=True, slots=True)
class Words:
    """How a field may be written, what it is afterwards, and its further names."""

    forms: str
    kept: str
    also: tuple[str, ...] = ()


_SIZE = "bytes, or a text such as `512m`, `1.5g`, `64MiB`; all units are binary"
_SPAN = "seconds, or a text such as `1m30s`, `500ms`"
_SWITCH = "`true` or `false`"
_FALSE = "left out where false, which is what every engine does"
_LIST = "text or list of texts"
_MAP = "object, or list of `NAME=VALUE`"
_UNSET = "0 is unset"

WORDS: Mapping[str, Words] = {
    "image": Words(
        "as `imageName`, which wins",
        "host, path and digest, or else tag (`latest`)",
        ("imageName",),
    ),
    "command": Words(
        "list of texts, or one text split as a shell would", "list; `[]` is no command at all"
    ),
    "entrypoint": Words(
        "likewise", "list; `[]` is none at all. Given, the image's command is none"
    ),
    "user": Words("`USER[:GROUP]`, by name or number", "text"),
    "working_dir": Words("absolute path", "without a slash at the end", ("workingDir",)),
    "tty": Words(_SWITCH, _FALSE),
    "stdin_open": Words(_SWITCH, _FALSE),
    "init": Words(_SWITCH, "as said; absent is the engine's own"),
    "stop_signal": Words(
        "name with or without `SIG`, or number", "whole name: `SIGTERM`", ("stopSignal",)
    ),
    "stop_grace_period": Words(_SPAN, "milliseconds", ("stopTimeout",)),
    "healthcheck": Words(
        "`test` (text for a shell, or list that starts with `CMD`, `CMD-SHELL` or `NONE`),"
        " `interval`, `timeout`, `start_period`, `start_interval`, `retries`, `disable`",
        "what is set; spans in milliseconds, 0 is unset; `disable` is `[NONE]`",
    ),
    "restart": Words(
        "`no` (or false), `always`, `unless-stopped`, `on-failure[:N]`",
        "absent is `unless-stopped`",
    ),
    "environment": Words(
        _MAP + "; numbers and booleans become texts; a name without a value is ignored, with a"
        " warning",
        "each variable by itself, its value only as a keyed hash",
    ),
    "labels": Words(_MAP + "; `iotistic.` is refused", "sorted by name"),
    "annotations": Words(_MAP, "sorted by name"),
    "platform": Words("`OS/ARCHITECTURE[/VARIANT]`", "text"),
    "cpus": Words(
        "number; also `deploy.resources.limits.cpus`, `resources.limits.cpu` (there also `500m`)",
        "billionths of a processor; " + _UNSET,
    ),
    "cpu_shares": Words("integer", _UNSET),
    "cpu_quota": Words("microseconds, or a text such as `50ms`", "microseconds; 0, -1 are unset"),
    "cpu_period": Words("likewise", "microseconds; " + _UNSET),
    "cpu_rt_runtime": Words("likewise", "microseconds; " + _UNSET),
    "cpu_rt_period": Words("likewise", "microseconds; " + _UNSET),
    "cpuset": Words("such as `0-2,4`", "rising ranges"),
    "mem_limit": Words(
        _SIZE + "; also `deploy.resources.limits.memory` and `resources.limits.memory`",
        "bytes, at least 6 MiB; " + _UNSET,
    ),
    "mem_reservation": Words(
        "likewise; also `deploy.resources.reservations.memory` and `resources.requests.memory`",
        "bytes, at most `mem_limit`; " + _UNSET,
    ),
    "memswap_limit": Words("likewise, or -1", "bytes with memory; 0 is unset, -1 without limit"),
    "mem_swappiness": Words("0 to 100", "-1 is unset"),
    "pids_limit": Words("integer; also `deploy.resources.limits.pids`", "0, -1 are unset"),
    "shm_size": Words(_SIZE, "bytes; " + _UNSET),
    "oom_score_adj": Words("-1000 to 1000", _UNSET),
    "oom_kill_disable": Words(_SWITCH, _FALSE),
    "ulimits": Words(
        "by name: one number for both, or `{soft, hard}`; -1 is none", "name, soft, hard"
    ),
    "storage_opt": Words(_MAP, "sorted by name"),
    "privileged": Words(_SWITCH, _FALSE),
    "read_only": Words(_SWITCH, _FALSE, ("readonlyRootfs",)),
    "cap_add": Words(_LIST, "sorted, in capitals, without `CAP_`"),
    "cap_drop": Words(_LIST, "likewise"),
    "security_opt": Words(
        "`no-new-privileges`, `seccomp`, `apparmor`, `label`, `systempaths`, with `=` or `:`; a"
        " seccomp profile as JSON, not as a file",
        "`NAME=VALUE`, sorted; `no-new-privileges` alone is `=true`",
    ),
    "group_add": Words("list of names or numbers", "sorted texts"),
    "sysctls": Words(_MAP, "sorted, with dots"),
    "userns_mode": Words("`host`", "text"),
    "pid": Words("`host`, `container:ID`", "text"),
    "ipc": Words("`none`, `private`, `shareable`, `host`, `container:ID`", "text"),
    "uts": Words("`host`", "text"),
    "cgroup": Words("`private`, `host`", "text"),
    "cgroup_parent": Words("text", "text"),
    "runtime": Words("text", "text"),
    "devices": Words(
        "`HOST[:INSIDE][:rwm]`, or `{source, target, permissions}`", "host, inside, permissions"
    ),
    "device_cgroup_rules": Words("such as `c 13:* rwm`", "sorted"),
    "gpus": Words(
        "`all`, or list of `{driver, count, device_ids, capabilities, options}`; also"
        " `deploy.resources.reservations.devices`",
        "sorted; `all` is -1",
    ),
    "ports": Words(
        "`[[IP:]HOST:]CONTAINER[/tcp|udp|sctp]` with ranges of equal length, or `{target,"
        " published, protocol, host_ip}`; at most 1000",
        "address (`0.0.0.0` is none), host's, container's, protocol; sorted, ranges spelled out",
    ),
    "networks": Words(
        "list of names, or object of `{aliases, ipv4_address, ipv6_address, link_local_ips,"
        " mac_address, gw_priority, priority, driver_opts}` by name",
        "by falling `priority`, then name; none is the app's `default`",
    ),
    "network_mode": Words(
        "`bridge`, `none`, `host`, `service:NAME`, `container:ID`; then no `networks`",
        "text",
        ("networkMode",),
    ),
    "hostname": Words("host name", "text"),
    "domainname": Words("domain name", "text"),
    "mac_address": Words("`02:42:ac:11:00:02`", "small letters, colons"),
    "dns": Words(_LIST, "addresses in their order"),
    "dns_opt": Words(_LIST, "sorted"),
    "dns_search": Words(_LIST, "in their order"),
    "extra_hosts": Words(
        "list of `NAME=ADDRESS` or `NAME:ADDRESS`, or object; `host-gateway` is an address",
        "sorted pairs",
    ),
    "volumes": Words(
        "`SOURCE:/path[:ro,nocopy,PROPAGATION]`, or `{type: volume|bind|tmpfs, source, target,"
        " read_only, volume{nocopy}, bind{propagation}, tmpfs{size, mode}}`; each path once",
        "kind, source, path, read-only, and what else is set; sorted by path",
    ),
    "tmpfs": Words("text or list of `/path[:OPTIONS]`", "path and sorted options, sizes in bytes"),
    "secrets": Words(
        "list of names, or of `{source, target, uid, gid, mode}` or `{source, environment}`",
        "each secret by itself, value and use only as a keyed hash",
    ),
    "logging": Words("`{driver, options}`", "driver (none is the engine's own) and options"),
}

_READ_BACK = {Echo.ALWAYS: "yes", Echo.SOME: "newer or able engines", Echo.NEVER: "no"}


def fields_table() -> str:
    """Every field of a service, what is not applied, and what a device denies."""
    rows = [
        "| field | forms | kept and hashed as | compared with a container | read back | |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(field) for field in FIELDS),
    ]
    aside = ["| refused or ignored | |", "| --- | --- |"]
    aside += [
        f"| `{name}` | refused: {reason}; {remedy} |" for name, (reason, remedy) in REFUSED.items()
    ]
    aside += [
        f"| `{name}` | ignored, with a warning: {reason} |" for name, reason in IGNORED.items()
    ]
    aside += [f"| `{name}` | read, means nothing |" for name in WITHOUT_MEANING]
    asked = ["| `POLICY_ALLOW` | allows |", "| --- | --- |"]
    asked += [f"| `{permission}` | {about} |" for permission, about in ABOUT.items()]
    return "\n".join(
        [
            *rows,
            "",
            "### What is not applied",
            "",
            *aside,
            "",
            "### What has to be allowed",
            "",
            *asked,
        ]
    )


def _row(field: Field) -> str:
    words = WORDS[field.name]
    names = ", ".join(f"`{name}`" for name in (field.name, *words.also))
    mark = "may be denied" if field.attribute in CHECKS else ""
    cells = [names, words.forms, words.kept, str(field.rule), _READ_BACK[field.echo], mark]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

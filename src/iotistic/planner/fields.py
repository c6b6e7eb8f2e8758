"""The one list of what a service is made of: how each field is hashed, compared and read back.

Every field of `ServiceSpec` stands here once, under the name that compose gives it. A field that
is not set is in no normal form, so a version that knows one field more makes the same form of
everything that could be said before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from iotistic.model.naming import DEFAULT_NETWORK
from iotistic.model.service import Healthcheck, Mount, NetworkAttachment, ServiceSpec


class Rule(StrEnum):
    """How a field of a container is compared with what the target says of it, if it does."""

    EQUAL = "equal"
    SWITCH = "equal; what an engine does not say is false"
    SAME_SET = "the same entries in any order"
    EACH_NAME = "each name that the target has"
    CONTAINS = "every entry that the target has"
    EACH_PATH = "each path inside that the target has"
    EACH_NETWORK = (
        "each network that the target has; aliases as a part of those found, addresses and"
        " options only if set"
    )
    EACH_SETTING = "each setting that the target has"
    SECONDS = "equal in whole seconds, rounded up"
    IMAGE = "the same reference, or the same digest in any repository; beside it, the image's id"
    WORDS = "equal; an empty command by the hash only"
    RESTART = "equal, also when not set"
    NETWORK_MODE = "equal; the container behind `service:` by its id, `container:` by the hash only"
    DRIVER = "the driver if set, each option that the target has"
    EACH_USE = "each use that the target has; the values by the hash only"
    NEVER = "by the hash only"


class Echo(StrEnum):
    """Whether an engine tells afterwards what a container was made with."""

    ALWAYS = "yes"
    SOME = "by engines that have it"
    NEVER = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `name` is compose's, `attribute` that of `ServiceSpec`.

    `form` makes JSON values of it, None when it is not set. The two fields with secret values are
    hashed on their own.
    """

    name: str
    attribute: str
    rule: Rule
    form: Callable[[ServiceSpec], Any]
    echo: Echo = Echo.ALWAYS


def attachments(spec: ServiceSpec) -> tuple[NetworkAttachment, ...]:
    """The networks a service joins, in that order: its own, or the app's default one.

    None of them with a network mode.
    """
    if spec.network_mode is not None:
        return ()
    joined = spec.networks or (NetworkAttachment(name=DEFAULT_NETWORK),)
    return tuple(sorted(joined, key=lambda network: (-network.priority, network)))


def _plain(
    name: str, rule: Rule = Rule.EQUAL, *, attribute: str = "", echo: Echo = Echo.ALWAYS
) -> Field:
    """A number or text, in the form as it is."""
    held = attribute or name
    return Field(
        name=name,
        attribute=held,
        rule=rule,
        form=lambda spec: getattr(spec, held),
        echo=echo,
    )


def _switch(name: str, *, default: bool = True, echo: Echo = Echo.ALWAYS) -> Field:
    """True or false. With `default`, false is what every engine does without a word."""
    return Field(
        name=name,
        attribute=name,
        rule=Rule.SWITCH,
        form=lambda spec: getattr(spec, name) or None if default else getattr(spec, name),
        echo=echo,
    )


def _list(name: str, rule: Rule, *, echo: Echo = Echo.ALWAYS) -> Field:
    """Texts, in the order in which the specification has them."""
    return Field(
        name=name, attribute=name, rule=rule, form=lambda spec: list(getattr(spec, name)) or None,
        echo=echo,
    )  # fmt: skip


def _map(name: str, *, echo: Echo = Echo.ALWAYS) -> Field:
    """Texts by name."""
    return Field(
        name=name,
        attribute=name,
        rule=Rule.EACH_NAME,
        form=lambda spec: dict(getattr(spec, name)) or None,
        echo=echo,
    )


def _rows(name: str, rule: Rule, row: Callable[[Any], Any], *, attribute: str = "") -> Field:
    """Records, each as a list of its values."""
    held = attribute or name
    return Field(
        name=name,
        attribute=held,
        rule=rule,
        form=lambda spec: [row(item) for item in getattr(spec, held)] or None,
    )


def _words(name: str) -> Field:
    def form(spec: ServiceSpec) -> Any:
        words = getattr(spec, name)
        return None if words is None else list(words)

    return Field(name=name, attribute=name, rule=Rule.WORDS, form=form)


def _healthcheck(spec: ServiceSpec) -> Any:
    check = spec.healthcheck
    return None if check is None else healthcheck_settings(check) or None


def healthcheck_settings(check: Healthcheck) -> dict[str, Any]:
    """What a health check sets, by compose's names; spans in milliseconds."""
    found = {
        "test": None if check.test is None else list(check.test),
        "interval": check.interval_ms,
        "timeout": check.timeout_ms,
        "start_period": check.start_period_ms,
        "start_interval": check.start_interval_ms,
        "retries": check.retries,
    }
    return {name: value for name, value in found.items() if value is not None}


def _logging(spec: ServiceSpec) -> Any:
    return None if spec.logging is None else [spec.logging.driver, dict(spec.logging.options)]


def mount_row(mount: Mount) -> list[Any]:
    """A mount as the form has it; what was added later only where it is set."""
    more = _set({"no_copy": mount.no_copy, "propagation": mount.propagation})
    return [str(mount.kind), mount.source, mount.target, mount.read_only, *more]


def network_settings(network: NetworkAttachment) -> dict[str, Any]:
    """How a network is joined, beside name and aliases; only what is set."""
    found = {
        "ipv4_address": network.ipv4_address,
        "ipv6_address": network.ipv6_address,
        "link_local_ips": list(network.link_local_ips),
        "mac_address": network.mac_address,
        "gw_priority": network.gw_priority,
        "driver_opts": dict(network.driver_opts),
    }
    return {name: value for name, value in found.items() if value}


def _network_row(network: NetworkAttachment) -> list[Any]:
    more = _set({**network_settings(network), "priority": network.priority})
    return [network.name, *network.aliases, *more]


def _set(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = {name: value for name, value in values.items() if value}
    return [found] if found else []


def _pair(pair: tuple[str, str]) -> list[str]:
    return list(pair)


def _nothing(_: ServiceSpec) -> None:
    return None


ENVIRONMENT = Field(name="environment", attribute="environment", rule=Rule.EACH_NAME, form=_nothing)
SECRETS = Field(name="secrets", attribute="secrets", rule=Rule.EACH_USE, form=_nothing)
NETWORKS = Field(
    name="networks",
    attribute="networks",
    rule=Rule.EACH_NETWORK,
    form=lambda spec: [_network_row(network) for network in attachments(spec)] or None,
)

FIELDS: tuple[Field, ...] = (
    Field(name="image", attribute="image", rule=Rule.IMAGE, form=lambda spec: spec.image.canonical),
    _words("command"),
    _words("entrypoint"),
    _plain("user"),
    _plain("working_dir"),
    _switch("tty"),
    _switch("stdin_open"),
    _switch("init", default=False),
    _plain("stop_signal"),
    _plain("stop_grace_period", Rule.SECONDS, attribute="stop_grace_period_ms"),
    Field(name="healthcheck", attribute="healthcheck", rule=Rule.EACH_SETTING, form=_healthcheck),
    Field(
        name="restart",
        attribute="restart",
        rule=Rule.RESTART,
        form=lambda spec: f"{spec.restart.name}:{spec.restart.retries_max}",
    ),
    ENVIRONMENT,
    _map("labels"),
    _map("annotations", echo=Echo.SOME),
    _plain("platform", Rule.NEVER, echo=Echo.NEVER),
    _plain("cpus", attribute="nano_cpus"),
    _plain("cpu_shares"),
    _plain("cpu_quota"),
    _plain("cpu_period"),
    _plain("cpu_rt_runtime", echo=Echo.SOME),
    _plain("cpu_rt_period", echo=Echo.SOME),
    _plain("cpuset"),
    _plain("mem_limit"),
    _plain("mem_reservation"),
    _plain("memswap_limit", echo=Echo.SOME),
    _plain("mem_swappiness", echo=Echo.SOME),
    _plain("pids_limit"),
    _plain("shm_size"),
    _plain("oom_score_adj"),
    _switch("oom_kill_disable", echo=Echo.SOME),
    _rows("ulimits", Rule.EACH_NAME, lambda limit: [limit.name, limit.soft, limit.hard]),
    _map("storage_opt"),
    _switch("privileged"),
    _switch("read_only"),
    _list("cap_add", Rule.SAME_SET),
    _list("cap_drop", Rule.SAME_SET),
    _list("security_opt", Rule.CONTAINS),
    _list("group_add", Rule.SAME_SET),
    _map("sysctls"),
    _plain("userns_mode"),
    _plain("pid"),
    _plain("ipc"),
    _plain("uts"),
    _plain("cgroup"),
    _plain("cgroup_parent"),
    _plain("runtime"),
    _rows("devices", Rule.EACH_PATH, lambda d: [d.source, d.target, d.permissions]),
    _list("device_cgroup_rules", Rule.SAME_SET),
    _rows(
        "gpus",
        Rule.SAME_SET,
        lambda r: [r.driver, r.count, list(r.device_ids), list(r.capabilities), dict(r.options)],
        attribute="device_requests",
    ),
    _rows("ports", Rule.SAME_SET, lambda p: [p.host_ip, p.host, p.container, p.protocol]),
    NETWORKS,
    _plain("network_mode", Rule.NETWORK_MODE),
    _plain("hostname"),
    _plain("domainname"),
    _plain("mac_address"),
    _list("dns", Rule.EQUAL),
    _list("dns_opt", Rule.SAME_SET),
    _list("dns_search", Rule.EQUAL),
    _rows("extra_hosts", Rule.SAME_SET, _pair),
    _rows("volumes", Rule.EACH_PATH, mount_row),
    _rows("tmpfs", Rule.EACH_PATH, lambda t: [t.target, t.options]),
    SECRETS,
    Field(name="logging", attribute="logging", rule=Rule.DRIVER, form=_logging),
)

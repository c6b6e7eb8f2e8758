"""The networks a service joins, and the names and addresses it knows and is known by."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_integer, check_text, join
from iotistic.model.service import NetworkAttachment
from iotistic.model.vocabulary.entries import (
    ENTRIES_MAX,
    OBJECT_NAME,
    matching,
    object_name,
    pairs,
    text_pairs,
    texts,
    unset,
)

_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SEARCH_DOMAIN = re.compile(r"\.|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_HOST_NAME_OF_A_LIST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_DNS_OPTION = re.compile(r"[a-z0-9-]{1,32}(?::[0-9]{1,9})?")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MODES = ("bridge", "host", "none")
_SERVICE, _CONTAINER = "service:", "container:"
_CONTAINER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_HOST_GATEWAY = "host-gateway"
_RANK_MAX = 2**31 - 1
_OF_THE_OTHER = ("ports", "hostname", "dns", "dns_search", "dns_opt", "extra_hosts", "mac_address")
"""What belongs to the network that a service shares, so to the service that has it."""


def networks(config: Fields) -> tuple[NetworkAttachment, ...]:
    """The networks by name, sorted; a list of names, or an object with how each is joined."""
    raw = config.raw("networks")
    at = config.path("networks")
    if raw is None:
        return ()
    if not isinstance(raw, Mapping | list):
        raise InvalidField(at, expected="a list of names or an object", found=raw)
    if len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=f"at most {ENTRIES_MAX} networks", found=len(raw))
    if isinstance(raw, Mapping):
        found = [_attachment(config, name, value, at) for name, value in raw.items()]
    else:
        found = [
            NetworkAttachment(name=object_name(name, f"{at}[{n}]")) for n, name in enumerate(raw)
        ]
    return tuple(sorted(set(found)))


def _attachment(config: Fields, name: Any, raw: Any, at: str) -> NetworkAttachment:
    fields = config.nested({} if raw is None else raw, join(at, str(name)))
    attachment = NetworkAttachment(
        name=object_name(name, at),
        aliases=tuple(sorted(texts(fields, "aliases", read=object_name))),
        ipv4_address=_address(fields, "ipv4_address", 4),
        ipv6_address=_address(fields, "ipv6_address", 6),
        link_local_ips=tuple(sorted(texts(fields, "link_local_ips", read=address))),
        mac_address=mac_address(fields) or "",
        gw_priority=_rank(fields, "gw_priority"),
        priority=_rank(fields, "priority"),
        driver_opts=text_pairs(fields, "driver_opts"),
    )
    fields.warn_unknown()
    return attachment


def _address(fields: Fields, name: str, version: int) -> str:
    raw = unset(fields, name)
    if raw is None:
        return ""
    found = address(raw, fields.path(name))
    if ipaddress.ip_address(found).version != version:
        raise InvalidField(fields.path(name), expected=f"an IPv{version} address", found=raw)
    return found


def address(raw: Any, at: str) -> str:
    """An IP address in its shortest form; brackets around one of version 6 are left out."""
    text = check_text(raw, at, length_max=64, expected="an IP address")
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        raise InvalidField(at, expected="an IP address", found=raw) from error


def _rank(fields: Fields, name: str) -> int:
    raw = fields.raw(name)
    if raw is None:
        return 0
    return check_integer(raw, fields.path(name), low=-_RANK_MAX, high=_RANK_MAX)


def network_mode(config: Fields) -> str | None:
    """`bridge`, `host`, `none`, `service:NAME` or `container:ID`; None: networks of the app."""
    raw = unset(config, "network_mode", "networkMode")
    at = config.path("network_mode")
    if raw is None:
        return None
    if isinstance(raw, str) and len(raw) <= 256:
        if raw in _MODES:
            return raw
        if raw.startswith(_SERVICE) and OBJECT_NAME.fullmatch(raw.removeprefix(_SERVICE)):
            return raw
        if raw.startswith(_CONTAINER) and _CONTAINER_NAME.fullmatch(raw.removeprefix(_CONTAINER)):
            return raw
    raise InvalidField(
        at,
        expected=f"one of {', '.join(_MODES)}, service:NAME, container:ID",
        found=raw,
        remedy="or name networks under networks",
    )


def check_mode(config: Fields, mode: str | None, joined: tuple[NetworkAttachment, ...]) -> None:
    """Refuse what cannot stand beside a network mode."""
    if mode is None:
        return
    if joined:
        raise InvalidField(
            config.path("networks"),
            expected=f"no networks beside network_mode {mode}",
            found=[network.name for network in joined],
            remedy="remove one of the two",
        )
    if mode.startswith((_SERVICE, _CONTAINER)):
        for name in _OF_THE_OTHER:
            if config.raw(name):
                raise InvalidField(
                    config.path(name),
                    expected=f"nothing, since the network is that of {mode}",
                    found="a value",
                    remedy="write it where the network belongs to",
                )
    elif mode in ("host", "none") and config.raw("ports"):
        config.warn(config.path("ports"), f"mean nothing with network_mode {mode}")


def hostname(config: Fields, name: str = "hostname") -> str | None:
    """A host name, or a domain name."""
    raw = unset(config, name)
    return None if raw is None else matching(_HOSTNAME, "a host name")(raw, config.path(name))


def mac_address(fields: Fields) -> str | None:
    """A hardware address, in lower case and with colons."""
    raw = unset(fields, "mac_address")
    if raw is None:
        return None
    expected = "an address such as 02:42:ac:11:00:02"
    at = fields.path("mac_address")
    text = check_text(raw, at, length_max=32, expected=expected).lower().replace("-", ":")
    return check_text(text, at, pattern=_MAC, expected=expected)


def dns(config: Fields) -> tuple[str, ...]:
    """Name servers, in the order in which they are asked."""
    return texts(config, "dns", read=address)


def dns_search(config: Fields) -> tuple[str, ...]:
    """Domains in which a short name is looked for, in that order."""
    return texts(config, "dns_search", read=matching(_SEARCH_DOMAIN, "a domain name"))


def dns_opt(config: Fields) -> tuple[str, ...]:
    """Options of the resolver, sorted."""
    read = matching(_DNS_OPTION, "an option such as ndots:2")
    return tuple(sorted(set(texts(config, "dns_opt", read=read))))


def extra_hosts(config: Fields) -> tuple[tuple[str, str], ...]:
    """(name, address) for the service's hosts file, sorted; `host-gateway` is kept as a word."""
    found: set[tuple[str, str]] = set()
    raw = config.raw("extra_hosts")
    if isinstance(raw, Mapping):
        if len(raw) > ENTRIES_MAX:
            at = config.path("extra_hosts")
            raise InvalidField(at, expected=f"at most {ENTRIES_MAX} entries", found=len(raw))
        for name, value in raw.items():
            at = join(config.path("extra_hosts"), str(name))
            values = value if isinstance(value, list) else [value]
            if len(values) > ENTRIES_MAX:
                raise InvalidField(at, expected=f"at most {ENTRIES_MAX} entries", found=len(values))
            found.update(_host(str(name), item, at) for item in values)
    else:
        for name, text, at in pairs(config, "extra_hosts", mark="=:"):
            found.add(_host(name, text, at))
    return tuple(sorted(found))


def _host(name: str, raw: Any, at: str) -> tuple[str, str]:
    check_text(name, at, pattern=_HOST_NAME_OF_A_LIST, expected="NAME=ADDRESS or NAME:ADDRESS")
    return name, raw if raw == _HOST_GATEWAY else address(raw, at)

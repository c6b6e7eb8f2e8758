"""Published ports of a service: compose's short and long forms, ranges, one form afterwards."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_integer
from iotistic.model.service import PortBinding

PORTS_MAX = 1000
_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9A-Fa-f:]+\]|[0-9.]+):)?(?P<host>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<container>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>tcp|udp|sctp))?"
)
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_PORT_EXPECTED = "[[IP:]HOST:]CONTAINER[/tcp|udp|sctp], ports or ranges from 1 to 65535"


def parse_ports(config: Fields) -> tuple[PortBinding, ...]:
    """Read `ports` of a service; ranges are spelled out. Raises InvalidField."""
    bindings: set[PortBinding] = set()
    taken: dict[tuple[str, int], list[PortBinding]] = {}
    for n, raw in enumerate(config.items("ports", high=PORTS_MAX)):
        at = f"{config.path('ports')}[{n}]"
        found = (
            _long_port(config.nested(raw, at)) if isinstance(raw, Mapping) else _short_port(raw, at)
        )
        bindings.update(found)
        if len(bindings) > PORTS_MAX:
            raise InvalidField(at, expected=f"at most {PORTS_MAX} ports", found=len(bindings))
        for port in found:
            _refuse_twice(port, taken, at)
    return tuple(sorted(bindings, key=lambda p: (p.container, p.protocol, p.host_ip, p.host or 0)))


def _refuse_twice(
    port: PortBinding, taken: dict[tuple[str, int], list[PortBinding]], at: str
) -> None:
    """One port of the host leads to one port of the container: an engine would not start it."""
    if port.host is None:
        return
    same = taken.setdefault((port.protocol, port.host), [])
    for other in same:
        meets = port.host_ip == other.host_ip or "" in (port.host_ip, other.host_ip)
        if meets and other != port:
            raise InvalidField(
                at,
                expected=f"a port of the host that is not taken by port {other.container} of the"
                " same service",
                found=port.host,
            )
    same.append(port)


def _short_port(raw: Any, at: str) -> list[PortBinding]:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    match = _PORT.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise InvalidField(at, expected=_PORT_EXPECTED, found=raw)
    container = _range(match["container"], at)
    host: list[int] | None = _range(match["host"], at) if match["host"] else None
    if host is not None and len(host) != len(container):
        raise InvalidField(at, expected="host and container ranges of one length", found=raw)
    return _bind(container, host, _host_ip(match["ip"], at), match["protocol"] or "tcp")


def _long_port(fields: Fields) -> list[PortBinding]:
    target = fields.required("target", expected="a port, or a range of ports")
    container = _range(str(target), fields.path("target"))
    published = fields.raw("published")
    host = None if published in (None, "") else _range(str(published), fields.path("published"))
    if host is not None and len(host) != len(container):
        raise InvalidField(
            fields.path("published"), expected="a range of the length of target", found=published
        )
    protocol = fields.optional_text("protocol") or "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise InvalidField(fields.path("protocol"), expected="tcp, udp or sctp", found=protocol)
    address = _host_ip(fields.optional_text("host_ip", length_max=64), fields.path("host_ip"))
    for decoration in ("mode", "name", "app_protocol"):
        fields.raw(decoration)
    fields.warn_unknown()
    return _bind(container, host, address, protocol)


def _bind(
    container: list[int], host: list[int] | None, host_ip: str, protocol: str
) -> list[PortBinding]:
    return [
        PortBinding(
            container=port, protocol=protocol, host_ip=host_ip, host=host[n] if host else None
        )
        for n, port in enumerate(container)
    ]


def _range(text: str, at: str) -> list[int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise InvalidField(at, expected=_PORT_EXPECTED, found=text)
    low = check_integer(int(match[1]), at, low=1, high=65535)
    high = check_integer(int(match[2]), at, low=1, high=65535) if match[2] else low
    if high < low or high - low >= PORTS_MAX:
        raise InvalidField(at, expected=f"a rising range of at most {PORTS_MAX} ports", found=text)
    return list(range(low, high + 1))


def _host_ip(text: str | None, at: str) -> str:
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError as error:
        raise InvalidField(at, expected="an IP address", found=text) from error
    # The engine stores "every IPv4 address" as 0.0.0.0, and that is also what no address means.
    return "" if address == ipaddress.IPv4Address(0) else str(address)

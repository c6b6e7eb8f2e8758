"""What hardly changes about the host."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

_NAME_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """System, machine architecture (as the kernel says it) and the address on the local net."""

    os_version: str
    architecture: str
    local_ip: str | None = None


def read_host_facts(root: Path = Path("/")) -> HostFacts:
    """Read them; a few small files and one socket that sends nothing. Call it off the loop."""
    return HostFacts(
        os_version=_os_version(root),
        architecture=os.uname().machine,
        local_ip=local_ip(),
    )


def local_ip() -> str | None:
    """The address from which this host speaks to others; None without a way out."""
    # Connecting a datagram socket sends nothing: the kernel only looks up the route. The address
    # is one that is set aside for documentation, so nobody is there.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            return None
    return address if address != "0.0.0.0" else None  # noqa: S104 - compared, not bound


def mac_address(root: Path = Path("/")) -> str | None:
    """The hardware address of the first interface that is a device of its own; None without."""
    for interface in sorted((root / "sys/class/net").glob("*")):
        # Bridges, tunnels and the ends of containers' cables have no device behind them.
        if (interface / "device").exists():
            try:
                return (interface / "address").read_text("ascii").strip()
            except OSError:
                continue
    return None


def _os_version(root: Path) -> str:
    # Read here and not by `platform.freedesktop_os_release`, which cannot be pointed at the
    # host's files from within a container.
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = (root / name).read_text("utf-8", "replace")
        except OSError:
            continue
        for line in text.splitlines():
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME" and value.strip("\"' "):
                return value.strip("\"' ")[:_NAME_LENGTH_MAX]
    return f"{platform.system()} {platform.release()}"[:_NAME_LENGTH_MAX]

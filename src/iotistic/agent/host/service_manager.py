"""Telling the init system how the agent is doing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def sd_notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `state` (such as "READY=1" or "WATCHDOG=1") to the service manager.

    False when nobody asked for it (NOTIFY_SOCKET is not set) or nobody listens: the agent must
    not fail because its supervisor does. Source: sd_notify(3).
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.connect(address)
            sender.send(state.encode())
    except OSError:
        return False
    return True

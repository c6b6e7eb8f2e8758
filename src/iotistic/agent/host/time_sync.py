"""Whether somebody keeps the wall clock right. Asked of the kernel; nothing is sent anywhere."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

SYSTEMD_MARK = Path("/run/systemd/timesync/synchronized")
"""There once systemd's time client has set the clock in this boot."""
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_ROOM_FOR_THE_REST = 480


class _Timex(ctypes.Structure):
    """The head of `struct timex`, as far as the status. The rest the kernel writes is room.

    Source: adjtimex(2); the same in glibc and musl, of 32 and 64 bits.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _ROOM_FOR_THE_REST),
    )


def kernel_synced() -> bool | None:
    """What the kernel says: every time client (NTP, PTP, chrony) tells it. None: it does not say.

    Costs a system call. The kernel takes the word back by itself when the client falls silent.
    """
    adjtimex = _adjtimex()
    if adjtimex is None:
        return None
    found = _Timex()  # no modes: only asked
    state = adjtimex(ctypes.byref(found))
    if state < 0:  # not allowed in here
        return None
    return state != _TIME_ERROR and not found.status & _STA_UNSYNC


@cache
def _adjtimex() -> Callable[[Any], int] | None:
    try:
        # Each CDLL makes classes of its own, so it is made once.
        return ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None


def clock_synced(ask: Callable[[], bool | None] = kernel_synced, mark: Path = SYSTEMD_MARK) -> bool:
    """Whether a time client keeps the wall clock right; False as well when nobody can tell.

    Where the kernel may not be asked, and in a container in which nobody asks it, systemd's mark
    is believed: it stays until the next boot.
    """
    said = ask()
    return mark.exists() if said is None else said

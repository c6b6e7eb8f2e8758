"""How much of the machine a service may use.

Limits may stand in three places: compose's own fields, `deploy.resources`, and the older
`resources`. What stands in two of them has to be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text
from iotistic.model.service import DeviceRequest, Pairs, Ulimit
from iotistic.model.vocabulary.entries import ENTRIES_MAX, text_pairs, unset
from iotistic.model.vocabulary.hardware import device_requests
from iotistic.model.vocabulary.quantities import (
    bytes_of,
    microseconds_of,
    nano_cpus_of,
    whole,
)

MEMORY_MIN = 6 * 1024 * 1024
"""What the engine takes at least."""
SHARES_MAX = 262_144
_ULIMIT_NAME = re.compile(r"[a-z]{1,32}")
_LIMIT_MAX = 2**53 - 1
_CPU_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_OPTION_NAME = re.compile(r"[a-z0-9_.-]{1,64}")

Read = Callable[[Any, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What `deploy.resources` and the two other places say together; None is unset."""

    nano_cpus: int | None
    mem_limit: int | None
    mem_reservation: int | None
    pids_limit: int | None
    device_requests: tuple[DeviceRequest, ...]


def limits(config: Fields) -> Limits:
    """Read every limit that has more than one place. Raises InvalidField where they disagree."""
    deploy = config.child("deploy")
    deployed = deploy.child("resources")
    upper, lower = deployed.child("limits"), deployed.child("reservations")
    older = config.child("resources")
    most, least = older.child("limits"), older.child("requests")
    found = Limits(
        nano_cpus=_agreed(
            (config, ("cpus",)), (upper, ("cpus",)), (most, ("cpu", "cpus")), read=nano_cpus_of
        ),
        mem_limit=_agreed(
            (config, ("mem_limit",)), (upper, ("memory",)), (most, ("memory",)), read=bytes_of
        ),
        mem_reservation=_agreed(
            (config, ("mem_reservation",)),
            (lower, ("memory",)),
            (least, ("memory",)),
            read=bytes_of,
        ),
        pids_limit=_agreed((config, ("pids_limit",)), (upper, ("pids",)), read=_pids),
        device_requests=device_requests(config, lower),
    )
    lower.ignore("cpus", "processors cannot be set aside for a service")
    least.ignore("cpu", "processors cannot be set aside for a service")
    _replicas(deploy)
    for fields in (upper, lower, deployed, deploy, most, least, older):
        fields.warn_unknown()
    return found


def _agreed(*places: tuple[Fields, tuple[str, ...]], read: Read) -> int | None:
    found: list[tuple[str, int]] = []
    for fields, names in places:
        raw = unset(fields, *names)
        if raw is not None:
            at = fields.path(names[0])
            found.append((at, read(raw, at)))
    for at, value in found[1:]:
        if value != found[0][1]:
            raise InvalidField(
                at,
                expected=f"the same as {found[0][0]}",
                found=value,
                remedy="write it in one place",
            )
    return (found[0][1] or None) if found else None


def _pids(raw: Any, at: str) -> int:
    return max(0, whole(raw, at, low=-1, high=2**22))


def _replicas(deploy: Fields) -> None:
    raw = deploy.raw("replicas")
    if raw is not None and whole(raw, deploy.path("replicas")) != 1:
        raise InvalidField(
            deploy.path("replicas"),
            expected="1, since a device runs a service once",
            found=raw,
            remedy="write one service for each instance",
        )


def check_together(config: Fields, limit: Limits, memory_and_swap: int | None) -> None:
    """Refuse what an engine would: limits that contradict each other."""
    quota = [name for name in ("cpu_quota", "cpu_period") if unset(config, name) is not None]
    if limit.nano_cpus is not None and quota:
        raise InvalidField(
            config.path(quota[0]), expected="no cpu_quota or cpu_period beside cpus", found="both"
        )
    most, least = limit.mem_limit, limit.mem_reservation
    if most is not None and most < MEMORY_MIN:
        raise InvalidField(
            config.path("mem_limit"), expected=f"at least {MEMORY_MIN} bytes", found=most
        )
    if most is not None and least is not None and least > most:
        raise InvalidField(
            config.path("mem_reservation"), expected=f"at most mem_limit, {most}", found=least
        )
    if memory_and_swap is None:
        return
    if most is None:
        raise InvalidField(
            config.path("memswap_limit"), expected="a mem_limit beside it", found=memory_and_swap
        )
    if memory_and_swap != -1 and memory_and_swap < most:
        raise InvalidField(
            config.path("memswap_limit"),
            expected=f"at least mem_limit, {most}, which is part of it",
            found=memory_and_swap,
        )


def size(config: Fields, name: str) -> int | None:
    """A size in bytes; 0 is unset."""
    raw = unset(config, name)
    return None if raw is None else bytes_of(raw, config.path(name)) or None


def memswap_limit(config: Fields) -> int | None:
    """Memory and swap together, in bytes; -1 is without limit."""
    raw = unset(config, "memswap_limit")
    return -1 if raw in (-1, "-1") else size(config, "memswap_limit")


def number(config: Fields, name: str, *, low: int, high: int) -> int | None:
    """An integer; 0 is unset, and so is -1 where only more than that has a meaning."""
    raw = unset(config, name)
    return None if raw is None else whole(raw, config.path(name), low=low, high=high) or None


def mem_swappiness(config: Fields) -> int | None:
    """How willingly memory is swapped, 0 to 100; here 0 means something, and -1 is unset."""
    raw = unset(config, "mem_swappiness")
    found = -1 if raw is None else whole(raw, config.path("mem_swappiness"), low=-1, high=100)
    return None if found == -1 else found


def quota(config: Fields, name: str) -> int | None:
    """A share of the scheduler's time, in microseconds; 0 and -1 are unset."""
    raw = unset(config, name)
    if raw is None or raw in (-1, "-1"):
        return None
    return microseconds_of(raw, config.path(name)) or None


def cpuset(config: Fields) -> str | None:
    """The processors it may run on, as rising ranges: `3,0-1,2` is `0-3`."""
    raw = unset(config, "cpuset")
    if raw is None:
        return None
    at = config.path("cpuset")
    expected = "processors such as 0-2,4"
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    found: set[int] = set()
    for part in check_text(text, at, length_max=1024, expected=expected).split(","):
        match = _CPU_RANGE.fullmatch(part.strip())
        if match is None:
            raise InvalidField(at, expected=expected, found=raw)
        low = int(match[1])
        high = int(match[2] or low)
        if high < low:
            raise InvalidField(at, expected=expected, found=raw)
        found.update(range(low, high + 1))
    return ",".join(_ranges(sorted(found)))


def _ranges(numbers: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return [str(low) if low == high else f"{low}-{high}" for low, high in runs]


def ulimits(config: Fields) -> tuple[Ulimit, ...]:
    """Limits of the kernel: one number is both the soft and the hard one, -1 is none."""
    raw = config.mapping("ulimits")
    at = config.path("ulimits")
    if len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=f"at most {ENTRIES_MAX} limits", found=len(raw))
    return tuple(sorted(_ulimit(config, str(name), value, at) for name, value in raw.items()))


def _ulimit(config: Fields, name: str, raw: Any, at: str) -> Ulimit:
    check_text(name, at, pattern=_ULIMIT_NAME, expected="limits by name, such as nofile")
    path = f"{at}.{name}"
    if not isinstance(raw, Mapping):
        both = whole(raw, path, low=-1, high=_LIMIT_MAX)
        return Ulimit(name=name, soft=both, hard=both)
    fields = config.nested(raw, path)
    soft, hard = (
        whole(
            fields.required(side, expected="a number, -1 for none"),
            fields.path(side),
            low=-1,
            high=_LIMIT_MAX,
        )
        for side in ("soft", "hard")
    )
    fields.warn_unknown()
    if hard != -1 and (soft > hard or soft == -1):
        raise InvalidField(fields.path("soft"), expected=f"at most hard, {hard}", found=soft)
    return Ulimit(name=name, soft=soft, hard=hard)


def storage_opt(config: Fields) -> Pairs:
    """Options of the engine's storage driver."""
    return text_pairs(config, "storage_opt", pattern=_OPTION_NAME)

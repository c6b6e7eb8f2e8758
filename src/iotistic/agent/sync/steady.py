"""What of the figures is news, and what is only their trembling. Pure.

Everything is measured from what was told, and not in fixed buckets: a value that trembles at the
border of two buckets would be told each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

RECENT_LOOKS = 5
JUMP_STEPS = 3.0
"""No trembling reaches so far: told at once."""
CPU_STEP = 5.0
STEPS: Mapping[str, float] = {
    "cpu_usage": CPU_STEP,
    "memory_percent": 1.0,
    "storage_percent": 1.0,
    "temperature": 1.0,
}
_SHARE_STEP = 1.0
_PARTS = 0.25
"""Of a quantity without a natural step: a quarter of what was told."""
_BYTES_MIN = 4096.0
_DETAILS = ("top_processes", "network_interfaces", "network_rates", "service_stats")


def moved(
    told: Mapping[str, Any], fresh: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]] = ()
) -> bool:
    """Whether the figures are news: a value came, or went, or jumped; or it is a step away from
    what was told, and so it was in most of the looks, this one and the `earlier` ones.
    """
    looks = (*earlier, fresh)
    for name, step in STEPS.items():
        before, after = told.get(name), fresh.get(name)
        if before is None or after is None:
            if before != after:
                return True
            continue
        distance = abs(after - before)
        if distance >= JUMP_STEPS * step:
            return True
        lasting = median(look[name] for look in looks if name in look)
        if distance >= step and abs(lasting - before) >= step:
            return True
    return False


def without_trembling(told: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """The details as they were told, but for those that changed."""
    found = dict(fresh)
    for name in _DETAILS:
        if name in told and name in fresh and _is_alike(told[name], fresh[name]):
            found[name] = told[name]
    return found


def _is_alike(told: Any, fresh: Any, name: str = "") -> bool:
    """The same things with nearly the same figures. The order of a list means nothing."""
    if isinstance(told, Mapping) and isinstance(fresh, Mapping):
        if told.keys() != fresh.keys():
            return False
        return all(_is_alike(told[key], fresh[key], key) for key in told)
    if isinstance(told, list | tuple) and isinstance(fresh, list | tuple):
        ours, theirs = (sorted(one, key=_name_of) for one in (told, fresh))
        if len(ours) != len(theirs):
            return False
        return all(_is_alike(before, after) for before, after in zip(ours, theirs, strict=True))
    if _is_number(told) and _is_number(fresh):
        return bool(abs(fresh - told) <= _slack(name, told))
    return bool(told == fresh)


def _slack(name: str, told: float) -> float:
    if name.startswith("cpu"):
        return CPU_STEP
    if name in ("mem", "memory_percent"):
        return _SHARE_STEP
    if "_per_s" in name:
        return max(_BYTES_MIN, _PARTS * abs(told))
    return _PARTS * abs(told) if name == "memory_bytes" else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name_of(item: Any) -> str:
    return str((item.get("pid", ""), item.get("name", ""))) if isinstance(item, Mapping) else ""

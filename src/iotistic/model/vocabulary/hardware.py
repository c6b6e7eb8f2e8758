"""Devices of the host: by path, by rule, and by what they can do (graphics cards)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text
from iotistic.model.service import Device, DeviceRequest
from iotistic.model.vocabulary.entries import absolute, each, matching, scalar, text_pairs, texts
from iotistic.model.vocabulary.quantities import whole

_PERMISSIONS = re.compile(r"[rwm]{1,3}")
_RULE = re.compile(r"[abc] (?:[0-9]{1,9}|\*):(?:[0-9]{1,9}|\*) [rwm]{1,3}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,255}")
_ALL = -1


def devices(config: Fields) -> tuple[Device, ...]:
    """Devices of the host, each path inside once."""
    found = sorted(
        _long_device(config.nested(raw, at)) if isinstance(raw, Mapping) else _short(raw, at)
        for raw, at in each(config, "devices")
    )
    found.sort(key=lambda device: device.target)
    for one, other in itertools.pairwise(found):
        if one.target == other.target:
            raise InvalidField(
                config.path("devices"), expected="each path inside once", found=one.target
            )
    return tuple(found)


def _short(raw: Any, at: str) -> Device:
    expected = "HOST_PATH[:PATH][:rwm]"
    source, *rest = check_text(raw, at, expected=expected).split(":")
    permissions = "rwm"
    if rest and _PERMISSIONS.fullmatch(rest[-1]):
        permissions = rest.pop()
    if len(rest) > 1:
        raise InvalidField(at, expected=expected, found=raw)
    return _device(source, rest[0] if rest else source, permissions, at)


def _long_device(fields: Fields) -> Device:
    source = fields.text("source")
    device = _device(
        source,
        fields.optional_text("target") or source,
        fields.optional_text("permissions") or "rwm",
        fields.at,
    )
    fields.warn_unknown()
    return device


def _device(source: str, target: str, permissions: str, at: str) -> Device:
    check_text(permissions, at, pattern=_PERMISSIONS, expected="permissions of r, w and m")
    return Device(
        source=absolute(source, at),
        target=absolute(target, at),
        permissions="".join(letter for letter in "rwm" if letter in permissions),
    )


def device_cgroup_rules(config: Fields) -> tuple[str, ...]:
    """Rules such as `c 13:* rmw`: kind, major and minor number, what may be done."""
    read = matching(_RULE, "a rule such as 'c 13:* rwm'")
    return tuple(
        sorted({_ordered(rule) for rule in texts(config, "device_cgroup_rules", read=read)})
    )


def _ordered(rule: str) -> str:
    head, _, permissions = rule.rpartition(" ")
    return f"{head} {''.join(letter for letter in 'rwm' if letter in permissions)}"


def device_requests(config: Fields, reservations: Fields) -> tuple[DeviceRequest, ...]:
    """`gpus`, and `devices` of `deploy.resources.reservations`."""
    found = {
        *_requests(config, "gpus", default=("gpu",)),
        *_requests(reservations, "devices", default=()),
    }
    return tuple(sorted(found))


def _requests(fields: Fields, name: str, *, default: tuple[str, ...]) -> list[DeviceRequest]:
    if default and fields.raw(name) == "all":
        return [DeviceRequest(count=_ALL, capabilities=default)]
    return [_request(fields.nested(raw, at), default) for raw, at in each(fields, name)]


def _request(fields: Fields, default: tuple[str, ...]) -> DeviceRequest:
    word = matching(_WORD, "a name")
    device_ids = tuple(
        sorted(texts(fields, "device_ids", read=lambda raw, at: word(scalar(raw, at), at)))
    )
    count = fields.raw("count")
    if count is not None and device_ids:
        raise InvalidField(
            fields.path("count"), expected="one of count and device_ids", found=count
        )
    capabilities = tuple(sorted(texts(fields, "capabilities", read=word))) or default
    if not capabilities:
        raise InvalidField(fields.path("capabilities"), expected="a list such as [gpu]")
    request = DeviceRequest(
        driver=fields.optional_text("driver", length_max=128) or "",
        count=0 if device_ids else _count(count, fields.path("count")),
        device_ids=device_ids,
        capabilities=capabilities,
        options=text_pairs(fields, "options"),
    )
    fields.warn_unknown()
    return request


def _count(raw: Any, at: str) -> int:
    return _ALL if raw in (None, "all", _ALL) else whole(raw, at, low=1, high=4096)

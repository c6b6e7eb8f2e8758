"""What an app says beside its services: networks, volumes, its release and how it is updated."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.objects import IpamPool, NetworkSpec, VolumeSpec
from iotistic.model.reader import Fields, check_text, join
from iotistic.model.release import LockMode, OnFailure, Strategy, StrategyKind, Verify
from iotistic.model.vocabulary.entries import labels, object_name, text_pairs, unset
from iotistic.model.vocabulary.networking import address
from iotistic.model.vocabulary.quantities import milliseconds_of

OBJECTS_MAX = 200
POOLS_MAX = 16
RELEASE_LENGTH_MAX = 128
HANDOVER_S_MAX = 24 * 3600.0
VERIFY_S_MAX = 7 * 24 * 3600.0
_ENGINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_DRIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}")
_OPTION_NAME = re.compile(r"[^=\s\0]{1,256}")


def networks(app: Fields) -> tuple[NetworkSpec, ...]:
    """`networks` of an app, sorted by name."""
    return tuple(sorted(_network(fields, name) for name, fields in _objects(app, "networks")))


def volumes(app: Fields) -> tuple[VolumeSpec, ...]:
    """`volumes` of an app, sorted by name."""
    return tuple(sorted(_volume(fields, name) for name, fields in _objects(app, "volumes")))


def _objects(app: Fields, what: str) -> Iterator[tuple[str, Fields]]:
    """(short name, its fields) of an object by name, or of the older list with `name`."""
    raw = app.raw(what)
    at = app.path(what)
    if raw is None:
        return
    if not isinstance(raw, Mapping | list):
        raise InvalidField(at, expected="an object by name, or a list", found=raw)
    if len(raw) > OBJECTS_MAX:
        raise InvalidField(at, expected=f"at most {OBJECTS_MAX} entries", found=len(raw))
    if isinstance(raw, Mapping):
        for name, value in raw.items():
            fields = app.nested({} if value is None else value, join(at, str(name)))
            yield object_name(name, at), fields
        return
    names: set[str] = set()
    for n, value in enumerate(raw):
        given = app.nested(value, f"{at}[{n}]")
        name = object_name(given.required("name", expected="a name"), given.path("name"))
        if name in names:
            raise InvalidField(at, expected="each name once", found=name)
        names.add(name)
        # There the name is the short one; what the engine calls it cannot be said in a list.
        rest = {field: entry for field, entry in value.items() if field != "name"}
        yield name, app.nested(rest, given.at)


def _network(fields: Fields, short_name: str) -> NetworkSpec:
    external, name = _external(fields, short_name)
    if external:
        _refuse_more(fields)
        return NetworkSpec(short_name=short_name, name=name, external=True)
    driver_opts = text_pairs(fields, "driver_opts", "driverOpts", pattern=_OPTION_NAME)
    ipam = fields.child("ipam")
    spec = NetworkSpec(
        short_name=short_name,
        name=name,
        driver=_driver(fields),
        driver_opts=driver_opts,
        internal=fields.boolean("internal", default=False),
        enable_ipv6=fields.boolean("enable_ipv6", default=False),
        attachable=fields.boolean("attachable", default=False),
        labels=labels(fields),
        ipam_driver=_driver(ipam),
        ipam_options=text_pairs(ipam, "options", pattern=_OPTION_NAME),
        ipam_pools=tuple(
            _pool(ipam, raw, f"{ipam.path('config')}[{n}]")
            for n, raw in enumerate(ipam.items("config", high=POOLS_MAX))
        ),
    )
    ipam.warn_unknown()
    fields.warn_unknown()
    return spec


def _volume(fields: Fields, short_name: str) -> VolumeSpec:
    external, name = _external(fields, short_name)
    if external:
        _refuse_more(fields)
        return VolumeSpec(short_name=short_name, name=name, external=True)
    spec = VolumeSpec(
        short_name=short_name,
        name=name,
        driver=_driver(fields),
        driver_opts=text_pairs(fields, "driver_opts", "driverOpts", pattern=_OPTION_NAME),
        labels=labels(fields),
    )
    fields.warn_unknown()
    return spec


def _external(fields: Fields, short_name: str) -> tuple[bool, str]:
    raw, name = fields.raw("external"), fields.raw("name")
    at = fields.path("name")
    if isinstance(raw, Mapping):  # an older form of compose: external: {name: …}
        inner = fields.child("external")
        given = inner.raw("name")
        inner.warn_unknown()
        name, external = given or name, True
    else:
        external = fields.boolean("external", default=False)
    if name is None or name == "":
        return external, short_name if external else ""
    return external, check_text(name, at, pattern=_ENGINE_NAME, expected="a name of the engine")


def _refuse_more(fields: Fields) -> None:
    for name in (
        "driver",
        "driver_opts",
        "ipam",
        "internal",
        "enable_ipv6",
        "attachable",
        "labels",
    ):
        if fields.raw(name):
            raise InvalidField(
                fields.path(name),
                expected="nothing beside external, since others make it",
                found="a value",
            )
    fields.warn_unknown()


def _driver(fields: Fields) -> str:
    raw = unset(fields, "driver")
    return "" if raw is None else check_text(
        raw, fields.path("driver"), pattern=_DRIVER, expected="the name of a driver"
    )  # fmt: skip


def _pool(ipam: Fields, raw: Any, at: str) -> IpamPool:
    fields = ipam.nested(raw, at)
    aux = fields.child("aux_addresses")
    pool = IpamPool(
        subnet=_range(fields, "subnet"),
        gateway=_pool_address(fields, "gateway"),
        ip_range=_range(fields, "ip_range"),
        aux_addresses=tuple(
            (name, address(value, aux.path(name)))
            for name, value in text_pairs(fields, "aux_addresses", pattern=_OPTION_NAME)
        ),
    )
    fields.warn_unknown()
    if not pool.subnet:
        raise InvalidField(fields.path("subnet"), expected="a range such as 172.28.0.0/16")
    subnet = ipaddress.ip_network(pool.subnet)
    if pool.gateway and ipaddress.ip_address(pool.gateway) not in subnet:
        raise InvalidField(
            fields.path("gateway"), expected=f"an address in {subnet}", found=pool.gateway
        )
    return pool


def _range(fields: Fields, name: str) -> str:
    raw = unset(fields, name)
    if raw is None:
        return ""
    expected = "a range of addresses such as 172.28.0.0/16"
    text = check_text(raw, fields.path(name), length_max=64, expected=expected)
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise InvalidField(fields.path(name), expected=expected, found=raw) from error


def _pool_address(fields: Fields, name: str) -> str:
    raw = unset(fields, name)
    return "" if raw is None else address(raw, fields.path(name))


def release(app: Fields) -> str | None:
    """The name that the operator gave to this version of the app, if any."""
    raw = unset(app, "release")
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        return _release_name(raw, app.path("release"))
    fields = app.nested(raw, app.path("release"))
    found = [
        _release_name(value, fields.path(name))
        for name in ("id", "commit")
        if (value := unset(fields, name)) is not None
    ]
    fields.warn_unknown()
    return found[0] if found else None


def _release_name(raw: Any, at: str) -> str:
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    return check_text(text, at, length_max=RELEASE_LENGTH_MAX, expected="a short text")


def strategy(app: Fields) -> Strategy:
    """In which order the new replaces the old: `KIND`, or `{kind, handover_timeout}`."""
    raw = unset(app, "strategy")
    if raw is None:
        return Strategy()
    at = app.path("strategy")
    if not isinstance(raw, Mapping):
        return Strategy(
            kind=app.choice("strategy", StrategyKind, default=StrategyKind(Strategy().kind))
        )
    fields = app.nested(raw, at)
    found = Strategy(
        kind=fields.choice("kind", StrategyKind, default=Strategy().kind),
        handover_timeout_s=_span_s(
            fields, "handover_timeout", Strategy().handover_timeout_s, high=HANDOVER_S_MAX
        ),
    )
    fields.warn_unknown()
    return found


def verify(app: Fields) -> Verify:
    """When a release of the app counts as good, and what happens otherwise."""
    fields = app.child("verify")
    default = Verify()
    found = Verify(
        timeout_s=_span_s(fields, "timeout", default.timeout_s, high=VERIFY_S_MAX),
        healthy_s=_span_s(fields, "min_healthy_s", default.healthy_s, high=VERIFY_S_MAX),
        on_failure=fields.choice("on_failure", OnFailure, default=default.on_failure),
    )
    fields.warn_unknown()
    if found.healthy_s >= found.timeout_s:
        raise InvalidField(
            fields.path("min_healthy_s"),
            expected=f"less than timeout, {found.timeout_s:g} s",
            found=found.healthy_s,
        )
    return found


def lock(app: Fields) -> LockMode:
    """Whether updates of the app wait for locks."""
    return app.choice("lock", LockMode, default=LockMode.RESPECT)


def _span_s(fields: Fields, name: str, default: float, *, high: float) -> float:
    raw = unset(fields, name)
    if raw is None:
        return default
    found = milliseconds_of(raw, fields.path(name)) / 1000
    if found > high:
        raise InvalidField(fields.path(name), expected=f"at most {high:g} s", found=raw)
    return found

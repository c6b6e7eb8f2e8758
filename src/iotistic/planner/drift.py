"""What of a container is not as the target says, found by looking at the container itself.

Only what the target sets is compared: the rest is the engine's or the image's business. And what
an engine wrote differently from the beginning is its way to say the same: a field that is still
as it was at birth has not been changed by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from iotistic.model.errors import MASK
from iotistic.model.image import ImageRef
from iotistic.model.service import Mount, RestartName, SecretUse, ServiceSpec, Tmpfs
from iotistic.planner.fields import (
    ENVIRONMENT,
    FIELDS,
    NETWORKS,
    SECRETS,
    Field,
    Rule,
    attachments,
    healthcheck_settings,
    mount_row,
    network_settings,
)
from iotistic.planner.normal_form import normal_form, short_hashes, shown
from iotistic.planner.world import Difference

_Finding = tuple[str, Any, Any]
"""What of the field (or ""), the value wanted, the value found (None: not there)."""
_Compare = Callable[[Any, Any], Iterator[_Finding]]


def drift(
    wanted: ServiceSpec,
    found: ServiceSpec,
    *,
    service_name: str,
    key: bytes,
    born: Mapping[str, str] | None,
) -> tuple[Difference, ...]:
    """The fields set by the target in which a container is another one than it was made as.

    `found` is what a close look saw. `born` are the short hashes of what the first look saw, by
    name in the normal form; None: not known, and then every difference counts.
    """
    now: Mapping[str, str] | None = None
    differences: list[Difference] = []
    for field in FIELDS:
        for part, here, there in _compared(field, wanted, found):
            if born is not None:
                if now is None:
                    now = short_hashes(normal_form(found, service_name=service_name, key=key))
                by_name = field in (ENVIRONMENT, SECRETS)
                name = f"{field.name}.{part}" if by_name else field.name
                if born.get(name) == now.get(name):
                    continue
            differences.append(_difference(field, part, here, there))
    return tuple(differences)


def _difference(field: Field, part: str, wanted: Any, found: Any) -> Difference:
    name = f"{field.name}.{part}" if part else field.name
    if field is ENVIRONMENT or (field.rule is Rule.DRIVER and part):
        wanted, found = MASK, None if found is None else MASK
    # Under the field's own name: where a secret is to be found is none itself.
    return Difference(field=name, wanted=shown(field.name, wanted), found=shown(field.name, found))


def _compared(field: Field, wanted: ServiceSpec, found: ServiceSpec) -> Iterator[_Finding]:
    if field is NETWORKS:
        yield from _networks(wanted, found)
        return
    here, there = getattr(wanted, field.attribute), getattr(found, field.attribute)
    if here is None or here == ():
        return
    yield from _COMPARE[field.rule](here, there)


def _equal(here: Any, there: Any) -> Iterator[_Finding]:
    if here != there:
        yield "", _json(here), _json(there)


def _switch(here: bool, there: bool | None) -> Iterator[_Finding]:
    if here != bool(there):
        yield "", here, bool(there)


def _same_set(here: tuple[Any, ...], there: tuple[Any, ...]) -> Iterator[_Finding]:
    if set(here) != set(there):
        yield "", _json(here), _json(there)


def _each_name(here: tuple[Any, ...], there: tuple[Any, ...]) -> Iterator[_Finding]:
    held = dict(_named(entry) for entry in there)
    for name, value in (_named(entry) for entry in here):
        if value != held.get(name):
            yield name, value, held.get(name)


def _named(entry: Any) -> tuple[str, Any]:
    """(name, value) of a pair, or of a limit."""
    if isinstance(entry, tuple):
        return entry[0], entry[1]
    return entry.name, [entry.soft, entry.hard]


def _contains(here: tuple[Any, ...], there: tuple[Any, ...]) -> Iterator[_Finding]:
    if not set(here) <= set(there):
        yield "", list(here), list(there)


def _each_path(here: tuple[Any, ...], there: tuple[Any, ...]) -> Iterator[_Finding]:
    held = {entry.target: entry for entry in there}
    for entry in here:
        other = held.get(entry.target)
        one, two = _path_row(entry, entry), _path_row(other, entry)
        if one != two:
            yield entry.target, one, two


def _path_row(entry: Any, wanted: Any) -> list[Any] | None:
    """What is compared of a mount, a file system in memory, or a device."""
    if entry is None:
        return None
    if isinstance(entry, Mount):
        # The engine's own propagation, and whether a volume was filled, are said nowhere else.
        return [
            *mount_row(entry)[:4],
            *([entry.no_copy] if wanted.no_copy else ()),
            *([entry.propagation] if wanted.propagation else ()),
        ]
    if isinstance(entry, Tmpfs):
        return [entry.target, sorted(filter(None, entry.options.split(",")))]
    return [entry.source, entry.target, entry.permissions]


def _each_setting(here: Any, there: Any) -> Iterator[_Finding]:
    held = healthcheck_settings(there) if there is not None else {}
    for name, value in healthcheck_settings(here).items():
        if value != held.get(name):
            yield name, value, held.get(name)


def _seconds(here: int, there: int | None) -> Iterator[_Finding]:
    if there is None or -(-here // 1000) != -(-there // 1000):
        yield "", here, there


def _image(here: ImageRef, there: ImageRef) -> Iterator[_Finding]:
    same = here.canonical == there.canonical or (here.digest and here.digest == there.digest)
    if not same:
        yield "", str(here), str(there)


def _words(here: tuple[str, ...], there: tuple[str, ...] | None) -> Iterator[_Finding]:
    if here and here != there:
        yield "", list(here), _json(there)


def _restart(here: Any, there: Any) -> Iterator[_Finding]:
    limited = here.name is RestartName.ON_FAILURE
    if here.name is not there.name or (limited and here.retries_max != there.retries_max):
        yield "", _policy(here), _policy(there)


def _policy(policy: Any) -> str:
    return f"{policy.name}:{policy.retries_max}" if policy.retries_max else str(policy.name)


def _network_mode(here: str, there: str | None) -> Iterator[_Finding]:
    if not here.startswith(("service:", "container:")):
        yield from _equal(here, there)


def _driver(here: Any, there: Any) -> Iterator[_Finding]:
    if here.driver and (there is None or here.driver != there.driver):
        yield "", here.driver, there.driver if there is not None else None
        return
    yield from _each_name(here.options, there.options if there is not None else ())


def _each_use(here: tuple[SecretUse, ...], there: tuple[SecretUse, ...]) -> Iterator[_Finding]:
    for use in here:
        if use not in there:
            yield use.source, use.environment or use.target, None


def _never(_: Any, __: Any) -> Iterator[_Finding]:
    return iter(())


def _networks(wanted: ServiceSpec, found: ServiceSpec) -> Iterator[_Finding]:
    held = {network.name: network for network in found.networks}
    for network in attachments(wanted):
        other = held.get(network.name)
        if other is None:
            yield network.name, "joined", None
            continue
        if not set(network.aliases) <= set(other.aliases):
            yield f"{network.name}.aliases", list(network.aliases), list(other.aliases)
        there = network_settings(other)
        for name, value in network_settings(network).items():
            given = there.get(name)
            if name == "driver_opts":
                given = {key: (given or {})[key] for key in value if key in (given or {})}
            if value != given:
                yield f"{network.name}.{name}", value, given


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return [_json(getattr(value, name)) for name in value.__dataclass_fields__]
    return value


_COMPARE: Mapping[Rule, _Compare] = {
    Rule.EQUAL: _equal,
    Rule.SWITCH: _switch,
    Rule.SAME_SET: _same_set,
    Rule.EACH_NAME: _each_name,
    Rule.CONTAINS: _contains,
    Rule.EACH_PATH: _each_path,
    Rule.EACH_SETTING: _each_setting,
    Rule.SECONDS: _seconds,
    Rule.IMAGE: _image,
    Rule.WORDS: _words,
    Rule.RESTART: _restart,
    Rule.NETWORK_MODE: _network_mode,
    Rule.DRIVER: _driver,
    Rule.EACH_USE: _each_use,
    Rule.NEVER: _never,
}

"""What a service waits for: other services of its app, in one of three conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, join
from iotistic.model.service import Condition, Dependency
from iotistic.model.vocabulary.entries import ENTRIES_MAX, object_name

_SERVICE = "service:"


def depends_on(config: Fields, network_mode: str | None) -> tuple[Dependency, ...]:
    """The dependencies, sorted by name; the service whose network is shared is one as well."""
    found = {dependency.service: dependency for dependency in _read(config)}
    if network_mode is not None and network_mode.startswith(_SERVICE):
        name = network_mode.removeprefix(_SERVICE)
        # Its network is gone with its container, so this one cannot outlive it.
        held = found.get(name, Dependency(service=name))
        found[name] = replace(held, required=True, restart=True)
    return tuple(sorted(found.values()))


def _read(config: Fields) -> list[Dependency]:
    raw = config.raw("depends_on")
    at = config.path("depends_on")
    if raw is None:
        return []
    if not isinstance(raw, Mapping | list):
        raise InvalidField(at, expected="a list of services or an object by service", found=raw)
    if len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=f"at most {ENTRIES_MAX} services", found=len(raw))
    if isinstance(raw, list):
        return [Dependency(service=object_name(name, f"{at}[{n}]")) for n, name in enumerate(raw)]
    return [_dependency(config, name, value, at) for name, value in raw.items()]


def _dependency(config: Fields, name: Any, raw: Any, at: str) -> Dependency:
    fields = config.nested({} if raw is None else raw, join(at, str(name)))
    dependency = Dependency(
        service=object_name(name, at),
        condition=fields.choice("condition", Condition, default=Condition.STARTED),
        required=fields.boolean("required", default=True),
        restart=fields.boolean("restart", default=False),
    )
    fields.warn_unknown()
    return dependency


def check_order(
    services: Sequence[tuple[str, tuple[Dependency, ...], str | None]], at: str
) -> None:
    """Refuse names that are not there, and circles. `services`: name, dependencies, network mode.

    What is not required may be missing. A circle is refused even then: each of its services
    would wait for the others.
    """
    places = {name: f"{at}[{n}].config" for n, (name, _, _) in enumerate(services)}
    modes = {name: mode for name, _, mode in services}
    for name, dependencies, mode in services:
        for dependency in dependencies:
            if dependency.service not in places and dependency.required:
                by_network = mode == f"{_SERVICE}{dependency.service}"
                raise InvalidField(
                    f"{places[name]}.{'network_mode' if by_network else 'depends_on'}",
                    expected="another service of the app",
                    found=dependency.service,
                )
        if mode is not None and mode.startswith(_SERVICE):
            other = modes.get(mode.removeprefix(_SERVICE)) or ""
            if other.startswith((_SERVICE, "container:")):
                raise InvalidField(
                    f"{places[name]}.network_mode",
                    expected="a service with a network of its own",
                    found=mode,
                    remedy=f"write {other}, whose network that one shares",
                )
    _refuse_circles({name: [d.service for d in found] for name, found, _ in services}, places)


def _refuse_circles(edges: Mapping[str, Sequence[str]], places: Mapping[str, str]) -> None:
    # Without recursion: as deep as an app has services.
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        left = [(start, iter(edges[start]))] if start not in done else []
        path += [name for name, _ in left]
        while left:
            name, others = left[-1]
            other = next(others, None)
            if other is None:
                done.add(name)
                left.pop()
                path.pop()
            elif other in path:
                circle = " -> ".join([*path[path.index(other) :], other])
                raise InvalidField(
                    f"{places[other]}.depends_on",
                    expected="an order in which services can start",
                    found=circle,
                    remedy="remove one of these dependencies",
                )
            elif other in edges and other not in done:
                left.append((other, iter(edges[other])))
                path.append(other)

"""A plan told whole: every field of every step, wait and verdict that is not its default.

What a target makes of itself (hashes, requests) stands in angle brackets, by the name of the app,
service, network or volume that it belongs to; what an older target made by its name and a tilde.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, replace
from typing import Any

from iotistic.model.container import ContainerRequest
from iotistic.planner.step import Plan, Step, Wait
from iotistic.planner.wanted import Wanted, WantedApp
from iotistic.planner.world import Difference, Subject

Names = Mapping[Any, str]


def told(decided: Plan, *wanted: Wanted) -> list[str]:
    """One line each: steps, waits, verdicts, what the plan asks for. The newest target first."""
    names = names_of(*wanted)
    found: list[Step | Wait] = [*decided.steps, *decided.waits]
    lines = [tell(one, names) for one in found]
    lines += [f"{app_id} {_fields(verdict, names)}" for app_id, verdict in decided.verdicts.items()]
    if decided.needs_resources:
        lines.append("needs resources")
    if decided.needs_inspection:
        lines.append(f"needs inspection of {', '.join(sorted(decided.needs_inspection))}")
    if decided.ask_again_s is not None:
        lines.append(f"asks again at {decided.ask_again_s:g}")
    return lines


def tell(one: Step | Wait, names: Names | None = None) -> str:
    """One step or wait."""
    word, known = (one.kind, "kind") if isinstance(one, Step) else (f"wait {one.reason}", "reason")
    return f"{word} {one.subject} {_fields(one, names or {}, without=('subject', known))}"


def names_of(*wanted: Wanted) -> Names:
    """What stands for what, for `tell`."""
    names: dict[Any, str] = {}
    for age, target in enumerate(wanted):
        for app in (*target.apps, *target.good.values()):
            for value, name in _of_app(app):
                names.setdefault(value, f"<{name}{'~' * age}>")
    return names


def _of_app(app: WantedApp) -> Iterator[tuple[Any, str]]:
    yield app.release_hash, f"app {app.release}" if app.release_given else "app"
    for service in app.services:
        yield service.spec_hash, service.name
        yield service.request, service.name
    for network in app.networks:
        yield network.spec_hash, network.short_name
        yield network.request, network.short_name
    for volume in app.volumes:
        yield volume.spec_hash, volume.short_name
        yield volume.request, volume.short_name


def _fields(one: Any, names: Names, *, without: tuple[str, ...] = ()) -> str:
    return " ".join(
        f"{field.name}={_value(getattr(one, field.name), names)}"
        for field in fields(one)
        if field.name not in without and _is_set(one, field)
    )


def _is_set(one: Any, field: Field[Any]) -> bool:
    value = getattr(one, field.name)
    return value not in ((), frozenset()) and (field.default is MISSING or field.default != value)


def _value(value: Any, names: Names) -> str:
    if isinstance(value, ContainerRequest):
        return _request(value, names)
    if isinstance(value, tuple) and all(isinstance(one, Difference) for one in value):
        return ", ".join(f"{d.field} ({d.wanted}, not {d.found})" for d in value)
    if isinstance(value, tuple | frozenset):
        return f"[{', '.join(sorted(str(one) for one in value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return _text(value, names)
    return str(value) if isinstance(value, int | Subject) else names.get(value, str(value))


def _text(value: str, names: Names) -> str:
    for held, name in names.items():
        if isinstance(held, str):
            value = value.replace(held, name).replace(held[:12], name) if held[:12] else value
    return f"'{value}'" if " " in value and not value.startswith("<") else value


def _request(request: ContainerRequest, names: Names) -> str:
    for held, name in names.items():
        if isinstance(held, ContainerRequest):
            changed = {
                what: getattr(request, what)
                for what in ("name", "network_mode", "image_id")
                if getattr(request, what) != getattr(held, what)
            }
            if replace(held, **changed) == request:
                return " ".join([name, *(f"but {key}={value}" for key, value in changed.items())])
    return f"another {request.name}"

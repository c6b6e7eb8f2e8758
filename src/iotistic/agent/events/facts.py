"""How things stand, as words by key, and what to tell when one of them changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.service_rows import CRASH_LOOP_AT, crash_loop
from iotistic.model.errors import IotisticError
from iotistic.model.words import Verdict
from iotistic.planner.world import Attempt, Subject

TEXT_LENGTH_MAX = 300
_SEPARATOR = "/"


class EventKind(StrEnum):
    """What happened: the field `event` of the record."""

    AGENT_STARTED = "agent-started"
    RELEASE_PHASE = "release-phase"
    APP_VERDICT = "app-verdict"
    APP_REMOVED = "app-removed"
    CRASH_LOOP_BEGUN = "crash-loop-begun"
    CRASH_LOOP_ENDED = "crash-loop-ended"
    TARGET_ACCEPTED = "target-accepted"
    TARGET_REFUSED = "target-refused"
    ENGINE_LOST = "engine-lost"
    ENGINE_BACK = "engine-back"
    WARNING_BEGUN = "warning-begun"
    WARNING_ENDED = "warning-ended"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing as it stands: `word` is what is compared; `data` what is told when it is new."""

    word: str
    event: EventKind
    data: Mapping[str, Any] = field(default_factory=dict)


_ENDED: Mapping[str, EventKind] = {
    "engine": EventKind.ENGINE_BACK,
    "warning": EventKind.WARNING_ENDED,
    "crash-loop": EventKind.CRASH_LOOP_ENDED,
    "verdict": EventKind.APP_REMOVED,
}
"""What is told when a fact is no more, by the first part of its key; of others, nothing."""


def facts_of(
    snapshot: Snapshot,
    *,
    now_s: float,
    warnings: Iterable[IotisticError] = (),
) -> dict[str, Fact]:
    """Everything that is worth an event. Calm things are not in it, as an engine that answers."""
    facts: dict[str, Fact] = {}
    if (error := snapshot.engine_error) is not None:
        facts["engine"] = Fact("lost", EventKind.ENGINE_LOST, _error(error))
    for error in warnings:
        facts[_key("warning", error.code)] = Fact("on", EventKind.WARNING_BEGUN, _error(error))
    facts |= _target(snapshot)
    facts |= _apps(snapshot)
    facts |= _loops(snapshot, now_s)
    return facts


def news(
    told: Mapping[str, str], facts: Mapping[str, Fact], *, is_complete: bool
) -> list[tuple[str, str | None, dict[str, Any]]]:
    """What is new against what was told: (key, word now or None, the event), in order.

    Unless `is_complete`, somebody has not looked yet: what is missing then is not gone.
    """
    gone = sorted(told.keys() - facts.keys()) if is_complete else ()
    found: list[tuple[str, str | None, dict[str, Any]]] = [(key, None, _end(key)) for key in gone]
    for key, fact in facts.items():
        before = told.get(key)
        if before != fact.word:
            data: dict[str, Any] = {"event": str(fact.event), **fact.data}
            if before is not None:
                data["before"] = before
            found.append((key, fact.word, data))
    return found


def _target(snapshot: Snapshot) -> dict[str, Fact]:
    facts = {}
    if snapshot.target is not None and snapshot.target.version is not None:
        version = snapshot.target.version
        facts["target"] = Fact(str(version), EventKind.TARGET_ACCEPTED, {"version": version})
    if snapshot.refusal is not None:
        offered = snapshot.offered_version
        word = f"{offered} {snapshot.refusal.code}"
        data = {"version": offered, **_error(snapshot.refusal)}
        facts["refusal"] = Fact(word, EventKind.TARGET_REFUSED, data)
    return facts


def _apps(snapshot: Snapshot) -> dict[str, Fact]:
    names = {app.app_id: app.app_name for app in snapshot.target.apps} if snapshot.target else {}
    facts = {}
    for app_id, verdict in sorted(snapshot.plan.verdicts.items()):
        app = {"appId": app_id, "appName": names.get(app_id, str(app_id))}
        data: dict[str, Any] = {**app, "verdict": str(verdict.verdict)}
        # Of what passes by itself the reason would be another one at every look.
        if verdict.reason and verdict.verdict not in (Verdict.APPLYING, Verdict.WAITING):
            data["reason"] = _cut(verdict.reason)
        facts[_key("verdict", app_id)] = Fact(str(verdict.verdict), EventKind.APP_VERDICT, data)
        if verdict.release:
            release = {**app, "release": verdict.release, "phase": str(verdict.phase)}
            word = f"{verdict.release} {verdict.phase}"
            facts[_key("release", app_id)] = Fact(word, EventKind.RELEASE_PHASE, release)
    return facts


def _loops(snapshot: Snapshot, now_s: float) -> dict[str, Fact]:
    attempts: dict[Subject, list[Attempt]] = {}
    for attempt in snapshot.attempts:
        attempts.setdefault(attempt.subject, []).append(attempt)
    facts = {}
    for app in snapshot.target.apps if snapshot.target is not None else ():
        for service in app.services:
            subject = Subject(app_id=app.app_id, kind="service", name=service.key)
            loop = crash_loop(attempts.get(subject, ()), now_s=now_s)
            if loop is None or loop.count < CRASH_LOOP_AT:
                continue
            facts[_key("crash-loop", app.app_id, service.service_name)] = Fact(
                "on",
                EventKind.CRASH_LOOP_BEGUN,
                {
                    "appId": app.app_id,
                    "appName": app.app_name,
                    "serviceName": service.service_name,
                    "restarts": loop.count,
                    "message": _cut(loop.message),
                },
            )
    return facts


def _end(key: str) -> dict[str, Any]:
    """The event of a fact that is no more; empty where nothing is told."""
    kind, *parts = key.split(_SEPARATOR)
    event = _ENDED.get(kind)
    if event is None:
        return {}
    data: dict[str, Any] = {"event": str(event)}
    if event is EventKind.WARNING_ENDED:
        data["code"] = _SEPARATOR.join(parts)
    elif event in (EventKind.APP_REMOVED, EventKind.CRASH_LOOP_ENDED):
        data["appId"] = int(parts[0])
        if event is EventKind.CRASH_LOOP_ENDED:
            data["serviceName"] = _SEPARATOR.join(parts[1:])
    return data


def _key(*parts: object) -> str:
    return _SEPARATOR.join(str(part) for part in parts)


def _error(error: IotisticError) -> dict[str, Any]:
    return {"code": error.code, "message": _cut(error.message)}


def _cut(text: str) -> str:
    return text[:TEXT_LENGTH_MAX]

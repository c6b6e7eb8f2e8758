"""How far the release of each app is, and what is planned, as the report says it. Pure.

Bounded in size, and nothing in it changes by time passing alone: no countdown, no share of a
download, no time that is worked out anew at each look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.sync.service_rows import MESSAGE_LENGTH_MAX, iso
from iotistic.model.meanings import meaning
from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict, WaitReason
from iotistic.planner.step import AppVerdict, Step, Wait
from iotistic.planner.world import LockOwner, Rejection

APPS_MAX = 200
ENTRIES_MAX = 5
WARNINGS_OF_APP_MAX = 5
LAST_WORDS_LINES = 50
LAST_WORDS_BYTES = 8 * 1024
_RESTLESS = {
    WaitReason.IMAGE_PULLING: "an image is being pulled",
    WaitReason.DISK_LOW: "too little disk is free for a pull",
    WaitReason.MEMORY_LOW: "too little memory is free for a pull",
}
"""Waits whose messages hold figures, and what is said in their place."""


def release_fields(snapshot: Snapshot, *, boot_wall_ms: int) -> dict[str, Any]:
    """`release` and `plan`, each a map by app id."""
    steps: dict[int, list[Step]] = defaultdict(list)
    waits: dict[int, list[Wait]] = defaultdict(list)
    for step in snapshot.plan.steps:
        steps[step.served.app_id].append(step)
    for wait in snapshot.plan.waits:
        waits[wait.subject.app_id].append(wait)
    verdicts = dict(sorted(snapshot.plan.verdicts.items())[:APPS_MAX])
    return {
        "release": {
            str(app_id): _release(app_id, verdict, waits.get(app_id, ()), snapshot)
            for app_id, verdict in verdicts.items()
            if verdict.release
        },
        "plan": {
            str(app_id): _plan(
                verdict, steps.get(app_id, ()), waits.get(app_id, ()), snapshot, boot_wall_ms
            )
            for app_id, verdict in verdicts.items()
        },
    }


def app_warnings(snapshot: Snapshot) -> list[dict[str, Any]]:
    """What is not as wanted about apps though nothing is done about it."""
    return [
        {"code": "not-changed", "message": text[:MESSAGE_LENGTH_MAX], "appId": app_id}
        for app_id, verdict in sorted(snapshot.plan.verdicts.items())
        for text in verdict.warnings[:WARNINGS_OF_APP_MAX]
    ]


def steady_reason(verdict: AppVerdict, waits: Sequence[Wait]) -> str:
    """Why an app stands as it does, without figures that move."""
    for wait in waits:
        if wait.reason in _RESTLESS and wait.message in verdict.reason:
            return _about(wait, _RESTLESS[wait.reason])
    return _short(verdict.reason)


def _release(
    app_id: int, verdict: AppVerdict, waits: Sequence[Wait], snapshot: Snapshot
) -> dict[str, Any]:
    known = snapshot.releases
    mine = (app_id, verdict.release_hash)
    good = next((g for g in known.good if (g.app_id, g.release_hash) == mine), None)
    candidate = next((c for c in known.candidates if (c.app_id, c.release_hash) == mine), None)
    rejected = next((r for r in known.rejected if (r.app_id, r.release_hash) == mine), None)
    field: dict[str, Any] = {"id": verdict.release, "phase": str(verdict.phase)}
    if reason := steady_reason(verdict, waits):
        field["reason"] = reason
    since_ms = 0
    went_back = verdict.phase in (ReleasePhase.REJECTED, ReleasePhase.ROLLED_BACK)
    if went_back and rejected is not None:
        since_ms = rejected.at_ms
        field["reason"] = _short(rejected.reason)
        field["rejected"] = _rejected(rejected)
        runs = next((g for g in known.good if g.app_id == app_id), None)
        if runs is not None:
            field["goodId"] = runs.release
    elif good is not None:
        since_ms = good.at_ms
    elif candidate is not None:
        since_ms = candidate.began_ms
    if since_ms:
        field["since"] = iso(since_ms)
    return field


def _rejected(rejection: Rejection) -> dict[str, Any]:
    words = [line[:1000] for line in rejection.last_words[-LAST_WORDS_LINES:]]
    while words and sum(len(line.encode()) + 1 for line in words) > LAST_WORDS_BYTES:
        del words[0]
    return {"service": rejection.service_name, "lastWords": words}


def _plan(
    verdict: AppVerdict,
    steps: Sequence[Step],
    waits: Sequence[Wait],
    snapshot: Snapshot,
    boot_wall_ms: int,
) -> dict[str, Any]:
    field: dict[str, Any] = {"verdict": str(verdict.verdict)}
    if verdict.verdict is not Verdict.SETTLED:
        field["meaning"] = meaning(verdict.verdict, verdict.phase)
    if reason := steady_reason(verdict, waits):
        field["reason"] = reason
    if steps:
        field["next"] = [
            {
                "step": str(s.kind),
                "service": s.service_name or s.subject.name,
                "reason": _short(s.reason),
            }
            for s in steps[:ENTRIES_MAX]
        ]
    if waits:
        field["waiting"] = [
            {
                "reason": str(w.reason),
                "service": w.service_name or w.subject.name,
                "message": _RESTLESS.get(w.reason) or _short(w.message),
            }
            for w in waits[:ENTRIES_MAX]
        ]
    if (until_s := _until_s(waits, snapshot)) is not None:
        field["until"] = iso(boot_wall_ms + until_s * 1000)
    return field


def _until_s(waits: Sequence[Wait], snapshot: Snapshot) -> float | None:
    """When the first wait ends whose end is a point in time, and not worked out at each look."""
    ends: list[float] = []
    for wait in waits:
        app_id = wait.subject.app_id
        if wait.reason is WaitReason.BACKOFF and wait.until_s is not None:
            ends.append(wait.until_s)
        elif wait.reason is WaitReason.LOCKED:
            ends += [
                lock.until_s
                for lock in snapshot.locks
                if (lock.app_id, lock.owner) == (app_id, LockOwner.PERSON)
                and lock.until_s is not None
            ]
        elif wait.reason is WaitReason.VERIFYING:
            ends += [c.deadline_s for c in snapshot.releases.candidates if c.app_id == app_id]
    return min(ends, default=None)


def _about(wait: Wait, text: str) -> str:
    name = wait.service_name or wait.subject.name
    return f"{name}: {text}" if name else text


def _short(text: str) -> str:
    return text[:MESSAGE_LENGTH_MAX]

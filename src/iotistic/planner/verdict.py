"""How each app stands after a round: one word, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence

from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict, WaitReason
from iotistic.planner import releases
from iotistic.planner.part import Part
from iotistic.planner.step import AppVerdict, Step, Wait
from iotistic.planner.wanted import WantedApp
from iotistic.planner.world import Releases, StepKind

_BUSY = (
    WaitReason.STEP_IN_FLIGHT,
    WaitReason.IMAGE_PULLING,
    WaitReason.HANDOVER,
    WaitReason.DEPENDENTS_FIRST,
    WaitReason.HEALTH_STARTING,
)
_LAST = (WaitReason.VERIFYING,)
_BAD = (WaitReason.ENDED, WaitReason.UNHEALTHY)
_NEVER = (WaitReason.DEPENDENCY_FAILED,)
_BLOCKED = (
    WaitReason.LOCKED,
    WaitReason.DISK_LOW,
    WaitReason.MEMORY_LOW,
    WaitReason.IMAGE_NOT_ALLOWED,
    WaitReason.EXTERNAL_MISSING,
)
_ASIDE = (StepKind.RENAME, StepKind.RELEASE_LOCKS)
"""Steps that are taken beside an app that is as wanted."""


def verdict_of(
    part: Part, target: WantedApp | None, steps: Sequence[Step], waits: Sequence[Wait],
    known: Releases,
) -> AppVerdict:  # fmt: skip
    """The verdict on one app; `target` is its release in the target, None if it has to go."""
    steps = [s for s in steps if s.served.app_id == part.app_id and s.kind not in _ASIDE]
    waits = [w for w in waits if w.subject.app_id == part.app_id]
    stands, reason = _stands(part, target, steps, waits, known)
    return AppVerdict(
        verdict=stands,
        reason=reason,
        services_settled=len(part.wanted) - len(part.unsettled & part.wanted),
        services_total=len(part.wanted),
        phase=_phase(part, target, steps, waits, known),
        release=target.release if target else "",
        release_hash=target.release_hash if target else "",
        warnings=part.warnings,
        unsettled=frozenset(part.unsettled & part.wanted),
    )


def _stands(
    part: Part,
    target: WantedApp | None,
    steps: Sequence[Step],
    waits: Sequence[Wait],
    known: Releases,
) -> tuple[Verdict, str]:
    if part.rejection:
        return Verdict.REJECTED, part.rejection
    if steps and not part.overdue:
        return Verdict.APPLYING, f"{steps[0].kind}: {steps[0].reason}"
    waiting = tuple(r for r in WaitReason if r not in (*_BUSY, *_LAST, *_BAD, *_NEVER))
    for stands, reasons in (
        (Verdict.ABORTED, _NEVER),
        (Verdict.DEGRADED, WaitReason if part.overdue else ()),
        (Verdict.APPLYING, _BUSY),
        (Verdict.WAITING, waiting),
        (Verdict.DEGRADED, _BAD),
        (Verdict.APPLYING, _LAST),
    ):
        for wait in waits:
            if wait.reason in tuple(reasons):
                name = wait.service_name or wait.subject.name
                return stands, f"{name}: {wait.message}" if name else wait.message
    if part.overdue:
        return Verdict.DEGRADED, part.overdue
    rejection = releases.rejection_of(known, target) if target else None
    if rejection is not None and part.app is not target:
        return Verdict.REJECTED, taken_back(rejection.release, rejection.reason)
    if part.held_back:
        return Verdict.INTERRUPTED, f"a person stopped {', '.join(part.held_back[:5])}"
    return Verdict.SETTLED, ""


def taken_back(release: str, reason: str) -> str:
    """The sentence about a release that was not well."""
    return f"release {release} was taken back: {reason}"


def _phase(
    part: Part,
    target: WantedApp | None,
    steps: Sequence[Step],
    waits: Sequence[Wait],
    known: Releases,
) -> ReleasePhase:
    if target is None:
        return ReleasePhase.APPLYING if steps or waits else ReleasePhase.DONE
    if part.rejection or any(w.reason in (*_BLOCKED, *_NEVER) for w in waits):
        return ReleasePhase.BLOCKED
    if releases.rejection_of(known, target) and part.app is not target:
        return ReleasePhase.REJECTED if steps or waits else ReleasePhase.ROLLED_BACK
    if releases.is_good(known, target):
        return ReleasePhase.DONE
    if releases.candidate_of(known, target) is None:
        pulling = any(s.kind is StepKind.PULL for s in steps) or any(
            w.reason in (WaitReason.IMAGE_PULLING, WaitReason.PULL_SLOTS_TAKEN) for w in waits
        )
        if pulling:
            return ReleasePhase.DOWNLOADING
        return ReleasePhase.APPLYING if steps else ReleasePhase.PENDING
    watching = all(w.reason in (*_LAST, *_BAD, WaitReason.HEALTH_STARTING) for w in waits)
    return ReleasePhase.VERIFYING if watching and not steps else ReleasePhase.APPLYING

"""What keeps a chosen step from being taken now: an earlier failure, a lock, too little room."""

from __future__ import annotations

from collections.abc import Iterable

from iotistic.model.observation import Container
from iotistic.model.release import LockMode
from iotistic.model.words import WaitReason
from iotistic.planner import releases
from iotistic.planner.policy import Policy
from iotistic.planner.sight import Sight
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import WantedApp
from iotistic.planner.world import Lock, LockOwner, StepKind, Subject

DISRUPTIVE = frozenset({StepKind.STOP, StepKind.RESTART, StepKind.PAUSE})
_NO_CHANGE = frozenset(
    {StepKind.PULL, StepKind.REMOVE_IMAGE, StepKind.HEAL, StepKind.COMMIT, StepKind.REJECT}
)
_KEEPS_ALIVE = frozenset({StepKind.CREATE_CONTAINER, StepKind.START, StepKind.UNPAUSE})
_LOOK_AT_LOCKS_S = 30.0
"""A service lets go of its lock by removing a file, which nobody tells us of."""
_ROOM_POLL_S = 60.0


def in_flight(subject: Subject, service_name: str) -> Wait:
    """The wait for a step that is under way."""
    return Wait(
        reason=WaitReason.STEP_IN_FLIGHT,
        subject=subject,
        message="a step is under way",
        service_name=service_name,
    )


def runs_on(container: Container, image: str) -> Wait:
    """The wait of what goes when the images of its app are here."""
    return Wait(
        reason=WaitReason.IMAGES_OF_APP_MISSING,
        subject=Subject(app_id=container.app_id, kind="service", name=container.service_id),
        message=f"runs on until {image} of its app is here",
        service_name=container.service_name,
    )


def wait_for(step: Step, reason: WaitReason, message: str, until_s: float | None = None) -> Wait:
    """The wait in place of a step."""
    return Wait(
        reason=reason,
        subject=step.served,
        message=message,
        service_name=step.service_name,
        until_s=until_s,
    )


def unless_failed(found: Step | Wait | None, sight: Sight) -> Step | Wait | None:
    """A step that failed lately waits for its time."""
    if not isinstance(found, Step):
        return found
    failed = sight.attempt(found.subject, found.kind)
    if failed is None or failed.purpose != found.purpose or sight.now_s >= failed.not_before_s:
        return found
    message = f"{failed.message} ({failed.count} times)" if failed.count > 1 else failed.message
    return wait_for(found, WaitReason.BACKOFF, message, failed.not_before_s)


def begin_and_lock(
    steps: list[Step],
    waits: list[Wait],
    app: WantedApp,
    sight: Sight,
    *,
    kept_alive: frozenset[str],
) -> None:
    """Put what has to come first in place of steps that change the app, in place.

    A foreign lock holds off every change, not only stops: half a release is none. What only keeps
    the present release alive goes on: `kept_alive` are the spec hashes of its services.
    """
    known = sight.world.releases
    begins = not releases.is_good(known, app) and releases.candidate_of(known, app) is None
    changes = [s for s in steps if _changes(s, kept_alive)] if begins else []
    stops = [s for s in steps if s.kind in DISRUPTIVE and not s.lockless]
    if not changes and not stops:
        return
    if not sight.own_lock(app.app_id):
        foreign = None if app.lock is LockMode.FORCE else sight.foreign_lock(app)
        if foreign is not None:
            _hold(steps, waits, changes or stops, foreign, sight)
            return
        if stops:
            force = app.lock is LockMode.FORCE
            _replace(steps, [*changes, *stops], take_locks(app.app_id, stops[0], force=force))
            return
    if changes:
        first = releases.begin(app, now_s=sight.now_s, because=changes[0])
        _replace(steps, [*changes, *stops], first)


def lock_for_clearing(steps: list[Step], waits: list[Wait], app_id: int, sight: Sight) -> None:
    """The same for an app that is to go: its lock is respected, and taken before it is stopped."""
    stops = [s for s in steps if s.kind in DISRUPTIVE and not s.lockless]
    if not stops or sight.own_lock(app_id):
        return
    foreign = sight.foreign_lock(app_id)
    if foreign is not None:
        _hold(steps, waits, [s for s in steps if not s.lockless], foreign, sight)
    else:
        _replace(steps, stops, take_locks(app_id, stops[0]))


def take_locks(app_id: int, because: Step, *, force: bool = False) -> Step:
    """Take the app's locks, all or none."""
    return Step(
        kind=StepKind.TAKE_LOCKS,
        subject=releases.subject_of(app_id),
        reason=f"before {because.kind} of {because.service_name}: {because.reason}",
        force=force,
    )


def release_locks(app_id: int, reason: str) -> Step:
    """Let go of the app's locks."""
    return Step(kind=StepKind.RELEASE_LOCKS, subject=releases.subject_of(app_id), reason=reason)


def _changes(step: Step, kept_alive: frozenset[str]) -> bool:
    if step.kind in _NO_CHANGE or step.lockless:
        return False
    return step.kind not in _KEEPS_ALIVE or step.purpose not in kept_alive


def _replace(steps: list[Step], taken: Iterable[Step], by: Step) -> None:
    gone = {id(step) for step in taken}
    steps[:] = [by, *(step for step in steps if id(step) not in gone)]


def _hold(steps: list[Step], waits: list[Wait], held: list[Step], lock: Lock, sight: Sight) -> None:
    gone = {id(step) for step in held}
    steps[:] = [step for step in steps if id(step) not in gone]
    until_s = lock.until_s
    if lock.owner is LockOwner.SERVICE:
        until_s = sight.now_s + _LOOK_AT_LOCKS_S
    reason = f", {lock.reason}" if lock.reason else ""
    waits += [
        wait_for(
            step,
            WaitReason.LOCKED,
            f"locked by {lock.owner} {lock.holder}".rstrip() + f"{reason}; would {step.kind}:"
            f" {step.reason}",
            until_s,
        )
        for step in held
    ]


def pull_gate(step: Step, pulls: set[str], sight: Sight, policy: Policy) -> Wait | None:
    """Why an image is not pulled now; None when it may be. `pulls` are under way or planned."""
    pulling = sight.world.pulling
    if step.target in pulls:
        share = pulling.get(step.target, 0)
        return wait_for(step, WaitReason.IMAGE_PULLING, f"{step.target}, {share:.0%}")
    if len(pulls) >= policy.pulls_max:
        return wait_for(
            step, WaitReason.PULL_SLOTS_TAKEN, f"{policy.pulls_max} other images are being pulled"
        )
    host, now_s = sight.world.host, sight.now_s
    if host.disk_free_bytes is not None and host.disk_free_bytes < policy.disk_floor_bytes:
        message = (
            f"{_mib(host.disk_free_bytes)} MiB of disk are free,"
            f" {_mib(policy.disk_floor_bytes)} are kept free; {step.target} is not pulled"
        )
        return wait_for(step, WaitReason.DISK_LOW, message, now_s + _ROOM_POLL_S)
    if host.memory_free_bytes is not None and host.memory_free_bytes < policy.memory_floor_bytes:
        message = (
            f"{_mib(host.memory_free_bytes)} MiB of memory are free,"
            f" {_mib(policy.memory_floor_bytes)} are kept free; {step.target} is not pulled"
        )
        return wait_for(step, WaitReason.MEMORY_LOW, message, now_s + _ROOM_POLL_S)
    return None


def _mib(count: int) -> int:
    return count // (1024 * 1024)

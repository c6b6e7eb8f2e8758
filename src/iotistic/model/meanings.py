"""What verdicts, phases and waits mean in plain words, and what a person can do about them."""

from __future__ import annotations

from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict, WaitReason

_VERDICTS = {
    Verdict.SETTLED: "everything is as the target wants it",
    Verdict.APPLYING: "steps towards the target are planned or under way",
    Verdict.WAITING: "nothing can be done at this moment; each wait says why, and until when",
    Verdict.DEGRADED: "it is not as the target wants it and will not become so by itself",
    Verdict.REJECTED: "this device does not allow what the target asks for; what runs is left"
    " alone",
    Verdict.ABORTED: "it cannot be completed: a service waits for what can never come",
    Verdict.INTERRUPTED: "all is as the target wants it but for what a person stopped by hand",
}
_GOING_BACK = (
    "the release was not well in time; the device is going back to the one that was well before it"
)
_WENT_BACK = (
    "the release was not well in time and was taken back; the one that was well before it runs,"
    " and this one is not tried again until the target changes or a person asks for it"
)


def meaning(verdict: Verdict, phase: ReleasePhase) -> str:
    """A verdict as a sentence; `rejected` is told apart by how far the release is."""
    if verdict is Verdict.REJECTED and phase is ReleasePhase.REJECTED:
        return _GOING_BACK
    if verdict is Verdict.REJECTED and phase is ReleasePhase.ROLLED_BACK:
        return _WENT_BACK
    return _VERDICTS[verdict]


def remedy_of(verdict: Verdict, phase: ReleasePhase, app_id: int) -> str | None:
    """What a person can do about an app that stands like this; None: nothing is to be done."""
    retry = f"iotctl apps retry {app_id}"
    match verdict:
        case Verdict.REJECTED if phase in (ReleasePhase.REJECTED, ReleasePhase.ROLLED_BACK):
            return f"save a better release in the target, or try this one again: {retry}"
        case Verdict.REJECTED:
            return "change the target, or POLICY_ALLOW on the device"
        case Verdict.ABORTED:
            return f"mend the service it waits for, or depends_on in the target; then {retry}"
        case Verdict.INTERRUPTED:
            return f"if it is to run again: iotctl apps start {app_id}"
        case Verdict.DEGRADED:
            return f"mend the cause (the last lines of the service tell most); then {retry}"
        case _:
            return None


def remedy_of_wait(reason: WaitReason, app_id: int, service: str) -> str | None:
    """What a person can do about a wait; None: it ends by itself, or nothing but time helps."""
    logs = f"iotctl services logs {service}" if service else "iotctl logs --level warn"
    match reason:
        case WaitReason.BACKOFF:
            return f"mend the cause; to try at once: iotctl apps retry {app_id}"
        case WaitReason.LOCKED:
            return (
                f"wait for who holds it, or if it is a person's: iotctl apps unlock {app_id}"
                " (a target with lock: force does not wait)"
            )
        case WaitReason.DISK_LOW:
            return "make room on the device: remove files, or images that nobody needs"
        case WaitReason.MEMORY_LOW:
            return "stop something that takes much memory, or use strategy: kill-then-download"
        case WaitReason.IMAGE_NOT_ALLOWED:
            return "bring the image to the device, or allow a pull in the target (pull_policy)"
        case WaitReason.EXTERNAL_MISSING:
            return "make the external network or volume, or take external: true from the target"
        case WaitReason.ENGINE_RESTARTING | WaitReason.ENDED | WaitReason.UNHEALTHY:
            return f"read what it writes: {logs}"
        case WaitReason.DEPENDENCY_FAILED:
            return f"mend what it depends on, then iotctl apps retry {app_id}"
        case _:
            return None

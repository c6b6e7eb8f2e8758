"""Which release an app is brought to, and when one counts as good or as failed.

    target's release --changes begin--> VERIFY --all well for healthy_s--> COMMIT (last good)
                                          |
                                          +--deadline, or cannot become well--> REJECT
                                                                                  |
                                        the last good one is wanted instead <-----+

A rejected release is not tried again until the target changes or a person says so. Without a good
one there is nothing to go back to: the app stays degraded, and what fails is tried on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from iotistic.model.observation import Container
from iotistic.model.release import OnFailure
from iotistic.model.words import ContainerState, RunState, WaitReason
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import Wanted, WantedApp, WantedService
from iotistic.planner.world import Candidate, GoodRelease, Rejection, Releases, StepKind, Subject

HEALTHY = "healthy"
STARTING = "starting"
UNHEALTHY = "unhealthy"


def subject_of(app_id: int) -> Subject:
    """The subject of steps about a whole app."""
    return Subject(app_id=app_id, kind="app", name="")


def good_of(releases: Releases, app_id: int) -> GoodRelease | None:
    """The release of the app that was well last."""
    return next((good for good in releases.good if good.app_id == app_id), None)


def candidate_of(releases: Releases, app: WantedApp) -> Candidate | None:
    """The watch over this very release, if it has begun."""
    return next(
        (
            candidate
            for candidate in releases.candidates
            if (candidate.app_id, candidate.release_hash) == (app.app_id, app.release_hash)
        ),
        None,
    )


def rejection_of(releases: Releases, app: WantedApp) -> Rejection | None:
    """Why this very release is not tried again, if it was taken back."""
    return next(
        (
            rejection
            for rejection in releases.rejected
            if (rejection.app_id, rejection.release_hash) == (app.app_id, app.release_hash)
        ),
        None,
    )


def is_good(releases: Releases, app: WantedApp) -> bool:
    """Whether this very release is the one that was well last."""
    good = good_of(releases, app.app_id)
    return good is not None and good.release_hash == app.release_hash


def aim(app: WantedApp, wanted: Wanted, releases: Releases) -> WantedApp:
    """What the app is brought to: the target's release, or the last good one in its place."""
    good = wanted.good.get(app.app_id)
    if good is None or rejection_of(releases, app) is None or is_good(releases, app):
        return app
    return good


def aimed(wanted: Wanted, releases: Releases) -> Wanted:
    """The target with rejected releases replaced by those that were well."""
    return replace(wanted, apps=tuple(aim(app, wanted, releases) for app in wanted.apps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one service of a release is, judged for the release. Exactly one of the four holds.

    `well_in_s` is the time it still has to run on until it counts as well, 0 when it does;
    `failing` says what is not well yet and may become; `failed` what cannot become well.
    `container_id` is "" when its container is of another release: what that one wrote is no
    answer, and what of it is secret nobody knows any more.
    """

    service: WantedService
    container_id: str = ""
    well_in_s: float | None = None
    failing: str = ""
    failed: str = ""


def standing(
    service: WantedService,
    current: Container | None,
    found: Step | Wait | None,
    *,
    want: RunState,
    healthy_s: float,
    last_failure: str = "",
) -> Standing:
    """Judge a service by its container and by what is planned for it.

    `last_failure` is why the step that is planned failed before, if it did.
    """
    container_id = ""
    if current is not None and current.spec_hash == service.spec_hash:
        container_id = current.id
    if isinstance(found, Wait) and found.reason in (WaitReason.ENDED, WaitReason.DEPENDENCY_FAILED):
        return Standing(service=service, container_id=container_id, failed=found.message)
    if found is not None:
        message = found.message if isinstance(found, Wait) else last_failure or found.reason
        return Standing(service=service, container_id=container_id, failing=message)
    runs = current is not None and current.state is ContainerState.RUNNING
    if current is None or want is not RunState.RUNNING or not runs:
        return Standing(service=service, well_in_s=0.0)  # stopped, paused, or done, as wanted
    return Standing(service=service, well_in_s=max(0.0, healthy_s - current.up_s))


def health_wait(service: WantedService, current: Container, *, subject: Subject) -> Wait | None:
    """The wait for a running container that does not say it is well."""
    if current.health == UNHEALTHY:
        return Wait(
            reason=WaitReason.UNHEALTHY,
            subject=subject,
            message="runs, and its health check fails",
            service_name=service.name,
        )
    if current.health == STARTING:
        return Wait(
            reason=WaitReason.HEALTH_STARTING,
            subject=subject,
            message="runs, and its health check has not passed yet",
            service_name=service.name,
        )
    return None


def begin(app: WantedApp, *, now_s: float, because: Step) -> Step:
    """The note that the release is being watched from now on."""
    return Step(
        kind=StepKind.VERIFY,
        subject=subject_of(app.app_id),
        reason=f"release {app.release} begins: {because.reason}",
        release=app.release,
        release_hash=app.release_hash,
        until_s=now_s + app.verify.timeout_s,
    )


def judge(
    app: WantedApp,
    standings: list[Standing],
    releases: Releases,
    *,
    now_s: float,
    busy: bool,
    held: str = "",
) -> Step | Wait | None:
    """COMMIT, REJECT, or the wait for one of them; None when the release is decided already.

    `busy`: images of the app are being pulled at this moment, which is no failure. `held` says
    what a person does that keeps it from becoming well: meanwhile its time does not run.
    """
    if is_good(releases, app):
        return None
    candidate = candidate_of(releases, app)
    unwell = [s for s in standings if s.well_in_s is None]
    if not unwell:
        left_s = max((s.well_in_s or 0.0 for s in standings), default=0.0)
        if left_s <= 0.0:
            return _commit(app)
        return _watching(app, f"well for {app.verify.healthy_s:g} s", until_s=now_s + left_s)
    worst = next((s for s in unwell if s.failed), unwell[0])
    if candidate is None:
        return None
    if held and not worst.failed:
        return _held(app, candidate, held, now_s=now_s)
    overdue = now_s >= candidate.deadline_s and not busy
    if not (worst.failed or overdue):
        return _watching(app, f"{worst.service.name}: {worst.failing}", candidate.deadline_s)
    if not may_go_back(app, releases):
        return None
    reason = worst.failed or f"not well within {app.verify.timeout_s:g} s: {worst.failing}"
    return Step(
        kind=StepKind.REJECT,
        subject=subject_of(app.app_id),
        reason=reason,
        target=worst.container_id,
        service_name=worst.service.name,
        release=app.release,
        release_hash=app.release_hash,
        owner=Subject(app_id=app.app_id, kind="service", name=worst.service.key),
    )


def _held(app: WantedApp, candidate: Candidate, held: str, *, now_s: float) -> Step | Wait:
    """Give a watch all of its time again when half of it is over."""
    half_s = app.verify.timeout_s / 2
    if candidate.deadline_s - now_s > half_s:
        return _watching(app, held, candidate.deadline_s - half_s)
    return Step(
        kind=StepKind.VERIFY,
        subject=subject_of(app.app_id),
        reason=f"its time begins anew: {held}",
        release=app.release,
        release_hash=app.release_hash,
        until_s=now_s + app.verify.timeout_s,
    )


def may_go_back(app: WantedApp, releases: Releases) -> bool:
    """Whether there is a release to go back to, and the target wants that."""
    good = good_of(releases, app.app_id)
    return (
        good is not None
        and good.release_hash != app.release_hash
        and app.verify.on_failure is OnFailure.ROLLBACK
    )


def _commit(app: WantedApp) -> Step:
    return Step(
        kind=StepKind.COMMIT,
        subject=subject_of(app.app_id),
        reason=f"release {app.release} is well",
        release=app.release,
        release_hash=app.release_hash,
    )


def _watching(app: WantedApp, message: str, until_s: float) -> Wait:
    return Wait(
        reason=WaitReason.VERIFYING,
        subject=subject_of(app.app_id),
        message=message,
        until_s=until_s,
    )

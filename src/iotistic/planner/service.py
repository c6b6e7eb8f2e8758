"""The one thing that is safe to do now for one service, or why nothing is.

Download-then-kill: nothing that runs is stopped before the images of its whole app are here.
A container that has ended is never started again, but removed and made anew; one that is paused
is kept. A failure of the step chosen here is waited for by `plan`, which knows the attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iotistic.model.observation import Container
from iotistic.model.service import RestartName
from iotistic.model.words import ContainerState, RunState, WaitReason
from iotistic.planner import normalize
from iotistic.planner.step import Difference, Step, Wait
from iotistic.planner.wanted import WantedService
from iotistic.planner.world import Intent, IntentKind, StepKind, Subject

ACTIVE = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)
ENGINE_POLL_S = 5.0
"""How soon to look again while the engine itself is busy with a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """What making or replacing a container depends on.

    `missing_images`: those that services of the app, this one among them, are still to be made
    of. `missing_objects`: networks and volumes of the service that have to be made first.
    """

    missing_images: frozenset[str] = frozenset()
    missing_objects: tuple[str, ...] = ()


class NeedsResources(Exception):
    """The decision depends on images, networks or volumes, which this round did not look at."""


def subject_of(app_id: int, service_id: str) -> Subject:
    """The subject of steps about a service."""
    return Subject(app_id=app_id, kind="service", name=service_id)


def choose_current(
    service: WantedService, containers: Sequence[Container]
) -> tuple[Container | None, tuple[Container, ...]]:
    """The container that stands for a service, and its duplicates.

    The one made for this very specification before others, a running one before others, then the
    newest; the id decides between equals, so that every round chooses alike.
    """
    if len(containers) == 1:
        return containers[0], ()
    ranked = sorted(
        containers,
        key=lambda c: (
            c.spec_hash == service.spec_hash,
            c.state is ContainerState.RUNNING,
            c.state in ACTIVE,
            c.created_s,
            c.id,
        ),
        reverse=True,
    )
    return (ranked[0], tuple(ranked[1:])) if ranked else (None, ())


def wanted_state(service: WantedService, stop: Intent | None) -> RunState:
    """What the target wants, unless a person said stop."""
    return RunState.STOPPED if stop is not None else service.target.state


def next_step(
    service: WantedService,
    current: Container | None,
    *,
    now_s: float,
    want: RunState,
    restart: Intent | None,
    prerequisites: Prerequisites | None,
) -> Step | Wait | None:
    """The next step for a service, a wait with its reason, or None when it is as wanted.

    Raises NeedsResources when `prerequisites` is None and the answer depends on them.
    """
    maker = _Maker(service, now_s)
    if current is None:
        if want is RunState.STOPPED:
            return None
        return _ready_to_make(maker, prerequisites, replacing=False) or maker.create()
    if current.state is ContainerState.REMOVING:
        return maker.wait(WaitReason.ENGINE_REMOVING, "the engine is removing its container")
    changed = _changes(service, current)
    if changed is not None:
        return _replace(maker, current, want, changed, prerequisites)
    return _same_spec(maker, current, want, restart)


def _changes(
    service: WantedService, current: Container
) -> tuple[str, tuple[Difference, ...]] | None:
    """(sentence, fields) when the container is not the one that the target describes."""
    if current.spec_hash != service.spec_hash:
        fields = normalize.differences(service.form, current.spec_fields)
        names = ", ".join(field.field for field in fields[:5]) or "its specification"
        return f"{names} changed", fields
    joined = {joining.network for joining in service.request.networks}
    if lost := sorted(joined - set(current.networks)):
        difference = Difference(
            field="networks", wanted=", ".join(sorted(joined)), found=", ".join(current.networks)
        )
        return f"not joined to network {lost[0]}", (difference,)
    return None


def _replace(
    maker: _Maker,
    current: Container,
    want: RunState,
    changed: tuple[str, tuple[Difference, ...]],
    prerequisites: Prerequisites | None,
) -> Step | Wait | None:
    reason, fields = changed
    active = current.state in ACTIVE
    if want is RunState.STOPPED:
        # What has ended may stay for someone to look at; it is never started again.
        return maker.stop(current, "wanted stopped") if active else None
    return _ready_to_make(maker, prerequisites, replacing=active) or (
        maker.stop(current, reason, fields) if active else maker.remove(current, reason, fields)
    )


def _ready_to_make(
    maker: _Maker, prerequisites: Prerequisites | None, *, replacing: bool
) -> Step | Wait | None:
    """The step or wait that comes before making a container; None when all is there."""
    if prerequisites is None:
        raise NeedsResources
    service = maker.service
    if service.image in prerequisites.missing_images:
        return maker.pull()
    if replacing and prerequisites.missing_images:
        first = min(prerequisites.missing_images)
        return maker.wait(
            WaitReason.IMAGES_OF_APP_MISSING, f"runs on until {first} of its app is here"
        )
    if prerequisites.missing_objects:
        return maker.wait(
            WaitReason.RESOURCES_MISSING, f"needs {', '.join(prerequisites.missing_objects)}"
        )
    return None


def _same_spec(
    maker: _Maker, current: Container, want: RunState, restart: Intent | None
) -> Step | Wait | None:
    state = current.state
    if want is RunState.STOPPED:
        return _keep_stopped(maker, current)
    if restart is not None and restart.container_id == current.id:
        if state in ACTIVE:
            return maker.restart(current, restart)
        return maker.remove(current, "restart asked for by a person")
    if state is ContainerState.CREATED:
        return maker.start(current)
    if state is ContainerState.RESTARTING:
        return maker.wait(
            WaitReason.ENGINE_RESTARTING,
            f"ended{_code(current)}, the engine is starting it again by its restart policy",
        )
    if state in (ContainerState.EXITED, ContainerState.DEAD):
        return _ended(maker, current)
    if state is ContainerState.RUNNING and want is RunState.PAUSED:
        return maker.step(StepKind.PAUSE, current, "wanted paused")
    if state is ContainerState.PAUSED and want is RunState.RUNNING:
        return maker.step(StepKind.UNPAUSE, current, "wanted running, is paused")
    return None


def _keep_stopped(maker: _Maker, current: Container) -> Step | None:
    if current.state in ACTIVE:
        return maker.stop(current, "wanted stopped")
    if _is_one_shot(maker.service) and current.state is ContainerState.EXITED:
        # An ended one-shot counts as completed as long as its container is there; removed, it
        # runs again when it is wanted again.
        return maker.remove(current, "wanted stopped; will run anew when wanted again")
    return None


def _ended(maker: _Maker, current: Container) -> Step | Wait | None:
    policy = maker.service.target.spec.restart
    if _is_one_shot(maker.service) and current.state is ContainerState.EXITED:
        if current.exit_code == 0:
            return None
        if policy.name is RestartName.NO or policy.retries_max:
            return maker.wait(
                WaitReason.ENDED,
                f"ended{_code(current)} and restart: {policy.name} lets it rest",
            )
    return maker.step(StepKind.HEAL, current, f"ended{_code(current)}, wanted running")


def _is_one_shot(service: WantedService) -> bool:
    return service.target.spec.restart.name in (RestartName.NO, RestartName.ON_FAILURE)


def _code(container: Container) -> str:
    return "" if container.exit_code is None else f" with code {container.exit_code}"


def clear_away(container: Container, reason: str, *, now_s: float) -> Step | Wait:
    """The next step towards a container not being there any more."""
    subject = subject_of(container.app_id, container.service_id)
    if container.state is ContainerState.REMOVING:
        return Wait(
            reason=WaitReason.ENGINE_REMOVING,
            subject=subject,
            message="the engine is removing its container",
            service_name=container.service_name,
            until_s=now_s + ENGINE_POLL_S,
        )
    kind = StepKind.STOP if container.state in ACTIVE else StepKind.REMOVE
    return Step(
        kind=kind,
        subject=subject,
        reason=reason,
        target=container.id,
        purpose=container.spec_hash or "",
        service_name=container.service_name,
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the steps and waits of one service."""

    service: WantedService
    now_s: float

    def step(
        self,
        kind: StepKind,
        container: Container | None,
        reason: str,
        *,
        fields: tuple[Difference, ...] = (),
        seen_start: str | None = None,
    ) -> Step:
        return Step(
            kind=kind,
            subject=subject_of(self.service.app_id, self.service.key),
            reason=reason,
            target=container.id if container else "",
            purpose=self.service.spec_hash,
            service_name=self.service.name,
            differences=fields,
            seen_start=seen_start,
            container=self.service.request if kind is StepKind.CREATE_CONTAINER else None,
        )

    def create(self) -> Step:
        return self.step(StepKind.CREATE_CONTAINER, None, "not there")

    def start(self, container: Container) -> Step:
        return self.step(StepKind.START, container, "made, not started")

    def stop(self, container: Container, reason: str, fields: tuple[Difference, ...] = ()) -> Step:
        return self.step(StepKind.STOP, container, reason, fields=fields)

    def remove(
        self, container: Container, reason: str, fields: tuple[Difference, ...] = ()
    ) -> Step:
        return self.step(StepKind.REMOVE, container, reason, fields=fields)

    def restart(self, container: Container, intent: Intent) -> Step:
        return self.step(
            StepKind.RESTART,
            container,
            "restart asked for by a person",
            seen_start=intent.seen_start,
        )

    def pull(self) -> Step:
        image = self.service.target.spec.image
        return Step(
            kind=StepKind.PULL,
            subject=Subject(app_id=0, kind="image", name=image.canonical),
            reason="image not here",
            target=image.canonical,
            service_name=self.service.name,
            image=image,
            owner=subject_of(self.service.app_id, self.service.key),
        )

    def wait(self, reason: WaitReason, message: str) -> Wait:
        return Wait(
            reason=reason,
            subject=subject_of(self.service.app_id, self.service.key),
            message=message,
            service_name=self.service.name,
            until_s=self.now_s + ENGINE_POLL_S if reason in _ENGINE_REASONS else None,
        )


_ENGINE_REASONS = (WaitReason.ENGINE_RESTARTING, WaitReason.ENGINE_REMOVING)


def intent_for(
    intents: Sequence[Intent], kind: IntentKind, service: WantedService
) -> Intent | None:
    """The wish of a kind that is in force for a service as its target now is."""
    for intent in intents:
        if (intent.kind, intent.app_id, intent.service_id) != (kind, service.app_id, service.key):
            continue
        if kind is IntentKind.STOP and intent.until_release and intent.purpose != service.spec_hash:
            continue
        return intent
    return None

"""Making the steps and waits of one service."""

from __future__ import annotations

from dataclasses import dataclass, replace

from iotistic.model.container import ContainerRequest
from iotistic.model.observation import Container
from iotistic.model.words import ContainerState, WaitReason
from iotistic.planner.order import ACTIVE
from iotistic.planner.step import Step, Wait
from iotistic.planner.wanted import WantedService
from iotistic.planner.world import Difference, Intent, StepKind, Subject

ENGINE_POLL_S = 5.0
"""How soon to look again while the engine itself is busy with a container."""
GRACE_S = 10.0
"""How long a container has to end by itself, if its specification does not say."""
BESIDE = ".next"
"""What the name of a container ends in while an older one has its name."""
_ENGINE_REASONS = (WaitReason.ENGINE_RESTARTING, WaitReason.ENGINE_REMOVING)


def subject_of(app_id: int, service_id: str) -> Subject:
    """The subject of steps about a service."""
    return Subject(app_id=app_id, kind="service", name=service_id)


def code_of(container: Container) -> str:
    """How it ended, for the middle of a sentence."""
    return "" if container.exit_code is None else f" with code {container.exit_code}"


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the steps and waits of one service."""

    service: WantedService
    now_s: float

    @property
    def subject(self) -> Subject:
        """Whom they are about."""
        return subject_of(self.service.app_id, self.service.key)

    def step(
        self,
        kind: StepKind,
        container: Container | None,
        reason: str,
        *,
        fields: tuple[Difference, ...] = (),
        lockless: bool = False,
    ) -> Step:
        """A step with the service's container."""
        grace_ms = self.service.target.spec.stop_grace_period_ms
        return Step(
            kind=kind,
            subject=self.subject,
            reason=reason,
            target=container.id if container else "",
            purpose=self.service.spec_hash,
            service_name=self.service.name,
            differences=fields,
            lockless=lockless,
            grace_s=GRACE_S if grace_ms is None else grace_ms / 1000,
        )

    def create(self, *, network_mode: str, image_id: str, beside: bool) -> Step:
        """Make the container, under another name while an older one has it."""
        request = replace(self.service.request, image_id=image_id)
        if network_mode:
            request = replace(request, network_mode=network_mode)
        if beside:
            request = replace(request, name=request.name + BESIDE)
        return replace(self.step(StepKind.CREATE_CONTAINER, None, "not there"), container=request)

    def start(self, container: Container) -> Step:
        """Start what was made."""
        step = self.step(StepKind.START, container, "made, not started")
        return replace(step, container=self.service.request)

    def stop(
        self,
        container: Container,
        reason: str,
        fields: tuple[Difference, ...] = (),
        *,
        lockless: bool = False,
        successor: ContainerRequest | None = None,
    ) -> Step:
        """Stop what runs, if `successor`, which is to come in its place, can be made here."""
        step = self.step(StepKind.STOP, container, reason, fields=fields, lockless=lockless)
        return step if successor is None else replace(step, container=successor)

    def remove(
        self, container: Container, reason: str, fields: tuple[Difference, ...] = ()
    ) -> Step:
        """Remove what does not run."""
        return self.step(StepKind.REMOVE, container, reason, fields=fields)

    def restart(self, container: Container, intent: Intent) -> Step:
        """Once more from the start, since a person wants it."""
        step = self.step(
            StepKind.RESTART, container, "restart asked for by a person", lockless=True
        )
        return replace(step, seen_start=intent.seen_start, container=self.service.request)

    def rename(self, container: Container) -> Step:
        """Give it the name it should have."""
        step = self.step(StepKind.RENAME, container, f"was called {container.name}")
        return replace(step, name=self.service.request.name)

    def wait(self, reason: WaitReason, message: str, *, until_s: float | None = None) -> Wait:
        """Why nothing is done; the engine's own doings are looked at again soon."""
        if until_s is None and reason in _ENGINE_REASONS:
            until_s = self.now_s + ENGINE_POLL_S
        return Wait(
            reason=reason,
            subject=self.subject,
            message=message,
            service_name=self.service.name,
            until_s=until_s,
        )


def clear_away(
    container: Container, reason: str, *, now_s: float, lockless: bool = False
) -> Step | Wait:
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
    return Step(
        kind=StepKind.STOP if container.state in ACTIVE else StepKind.REMOVE,
        subject=subject,
        reason=reason,
        target=container.id,
        purpose=container.spec_hash or "",
        service_name=container.service_name,
        lockless=lockless,
    )

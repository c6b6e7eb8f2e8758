"""What a plan is made of: steps to do now, waits with their causes, a verdict for each app.

A step is plain data and carries all that doing it needs. The reason is part of it: a sentence a
person can read, made where the decision was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iotistic.model.container import ContainerRequest, NetworkRequest, VolumeRequest
from iotistic.model.image import ImageRef
from iotistic.model.release import ReleasePhase
from iotistic.model.words import Verdict, WaitReason
from iotistic.planner.world import Difference, StepKind, Subject

__all__ = ["AppVerdict", "Difference", "Plan", "Step", "Wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is safe to do now.

    `target` is what the engine calls its object: a container id, or a network's or volume's name.
    `container` is what to make; for START and RESTART it says which files have to be there, for
    STOP which files its successor needs: where those cannot be, what runs goes on.
    `owner` is the service that a pull is for (its subject is the image, which belongs to no app).
    `purpose` is the spec hash it serves, for the counting of attempts. `name` is the new name of a
    RENAME. `lockless`: a person asked for it, or it clears away what should not be; no lock holds
    it off. `force`: locks of services are overruled, since the target says so. Steps about
    releases carry the release and its hash; VERIFY the deadline `until_s`, REJECT the failing
    service as `service_name`, and its container as `target`.
    """

    kind: StepKind
    subject: Subject
    reason: str
    target: str = ""
    purpose: str = ""
    service_name: str = ""
    image: ImageRef | None = None
    platform: str = ""
    container: ContainerRequest | None = None
    network: NetworkRequest | None = None
    volume: VolumeRequest | None = None
    name: str = ""
    release: str = ""
    release_hash: str = ""
    until_s: float | None = None
    lockless: bool = False
    force: bool = False
    grace_s: float = 10.0
    seen_start: str | None = None
    differences: tuple[Difference, ...] = ()
    owner: Subject | None = None

    @property
    def served(self) -> Subject:
        """Whom the step serves: the service of a pull, else its own subject."""
        return self.owner or self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why nothing is done about a subject, and the earliest time to ask again (None: on a wake)."""

    reason: WaitReason
    subject: Subject
    message: str
    service_name: str = ""
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppVerdict:
    """How an app stands, and what is not well about it.

    `release` is the one that the target wants, `phase` how far it is. `warnings` do not keep the
    app from being settled. `unsettled` are the ids of services that are not as wanted.
    """

    verdict: Verdict
    reason: str = ""
    services_settled: int = 0
    services_total: int = 0
    phase: ReleasePhase = ReleasePhase.PENDING
    release: str = ""
    release_hash: str = ""
    warnings: tuple[str, ...] = ()
    unsettled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer of one round.

    `needs_resources`: something is not as wanted and cannot be decided without a look at images,
    networks and volumes; the same question is to be asked again with them. `needs_inspection`:
    containers, by id, that have to be looked at closely; what does not hang on them is planned.
    """

    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    verdicts: Mapping[int, AppVerdict] = field(default_factory=dict)
    needs_resources: bool = False
    needs_inspection: frozenset[str] = frozenset()
    ask_again_s: float | None = None

    @property
    def settled(self) -> bool:
        """Nothing to do, nothing to wait for. What a person stopped is as it should be."""
        return not (self.needs_resources or self.needs_inspection) and all(
            verdict.verdict in (Verdict.SETTLED, Verdict.INTERRUPTED)
            for verdict in self.verdicts.values()
        )

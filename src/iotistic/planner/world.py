"""All facts gathered for one planning round. The clock is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from iotistic.model.observation import Container, Resources


class StepKind(StrEnum):
    """What kind of thing a step does; attempts are counted by it."""

    PULL = "pull"
    CREATE_NETWORK = "create-network"
    REMOVE_NETWORK = "remove-network"
    CREATE_VOLUME = "create-volume"
    REMOVE_VOLUME = "remove-volume"
    CREATE_CONTAINER = "create-container"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    REMOVE = "remove"
    HEAL = "heal"
    """Remove the container of a service that ended by itself, so that it is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Subject:
    """What a step is about: an app's service, or (with kind) one of its networks, volumes, images.

    `name` is the service id for `service`, the short name for `network` and `volume`, and the
    canonical reference for `image` (which belongs to no app: `app_id` 0).
    """

    app_id: int
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.app_id}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Failures in a row of one kind of step on one subject.

    `not_before_s` is on the boot clock. `purpose` is the spec hash the attempts were for: another
    purpose starts afresh.
    """

    subject: Subject
    step: StepKind
    count: int
    not_before_s: float
    purpose: str = ""
    code: str = ""
    message: str = ""


class IntentKind(StrEnum):
    """What a person asked of a service."""

    STOP = "stop"
    RESTART = "restart"
    PURGE = "purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A person's wish, in the store before anything is done about it.

    STOP: the service stays stopped; with `until_release` only while the target wants the spec
    whose hash is `purpose` (another one is a new release and ends it).
    RESTART: once for the container `container_id` as started at `seen_start`.
    PURGE: the volumes of the app are removed once (`service_id` is empty).
    """

    kind: IntentKind
    app_id: int
    service_id: str
    until_release: bool = True
    purpose: str = ""
    container_id: str = ""
    seen_start: str | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything the planner may know. `resources` None: not looked at in this round.

    `in_flight` are subjects with a step under way. `pulling` gives the share done (0..1) of each
    canonical reference being pulled. Among `attempts`, those of kind HEAL also count how often a
    service that had ended was made again.
    """

    now_s: float
    containers: tuple[Container, ...] = ()
    resources: Resources | None = None
    in_flight: frozenset[Subject] = frozenset()
    pulling: Mapping[str, float] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    intents: tuple[Intent, ...] = ()

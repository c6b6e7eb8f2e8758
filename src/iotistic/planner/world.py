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
    RENAME = "rename"
    REMOVE_IMAGE = "remove-image"
    TAKE_LOCKS = "take-locks"
    RELEASE_LOCKS = "release-locks"
    VERIFY = "verify"
    """Begin to watch a release: from now on its time runs."""
    COMMIT = "commit"
    """A release is well: it is the one to go back to from now on."""
    REJECT = "reject"
    """A release was not well in time: go back, and do not try it again."""

    @property
    def is_journal(self) -> bool:
        """Whether it is a note in the store, and nothing to do with the engine."""
        return self in _JOURNAL


_JOURNAL = frozenset(
    {
        StepKind.TAKE_LOCKS,
        StepKind.RELEASE_LOCKS,
        StepKind.VERIFY,
        StepKind.COMMIT,
        StepKind.REJECT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Subject:
    """What a step is about: an app's service, or (with kind) one of its networks, volumes, images.

    `name` is the service id for `service`, the short name for `network` and `volume`, and the
    canonical reference for `image` (which belongs to no app: `app_id` 0). Steps about a whole app
    have the kind `app` and the name "".
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
    failed_at_ms: int = 0
    """By the wall clock, for showing."""


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


class LockOwner(StrEnum):
    """Whose lock it is."""

    AGENT = "agent"
    """Ours, while we change the app."""
    PERSON = "person"
    """Set by a technician: `iotctl apps lock`."""
    SERVICE = "service"
    """Set by a service of the app in its control folder."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Lock:
    """Something that holds changes of an app off. `until_s` is on the boot clock, None without end.

    `holder` is a name to show. `at_ms` is when it was taken, by the wall clock.
    """

    app_id: int
    owner: LockOwner
    holder: str = ""
    reason: str = ""
    until_s: float | None = None
    at_ms: int = 0
    boot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A release that was not well in time and was taken back.

    `release_hash` says exactly what it was, `release` is its name. `last_words` are the last lines
    that the failing service wrote.
    """

    app_id: int
    release_hash: str
    release: str
    reason: str
    service_name: str = ""
    last_words: tuple[str, ...] = ()
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A release being watched; its time ends at `deadline_s` on the boot clock."""

    app_id: int
    release_hash: str
    release: str
    deadline_s: float
    began_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodRelease:
    """The release of an app that was well last."""

    app_id: int
    release_hash: str
    release: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """What is known of the releases of all apps, each at most once an app but for `rejected`."""

    good: tuple[GoodRelease, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Completed:
    """A one-shot that ended well, remembered when its container is gone."""

    app_id: int
    service_id: str
    spec_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledImage:
    """An image that this agent pulled: what its reference meant then, for which release."""

    reference: str
    image_id: str
    app_id: int
    release_hash: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not as wanted. Values are shown masked where they may be secret."""

    field: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLook:
    """A container compared field by field with the service it is for, as that was then wanted."""

    compared_with: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Room on this machine; None is unknown."""

    disk_free_bytes: int | None = None
    memory_free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything the planner may know.

    `resources` None: never looked at; not `resources_fresh`: seen in an earlier round, good enough
    to notice something by, and not to act on. `in_flight` are subjects with a step under way.
    `pulling` gives the share done (0..1) of each canonical reference being pulled. Among
    `attempts`, those of kind HEAL also count how often a service that had ended was made again.
    `inspected` are containers that were looked at closely, by id. `handed_over` are the ids of
    containers that said they have taken over.
    """

    now_s: float
    containers: tuple[Container, ...] = ()
    resources: Resources | None = None
    resources_fresh: bool = True
    in_flight: frozenset[Subject] = frozenset()
    pulling: Mapping[str, float] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    intents: tuple[Intent, ...] = ()
    locks: tuple[Lock, ...] = ()
    releases: Releases = Releases()
    completed: frozenset[Completed] = frozenset()
    pulled: tuple[PulledImage, ...] = ()
    host: Host = Host()
    inspected: Mapping[str, CloseLook] = field(default_factory=dict)
    handed_over: frozenset[str] = frozenset()

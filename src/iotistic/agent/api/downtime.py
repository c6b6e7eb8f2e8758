"""For how long services would be interrupted by a foreseen course. Pure, and only an estimate.

A stop is given its whole grace unless the journal knows how long the service's stops took; the
other steps take what they took before, or else an assumed time. What holds a download, or waits
for another service to become well, is not guessed: it is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.model.service import Condition
from iotistic.planner.foresight import Foreseen
from iotistic.planner.step import Step
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import StepKind

ASSUMED_S: Mapping[StepKind, float] = {
    StepKind.CREATE_CONTAINER: 1.0,
    StepKind.START: 1.0,
    StepKind.REMOVE: 1.0,
    StepKind.PAUSE: 0.5,
    StepKind.UNPAUSE: 0.5,
}
ROUND_S = 0.2
"""What a round takes beside its steps: a look and a decision."""

Key = tuple[int, str]
Took = Mapping[tuple[int, str, StepKind], Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A service that runs now and would be interrupted.

    `lasts_s` is the sum over all `times`, None when it cannot be told; `measured`: nothing in it is
    assumed. `for_good`: it would not run at the end. `notes` say what is not in the number.
    """

    app_id: int
    service_name: str
    times: int
    for_good: bool = False
    lasts_s: float | None = None
    measured: bool = False
    notes: tuple[str, ...] = ()


def took(entries: Iterable[JournalEntry]) -> Took:
    """How long steps of services took, in seconds, as the journal has it."""
    found: dict[tuple[int, str, StepKind], list[float]] = defaultdict(list)
    for entry in entries:
        span_ms, kind = entry.detail.get("tookMs"), entry.detail.get("step")
        if entry.event is not JournalEvent.STEP_DONE or not isinstance(span_ms, int | float):
            continue
        if kind in set(StepKind):
            key = (entry.app_id, entry.service_name, StepKind(str(kind)))
            found[key].append(span_ms / 1000)
    return found


def interruptions(foreseen: Foreseen, wanted: Wanted, took: Took) -> tuple[Interruption, ...]:
    """One for each service that would be interrupted, by app and name."""
    return tuple(
        found
        for key in sorted(foreseen.interruptions)
        if (found := _Course(key, foreseen, wanted, took).follow()) is not None
    )


class _Course:
    """One service through the rounds."""

    def __init__(self, key: Key, foreseen: Foreseen, wanted: Wanted, took: Took) -> None:
        self._key = key
        self._rounds = foreseen.rounds
        self._wanted = wanted
        self._took = took
        self._measured = True
        self._lasts_s = 0.0
        self._times = 0
        self._notes: list[str] = []
        self._downloads = False

    def follow(self) -> Interruption | None:
        beside = False  # a second container runs: when the first one stops nobody notices
        down_since: int | None = None
        for number, steps in enumerate(self._rounds):
            for step in self._own(steps):
                match step.kind:
                    case StepKind.STOP | StepKind.PAUSE if beside:
                        beside = False
                    case StepKind.STOP | StepKind.PAUSE if down_since is None:
                        down_since, self._times = number, self._times + 1
                    case StepKind.RESTART:
                        self._times += 1
                        self._add(step)
                    case StepKind.START | StepKind.UNPAUSE if down_since is not None:
                        self._add_window(down_since, number)
                        down_since = None
                    case StepKind.START:
                        beside = True
                    case _:
                        pass
        if not self._times:
            return None
        known = down_since is None and not self._downloads
        return Interruption(
            app_id=self._key[0],
            service_name=self._key[1],
            times=self._times,
            for_good=down_since is not None,
            lasts_s=round(self._lasts_s, 1) if known else None,
            measured=self._measured and known,
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _own(self, steps: Iterable[Step]) -> list[Step]:
        return [s for s in steps if (s.served.app_id, s.service_name) == self._key]

    def _add_window(self, first: int, last: int) -> None:
        """All from the stop to the start: its own steps, and while it waits those of its app."""
        for steps in self._rounds[first : last + 1]:
            self._lasts_s += ROUND_S
            own = self._own(steps)
            for step in own:
                self._add(step)
            if own:
                continue
            others = [s for s in steps if s.served.app_id == self._key[0]]
            if any(s.kind is StepKind.PULL for s in others):
                self._download()
            else:
                self._lasts_s += max((self._span_s(s) for s in others), default=0.0)
        self._name_dependencies(first, last)

    def _add(self, step: Step) -> None:
        if step.kind is StepKind.PULL:
            self._download()
        else:
            self._lasts_s += self._span_s(step)

    def _download(self) -> None:
        self._downloads = True
        self._notes.append("it is down while its app's images are downloaded")

    def _span_s(self, step: Step) -> float:
        known = self._took.get((step.served.app_id, step.service_name, step.kind))
        if known:
            return median(known)
        if step.kind.is_journal:
            return 0.0
        self._measured = False
        match step.kind:
            case StepKind.STOP:
                return step.grace_s
            case StepKind.RESTART:
                return step.grace_s + ASSUMED_S[StepKind.START]
            case _:
                return ASSUMED_S.get(step.kind, 1.0)

    def _name_dependencies(self, first: int, last: int) -> None:
        started = {
            s.service_name
            for steps in self._rounds[first : last + 1]
            for s in steps
            if s.kind is StepKind.START and s.served.app_id == self._key[0]
        }
        app = next((a for a in self._wanted.apps if a.app_id == self._key[0]), None)
        service = app.service(self._key[1]) if app else None
        words = {Condition.HEALTHY: "is healthy", Condition.COMPLETED: "has ended well"}
        for dependency in service.depends_on if service else ():
            if dependency.service in started and dependency.condition in words:
                self._notes.append(f"and until {dependency.service} {words[dependency.condition]}")

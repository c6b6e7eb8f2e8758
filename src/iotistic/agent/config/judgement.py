"""What came of a whole config, given what else is set on this device. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from iotistic.agent.config.outcome import Outcome, OutcomeKind, Reason
from iotistic.agent.config.reading import Reading
from iotistic.agent.settings import SettingRow, Source


class Standing(Protocol):
    """The settings in force, and where each value comes from."""

    def row(self, name: str) -> SettingRow:
        """One setting."""
        ...

    def is_in_force(self, name: str, text: str) -> bool:
        """Whether the value in force means the same as `text`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of each key, by path; `applied` is the part of the config that is in force."""

    applied: Mapping[str, Any] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()

    @property
    def troubles(self) -> tuple[Outcome, ...]:
        """The keys that are not in force and will not be."""
        good = (OutcomeKind.APPLIED, OutcomeKind.NEEDS_RESTART)
        return tuple(outcome for outcome in self.outcomes if outcome.kind not in good)


def judge(
    document: Mapping[str, Any],
    reading: Reading,
    settings: Standing,
    at_start: Mapping[str, str | None],
) -> Judgement:
    """Settle every outcome of `reading`, which is of `document`.

    `at_start` are the values that settings had when the agent started.
    """
    outcomes = tuple(
        _settle(outcome, reading.texts.get(outcome.path), settings, at_start)
        for outcome in reading.outcomes
    )
    applied: dict[str, Any] = {}
    for outcome in outcomes:
        if outcome.kind is OutcomeKind.APPLIED:
            _copy(document, applied, outcome.path.split("."))
    return Judgement(applied=applied, outcomes=outcomes)


def _settle(
    read: Outcome, text: str | None, settings: Standing, at_start: Mapping[str, str | None]
) -> Outcome:
    # A wish that is fulfilled counts as applied, whoever else had the same one.
    if read.kind is not OutcomeKind.APPLIED or read.setting is None or text is None:
        return read
    row = settings.row(read.setting)
    if not settings.is_in_force(read.setting, text):
        return _overruled(read, row)
    if row.restart and row.value != at_start.get(read.setting):
        return replace(
            read,
            kind=OutcomeKind.NEEDS_RESTART,
            message="in force from the agent's next start: iotctl restart",
        )
    return read


def _overruled(read: Outcome, row: SettingRow) -> Outcome:
    if row.source is Source.PIN:
        reason, because = Reason.PINNED, f"{row.name} is pinned on the device (CONFIG_PIN)"
    else:
        reason = Reason.SET_LOCALLY
        because = f"{row.name} is set on the device; iotctl config reset {row.name} takes it back"
    return replace(read, kind=OutcomeKind.REJECTED, reason=reason, message=because)


def _copy(source: Mapping[str, Any], to: dict[str, Any], names: list[str]) -> None:
    """Copy what stands at a path. The paths of known keys have no dot in a name."""
    for name in names[:-1]:
        source, to = source[name], to.setdefault(name, {})
    to[names[-1]] = source[names[-1]]

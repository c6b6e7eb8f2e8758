"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from iotistic.model.errors import IotisticError

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

TIMEOUT_S = 5.0
Fact = str | int | float | bool | None | list[str]


class CheckVerdict(StrEnum):
    """What came of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found: a sentence, the facts it rests on, and what to do about it."""

    verdict: CheckVerdict
    message: str
    remedy: str | None = None
    evidence: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `run` only looks, and raises what it could not look at."""

    id: str
    title: str
    run: Callable[[Rooms], Awaitable[Finding]]
    timeout_s: float = TIMEOUT_S


def ok(message: str, **evidence: Fact) -> Finding:
    """All is well."""
    return Finding(verdict=CheckVerdict.OK, message=message, evidence=evidence)


def warning(message: str, remedy: str | None = None, **evidence: Fact) -> Finding:
    """It works, but somebody should know."""
    return Finding(verdict=CheckVerdict.WARNING, message=message, remedy=remedy, evidence=evidence)


def failed(message: str, remedy: str | None = None, **evidence: Fact) -> Finding:
    """It does not work."""
    return Finding(verdict=CheckVerdict.FAILED, message=message, remedy=remedy, evidence=evidence)


def skipped(message: str, remedy: str | None = None, **evidence: Fact) -> Finding:
    """There is nothing to be checked."""
    return Finding(verdict=CheckVerdict.SKIPPED, message=message, remedy=remedy, evidence=evidence)


def told(error: IotisticError, verdict: CheckVerdict = CheckVerdict.FAILED) -> Finding:
    """What an error says."""
    return Finding(
        verdict=verdict, message=error.message, remedy=error.remedy, evidence={"code": error.code}
    )

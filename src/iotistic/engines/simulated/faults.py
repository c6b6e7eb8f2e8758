"""Faults to order: which call goes wrong next, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from iotistic.model.errors import Conflict, EngineUnavailable, IotisticError, NotFound, Refused

ANY_CALL = "*"
_UNAVAILABLE = frozenset(
    {
        "engine-unavailable",
        "engine-unresponsive",
        "engine-error",
        "rate-limited",
        "registry-unavailable",
        "disk-full",
    }
)


class FaultKind(StrEnum):
    """In what way a call goes wrong."""

    FAIL = "fail"
    """Nothing is done, and the error says so."""
    LOSE_REPLY = "lose-reply"
    """It is done, and nobody hears of it."""
    HALF_DO = "half-do"
    """A part of it is done: one network joined, a restart that only stopped, half a pull."""
    DELAY = "delay"
    """It takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The next `times` calls of that name go wrong (None: all until `clear`).

    `call` is the name of a method of `Engine`, or "*". `subject` narrows it to calls about an
    object whose id, name or reference contains it. `code` is of the error that FAIL, HALF_DO and
    LOSE_REPLY raise.
    """

    call: str = ANY_CALL
    kind: FaultKind = FaultKind.FAIL
    code: str = "engine-unavailable"
    subject: str = ""
    times: int | None = 1
    delay_s: float = 0.0
    retry_after_s: float | None = None

    def error(self, what: str) -> IotisticError:
        """The error it raises."""
        return ordered_error(self.code, f"{what}: ordered to fail", self.retry_after_s)


class Faults:
    """The faults that are on order, the oldest first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Let calls go wrong."""
        self._ordered.append(fault)

    def clear(self) -> None:
        """Let all go well again."""
        self._ordered.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What is still to come."""
        return tuple(self._ordered)

    def take(self, call: str, subject: str) -> Fault | None:
        """The fault of this call, if it has one; counts it."""
        for place, fault in enumerate(self._ordered):
            if fault.call not in (call, ANY_CALL) or fault.subject not in subject:
                continue
            if fault.times is not None:
                if fault.times <= 1:
                    del self._ordered[place]
                else:
                    self._ordered[place] = replace(fault, times=fault.times - 1)
            return fault
        return None


def ordered_error(code: str, message: str, retry_after_s: float | None = None) -> IotisticError:
    """An error of an engine by its code."""
    if code in _UNAVAILABLE:
        return EngineUnavailable(message, code=code, retry_after_s=retry_after_s)
    if code == NotFound.code:
        return NotFound(message)
    if code == Conflict.code:
        return Conflict(message)
    return Refused(message, code=code)

"""Errors. The class says what the caller does next; the code is for programs.

IotisticError
├─ InvalidField        terminal: correct the input
├─ Refused             terminal until something else changes (rights, policy, state)
│  ├─ NotFound         what was named does not exist
│  └─ Conflict         it exists already, or changed meanwhile
└─ Unavailable         transient: back off and ask again
   ├─ CloudUnavailable
   └─ EngineUnavailable
      ├─ EngineUnresponsive
      └─ EngineFailed

Codes are stable and kebab-case: branch on them, never on the text. An error is logged once,
by the one who handles it, and chained (`raise ... from error`) when it changes its form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

MASK = "***"
_SHOWN_LENGTH_MAX = 80
_PATH_LENGTH_MAX = 200
FAULTS_MAX = 20


class IotisticError(Exception):
    """Root of all errors of ours: a sentence, a code and, where there is one, a remedy."""

    code: str = "internal"

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    def details(self) -> dict[str, Any]:
        """What a program may want besides code and message; JSON-ready, never a secret."""
        return {"remedy": self.remedy} if self.remedy else {}


class InvalidField(IotisticError):
    """A value from outside cannot be used: where it stands, what was found, what to do.

    `found` is shown shortened, and masked when `secret` is true. `more` are further faults of the
    same document, the message is of this one alone.
    """

    code: str = "invalid-field"

    def __init__(
        self,
        path: str,
        *,
        expected: str,
        found: object = None,
        remedy: str | None = None,
        secret: bool = False,
    ) -> None:
        self.more: tuple[InvalidField, ...] = ()
        self.path = path
        self.expected = expected
        self.found = MASK if secret else shown(found)
        super().__init__(_told(path, expected, self.found), remedy=remedy)

    @property
    def all(self) -> tuple[InvalidField, ...]:
        """Itself and the others."""
        return (self, *self.more)

    def moved(self, path: str, *, expected: str) -> InvalidField:
        """The same finding about the same value, by its place in another document."""
        other = type(self)(path, expected=expected, remedy=self.remedy)
        other.found = self.found
        other.message = _told(path, expected, self.found)
        return other

    def details(self) -> dict[str, Any]:
        """Path, expectation and finding beside the remedy."""
        return {
            "path": self.path,
            "expected": self.expected,
            "found": self.found,
            **super().details(),
            **({"more": [one.details() for one in self.more]} if self.more else {}),
        }


class Refused(IotisticError):
    """Asking again as things are would give the same answer."""

    code: str = "refused"


class NotFound(Refused):
    """What was named does not exist here."""

    code: str = "not-found"


class Conflict(Refused):
    """It exists already, or somebody else changed it meanwhile."""

    code: str = "conflict"


class Unavailable(IotisticError):
    """It may work later. `retry_after_s` is the other side's wish, in seconds, if it had one."""

    code: str = "unavailable"
    channel: ClassVar[str] = "service"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        remedy: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.retry_after_s = retry_after_s


class CloudUnavailable(Unavailable):
    """The cloud did not answer, or answered with something that is not an answer."""

    code: str = "cloud-unavailable"
    channel: ClassVar[str] = "cloud"


class EngineUnavailable(Unavailable):
    """The container engine is not there, or of no use now."""

    code: str = "engine-unavailable"
    channel: ClassVar[str] = "engine"


class EngineUnresponsive(EngineUnavailable):
    """The container engine takes calls and does not answer them in time."""

    code: str = "engine-unresponsive"


class EngineFailed(EngineUnavailable):
    """The container engine answered, with an error of its own."""

    code: str = "engine-error"


class LayersMissing(Refused):
    """Of an image or a container not everything is there any more."""

    code: str = "layers-missing"


def together(faults: Sequence[InvalidField]) -> InvalidField:
    """Several faults as one error: the first, with the others."""
    first, *others = faults[:FAULTS_MAX]
    first.more = tuple(others)
    return first


def _told(path: str, expected: str, found: str) -> str:
    if len(path) > _PATH_LENGTH_MAX:  # names in it come from outside
        path = f"{path[: _PATH_LENGTH_MAX - 60]}…{path[-59:]}"
    return f"{path}: expected {expected}, found {found}"


def shown(value: object) -> str:
    """`value` as an error message shows it: one short line, None as "nothing"."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH_MAX else text[: _SHOWN_LENGTH_MAX - 1] + "…"

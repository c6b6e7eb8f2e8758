"""The logger that rooms are handed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from iotistic.agent.logs.record import LogLevel
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent


class LogTarget(Protocol):
    """Where a logger's words go. Never blocks, never raises."""

    def add(
        self, level: LogLevel, component: str, message: str, fields: Mapping[str, object]
    ) -> None:
        """Take one record."""
        ...

    def learn(self, *secrets: Secret) -> None:
        """Mask these texts from now on."""
        ...


class AgentLogger:
    """Says what happened: a constant message, the facts as fields.

    Never blocks and never raises. An exception goes in as `error=`: one of ours becomes its code
    and sentence, any other brings its traceback. `operation=` says what the component was about;
    it is a part of the record of its own. Secrets are masked (`logs.redaction`).
    """

    __slots__ = ("_component", "_fields", "_target")

    def __init__(
        self,
        target: LogTarget,
        *,
        component: LogComponent = LogComponent.AGENT,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self._target = target
        self._component = component
        self._fields = dict(fields or {})

    def bind(self, *, component: LogComponent | None = None, **fields: object) -> AgentLogger:
        """A logger that says these with every record."""
        return AgentLogger(
            self._target,
            component=component or self._component,
            fields={**self._fields, **fields},
        )

    def learn(self, *secrets: Secret) -> None:
        """Mask these texts from now on, whoever says them."""
        self._target.learn(*secrets)

    def debug(self, message: str, /, **fields: object) -> None:
        """What only somebody who looks for a fault wants to read."""
        self._say(LogLevel.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Something changed, as it should."""
        self._say(LogLevel.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Not as it should be; the agent goes on and tries again."""
        self._say(LogLevel.WARN, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """A failure that somebody should look at."""
        self._say(LogLevel.ERROR, message, fields)

    def _say(self, level: LogLevel, message: str, fields: Mapping[str, object]) -> None:
        self._target.add(level, self._component, message, {**self._fields, **fields})

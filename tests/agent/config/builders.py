"""A device's settings and what the cloud may say about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.agent.config import ConfigManager, Judgement, Outcome
from iotistic.agent.logs import LogBook
from iotistic.agent.settings import Settings
from tests.agent.virtual_clock import VirtualClock


class Device:
    """Settings with the cloud's say in them. `changes` counts how often others are in force."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        local: Mapping[str, str] | None = None,
        held: Mapping[str, Any] | None = None,
    ) -> None:
        self.book = LogBook(VirtualClock())
        self.settings = Settings(environment or {})
        self.settings.adopt(local or {})
        self.changes = 0
        self.config = ConfigManager(
            self.settings, self.book.logger(), held=held, on_change=self._changed
        )

    def _changed(self) -> None:
        self.changes += 1

    @property
    def judgement(self) -> Judgement:
        return self.config.judgement()

    def outcome(self, path: str) -> Outcome:
        """What came of the key at `path`."""
        return {outcome.path: outcome for outcome in self.judgement.outcomes}[path]

    def said(self) -> list[tuple[Any, Any]]:
        """Of each key its path, and what came of it."""
        return [
            (o.path, f"{o.kind}: {o.reason}" if o.reason else str(o.kind))
            for o in self.judgement.outcomes
        ]

    def shown(self, name: str) -> tuple[str | None, str]:
        """Value and source of a setting."""
        row = self.settings.row(name)
        return row.value, str(row.source)


def settings(**keys: Any) -> dict[str, Any]:
    """A config of `settings` alone."""
    return {"settings": keys}

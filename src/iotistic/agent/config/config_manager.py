"""Takes the `config` section of every target, and puts in force what can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from iotistic.agent.config.judgement import Judgement, Standing, judge
from iotistic.agent.config.outcome import OutcomeKind
from iotistic.agent.config.reading import Reading, read_config
from iotistic.agent.logs import AgentLogger
from iotistic.agent.settings import SettingRow
from iotistic.model.words import LogComponent

_LOGGED_MAX = 20


class CloudSettings(Standing, Protocol):
    """The settings, as far as the cloud has a say in them."""

    def rows(self) -> list[SettingRow]:
        """Every setting with its value and where that comes from."""
        ...

    def adopt_cloud(self, values: Mapping[str, str]) -> None:
        """Put these in force, in place of all earlier ones of the cloud."""
        ...


class ConfigManager:
    """The cloud's say in the settings of this device.

    `held` is the config of the target that is held: what was stored, at the start. `on_change` is
    called when another value is in force than before. Level-triggered: `take` may be called again
    and again with the same section, and only the last one counts.
    """

    def __init__(
        self,
        settings: CloudSettings,
        log: AgentLogger,
        *,
        held: Mapping[str, Any] | None = None,
        on_change: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._log = log.bind(component=LogComponent.CONFIG_MANAGER)
        self._on_change = on_change
        self._document: Mapping[str, Any] = {}
        self._reading = Reading()
        self._adopt(held or {})
        self._at_start = self._in_force()
        if held:
            self._tell()

    def take(self, document: Mapping[str, Any]) -> None:
        """Take the section of the target that is held now, in place of the one before."""
        if document is self._document:
            return
        before, said = self._in_force(), self.judgement()
        self._adopt(document)
        if self.judgement() != said:
            self._tell()
        if self._in_force() != before:
            self._on_change()

    def judgement(self) -> Judgement:
        """What came of each key, as things are now."""
        return judge(self._document, self._reading, self._settings, self._at_start)

    def _adopt(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._reading = read_config(document)
        self._settings.adopt_cloud(self._reading.values)

    def _in_force(self) -> Mapping[str, str | None]:
        return {row.name: row.value for row in self._settings.rows()}

    def _tell(self) -> None:
        found = self.judgement()
        counts = {str(kind): 0 for kind in OutcomeKind}
        for outcome in found.outcomes:
            counts[outcome.kind] += 1
        self._log.info("config taken", **counts)
        for outcome in found.troubles[:_LOGGED_MAX]:
            self._log.warning(
                "config key not in force",
                path=outcome.path,
                outcome=str(outcome.kind),
                reason=outcome.message,
            )

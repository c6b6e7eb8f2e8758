"""Everything about logs that runs: the agent's own to the cloud and to files, the services' too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.container_logs import ContainerLogs, ContainerLogSettings, LogRate
from iotistic.agent.logs import LogBook, LogLevel
from iotistic.agent.logs.cloud_backend import CloudLogBackend, CloudLogSettings
from iotistic.agent.logs.file import LogFiles
from iotistic.agent.outbox import Outbox
from iotistic.agent.reconciler import Snapshot
from iotistic.agent.reconciler.last_words import hidden_in
from iotistic.agent.settings import Settings
from iotistic.engines.protocol import Engine
from iotistic.model.observation import Container
from iotistic.model.words import LogComponent
from iotistic.planner.wanted import Wanted

CARRIERS = frozenset({LogComponent.COURIER, LogComponent.OUTBOX})
"""Who carries lines to the cloud: what they say of it must not be work for them again."""
LOG_FOLDER = "logs"


class LogRooms:
    """Puts the settings in force wherever logs go.

    `folder` is the database's; `on_error` is called when an error is on its way to the cloud.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        book: LogBook,
        engine: Engine,
        outbox: Outbox,
        snapshot: Callable[[], Snapshot],
        wanted: Callable[[], Wanted],
        floor: Callable[[], LogLevel],
        on_error: Callable[[], None],
        folder: Path,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._settings = settings
        self._floor = floor
        self._book = book
        self._folder = folder
        self._cloud_settings = self._read_cloud_settings()
        self.agent = CloudLogBackend(
            book,
            outbox,
            settings=lambda: self._cloud_settings,
            carriers=CARRIERS,
            on_error=on_error,
            clock=clock,
            rng=rng,
        )
        self.containers = ContainerLogs(
            engine=engine,
            outbox=outbox,
            containers=lambda: _listed(snapshot()),
            hidden_in=lambda app_id: hidden_in(wanted(), app_id),
            mask=book.mask,
            settings=self._container_settings,
            on_error=on_error,
            clock=clock,
            rng=rng,
            log=book.logger(),
        )

    def settings_changed(self) -> None:
        """Put in force what the settings say now."""
        self._book.level = self._settings.value("LOG_LEVEL")
        self._book.keep_files(self._files())
        self._cloud_settings = self._read_cloud_settings()
        self.containers.changed()

    def counts(self) -> dict[str, Any]:
        """What became of lines since the start, before they got into the outbox."""
        return {
            "agent": self.agent.counts(),
            "containers": self.containers.counts(),
            "outputDropped": self._book.dropped,
            "fileError": str(error) if (error := self._book.file_error) else None,
        }

    def _files(self) -> LogFiles | None:
        value = self._settings.value
        if not value("LOG_FILE_PERSISTANCE"):
            return None
        given: Path | None = value("LOG_DIR")
        return LogFiles(
            folder=given or self._folder / LOG_FOLDER,
            bytes_max=value("MAX_LOG_FILE_SIZE"),
            age_max_s=value("LOG_MAX_AGE") / 1000,
        )

    def _read_cloud_settings(self) -> CloudLogSettings:
        floor = self._floor()
        return CloudLogSettings(
            enabled=self._settings.value("ENABLE_CLOUD_LOGGING"),
            shares={
                level: self._settings.value(f"CLOUD_LOG_SAMPLING_RATE_{level.upper()}")
                if level.rank >= floor.rank
                else 0.0
                for level in LogLevel
            },
        )

    def _container_settings(self) -> ContainerLogSettings:
        value, own = self._settings.value, self._read_cloud_settings()
        sampled, floor = value("LOG_SAMPLE_CONTAINERS"), self._floor()
        return ContainerLogSettings(
            enabled=own.enabled,
            rate=LogRate(
                lines_s=value("CONTAINER_LOG_RATE"),
                burst=value("CONTAINER_LOG_BURST"),
                bytes_s=value("CONTAINER_LOG_KIB_RATE") * 1024,
            ),
            shares={
                level: share if sampled or level.rank < floor.rank else 1.0
                for level, share in own.shares.items()
            },
        )


def _listed(snapshot: Snapshot) -> Sequence[Container] | None:
    """The last listing. Before there was one, an empty list would mean that all are gone; in safe
    mode there are no rounds, and containers all the same.
    """
    return snapshot.containers if snapshot.rounds or snapshot.containers else None

"""class DeviceAgent: the only place that wires the rooms together.

    settings -> log -> store -> engine -> reconciler, provisioning, sync, Device API

All of them run in one TaskGroup, each under a supervisor. Cancelling is stopping: services in
containers are not touched by the agent's end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from iotistic import __version__
from iotistic.agent.api import DeviceAPI, Rooms
from iotistic.agent.api.endpoint_files import ACCESS_FILE
from iotistic.agent.clock import Clock
from iotistic.agent.config import ConfigManager, ScheduledRestart
from iotistic.agent.events import EventTeller
from iotistic.agent.from_settings import (
    database_path,
    make_engine,
    outbox_path,
    outbox_quotas,
    policy_of,
    provisioning_settings_of,
    spools_of,
    state_dir,
    storage_of,
)
from iotistic.agent.host.runtime_dir import choose as choose_runtime_dir
from iotistic.agent.host.time_sync import clock_synced
from iotistic.agent.link import Link
from iotistic.agent.log_rooms import LogRooms
from iotistic.agent.logs import LogBook
from iotistic.agent.outbox import Outbox, ledger_json
from iotistic.agent.provisioning import DeviceManager
from iotistic.agent.reconciler import StateReconciler
from iotistic.agent.running import AgentProcess, Ending, Room, Run, Running
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.settings import Settings
from iotistic.agent.store import Store, StoredTarget
from iotistic.agent.survival import Progress, RunRecord, SafeMode
from iotistic.agent.survival.surviving import surviving
from iotistic.agent.sync import CloudSync, CurrentState
from iotistic.agent.telemetry import (
    ContainerReader,
    MetricsSource,
    Readings,
    Recorder,
    read_host_facts,
)
from iotistic.agent.wall_clock import WallClock, last_time
from iotistic.engines.protocol import Engine
from iotistic.model.errors import IotisticError
from iotistic.model.records import RecordClass


class DeviceAgent:
    """The agent of one device, from its settings to its last service."""

    def __init__(
        self, settings: Settings, book: LogBook, clock: Clock, *, record: RunRecord
    ) -> None:
        self._settings = settings
        self._record = record
        self._book = book
        self._clock = clock
        self._log = book.logger()
        self._storage = storage_of(settings, clock, self._log)

    async def run(self, on_ending: Callable[[], None]) -> Ending:
        """Open the store and run every room until cancelled, or until a restart is asked for.

        `on_ending` is called as soon as that is so; what the rooms do to end comes after it.
        Raises what opening the store raises: then there is nothing to run.
        """
        database = database_path(self._settings)
        started_at_ms, started_s = self._clock.wall_ms(), self._clock.now_s()
        async with AsyncExitStack() as opened:
            storage = self._storage
            store = await storage.open(
                opened,
                lambda: Store.open(
                    database, self._clock, space=storage.guard, on_found=storage.found
                ),
            )
            for error in self._settings.adopt(await store.settings()):
                self._log.warning("stored setting not in force", error=error)
            wall_clock = WallClock(
                clock=self._clock,
                synced=clock_synced,
                folder=database.parent,
                last_ms=await asyncio.to_thread(last_time, database.parent),
                log=self._log,
            )
            outbox = await opened.enter_async_context(
                Outbox.open(
                    outbox_path(self._settings),
                    self._clock,
                    self._log,
                    quotas=outbox_quotas(self._settings),
                    clock_synced=lambda: wall_clock.synced,
                    on_found=self._storage.found,
                )
            )
            held = await store.target()
            engine = make_engine(self._settings, store.identity.uuid, database.parent, self._clock)
            try:
                rooms = await self._wire(
                    store, outbox, engine, wall_clock, held, started_at_ms, started_s
                )
                rooms.on_ending = on_ending
                return await rooms.run()
            finally:
                await engine.close()

    async def _wire(
        self,
        store: Store,
        outbox: Outbox,
        engine: Engine,
        wall_clock: WallClock,
        held: StoredTarget | None,
        started_at_ms: int,
        started_s: float,
    ) -> Running:
        settings, clock, rng = self._settings, self._clock, SystemRandom()
        database = database_path(settings)

        def config_changed() -> None:
            settings_changed()

        # Before anything asks for a setting: what the cloud said is known without the cloud.
        config = ConfigManager(
            settings,
            self._log,
            held=held.config if held is not None else None,
            on_change=config_changed,
        )
        provisioning_settings = await asyncio.to_thread(provisioning_settings_of, settings)
        given: Path | None = settings.value("RUNTIME_DIR")
        runtime_dir = await asyncio.to_thread(lambda: choose_runtime_dir(given))
        link = await Link.open(
            settings, database.parent, on_change=config_changed, clock=clock, log=self._log
        )

        def link_warnings() -> tuple[IotisticError, ...]:
            return (*link.account.warnings(), *sync.warnings())

        def warnings() -> tuple[IotisticError, ...]:
            return (*self._storage.warnings(), *wall_clock.warnings(), *link_warnings())

        running, progress = Running(self._book, clock, rng), Progress()

        def snapshot_changed() -> None:
            if (target := reconciler.snapshot().target) is not None:
                config.take(target.config)
            sync.snapshot_changed()
            events.changed()
            logs.containers.changed()

        reconciler = StateReconciler(
            engine=engine,
            store=store,
            clock=clock,
            log=self._log,
            policy=policy_of(settings),
            folders=RuntimeFolders(runtime_dir, store.identity.uuid, clock),
            runtime_dir=str(runtime_dir),
            interval_s=lambda: settings.value("RECONCILIATION_INTERVAL_MS") / 1000,
            may_act=lambda: manager.may_run_services(
                has_target=reconciler.snapshot().target is not None
            ),
            on_change=snapshot_changed,
            promise=lambda within_s: progress.promise("state-reconciler", within_s),
        )
        safe_mode = SafeMode(
            self._record,
            engine=engine,
            keep=reconciler.keep_target,
            show=reconciler.show,
            restart=running.restart,
            tell=lambda event: outbox.offer(RecordClass.EVENT, event),
            clock=clock,
            log=self._log,
        )

        def identity_changed() -> None:
            self._learn_secrets(store)
            sync.link_changed()
            reconciler.wake()

        manager = DeviceManager(
            store=store,
            engine=engine,
            clock=clock,
            log=self._log,
            rng=rng,
            settings=provisioning_settings,
            on_change=identity_changed,
            on_reset=running.restart,
            access_file=state_dir(settings) / ACCESS_FILE,
            traffic=link.traffic,
            clock_in_doubt=lambda: wall_clock.in_doubt,
        )
        readings = Readings(
            MetricsSource(database.parent),
            ContainerReader(engine, lambda: reconciler.snapshot().containers, clock),
            interval_s=link.metrics_s,
            clock=clock,
        )
        recorder = Recorder(
            host=MetricsSource(database.parent),
            details=readings,
            latency_ms=lambda: sync.latency_ms,
            records=outbox,
            interval_s=link.metrics_s,
            clock=clock,
            log=self._log,
        )
        current = CurrentState(
            snapshot=reconciler.snapshot,
            config=config.judgement,
            metrics=readings,
            intervals=link.intervals,
            clock=clock,
            log=self._log,
            agent_version=__version__,
            machine_hash=provisioning_settings.machine_hash,
            warnings=warnings,
            read_host=lambda: replace(
                read_host_facts(), os_version=provisioning_settings.os_version
            ),
            clock_synced=lambda: wall_clock.synced,
            latency_ms=lambda: sync.latency_ms,
            outbox=lambda: ledger_json(outbox.ledger()),
        )
        sync = CloudSync(
            store=store,
            link=manager.link,
            connect=lambda to: link.connect(to, clock_in_doubt=lambda: wall_clock.in_doubt),
            offer=safe_mode.offer if safe_mode.is_on else reconciler.offer_target,
            snapshot=reconciler.snapshot,
            current=current,
            outbox=outbox,
            intervals=link.intervals,
            pace=link.pace,
            clock=clock,
            rng=rng,
            log=self._log,
        )

        restart = ScheduledRestart(
            days=lambda: settings.value("SCHEDULED_RESTART_DAYS"),
            restart=running.restart,
            clock=clock,
            rng=rng,
            log=self._log,
        )

        def settings_changed() -> None:
            logs.settings_changed()
            sync.intervals_changed()
            reconciler.wake()
            restart.settings_changed()
            recorder.intervals_changed()

        logs = LogRooms(
            settings=settings,
            book=self._book,
            engine=engine,
            outbox=outbox,
            snapshot=reconciler.snapshot,
            wanted=lambda: reconciler.wanted,
            floor=link.log_floor,
            on_error=sync.error_logged,
            folder=database.parent,
            clock=clock,
            rng=rng,
        )

        running.process = AgentProcess(
            engine_kind=settings.value("CONTAINER_ENGINE"),
            state_dir=state_dir(settings),
            database_path=database,
            started_at_ms=started_at_ms,
            started_s=started_s,
            apply_settings=settings_changed,
            ending=running.ending,
        )
        api = DeviceAPI(
            Rooms(
                agent=running.process,
                store=store,
                outbox=outbox,
                reconciler=reconciler,
                engine=engine,
                provisioning=manager,
                cloud=sync,
                current=current,
                settings=settings,
                config=config,
                book=self._book,
                supervision=running.supervision,
                safe_mode=safe_mode,
                storage=self._storage.warnings,
                link=link_warnings,
                traffic=link.account,
                clock=clock,
                wall_clock=wall_clock,
                readings=readings,
                log=self._log,
                policy=policy_of(settings),
                runtime_dir=runtime_dir,
                logs=logs.counts,
            ),
            port=settings.value("DEVICE_API_PORT"),
        )
        settings_changed()
        self._learn_secrets(store)

        def storage_changed() -> None:
            reconciler.wake()
            sync.snapshot_changed()
            events.changed()

        self._storage.attach(spools=spools_of(outbox), on_change=storage_changed)
        events = EventTeller(
            outbox,
            snapshot=reconciler.snapshot,
            warnings=warnings,
            clock=clock,
            log=self._log,
        )
        rooms = (
            Room("device-api", api.run),
            Room("state-reconciler", _after(reconciler.load, reconciler.run)),
            Room("provisioning", manager.run),
            Room("cloud-sync", sync.run),
            Room("scheduled-restart", restart.run),
            Room("storage", lambda: self._storage.run(store)),
            Room("wall-clock", wall_clock.run),
            Room("metrics", recorder.run),
            Room("events", events.run),
            Room("traffic", link.account.run),
            Room("cloud-logs", logs.agent.run),
            Room("container-logs", logs.containers.run),
        )
        running.rooms = surviving(
            rooms,
            safe_mode=safe_mode,
            progress=progress,
            snapshot=reconciler.snapshot,
            cloud=sync.status,
            log=self._log,
        )
        return running

    def _learn_secrets(self, store: Store) -> None:
        identity = store.identity
        found = [identity.private_key_pem, identity.hash_key, identity.provisioning_api_key]
        found += [link.api_key for link in (identity.cloud, identity.farewell) if link]
        found += [identity.mqtt.password] if identity.mqtt else []
        self._book.learn(*(secret for secret in found if secret is not None))


def _after(first: Run, then: Run) -> Run:
    async def both() -> None:
        await first()
        await then()

    return both

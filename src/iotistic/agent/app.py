"""class DeviceAgent: the only place that wires the rooms together.

    settings -> log -> store -> engine -> reconciler, provisioning, sync, Device API

All of them run in one TaskGroup, each under a supervisor. Cancelling is stopping: services in
containers are not touched by the agent's end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from iotistic import __version__
from iotistic.agent.api import DeviceAPI, Rooms
from iotistic.agent.api.endpoint_files import ACCESS_FILE
from iotistic.agent.clock import Clock
from iotistic.agent.config import ConfigManager, ScheduledRestart
from iotistic.agent.host.machine import machine_hash
from iotistic.agent.host.runtime_dir import choose as choose_runtime_dir
from iotistic.agent.http import CloudHttp, Traffic
from iotistic.agent.logs import LogBook, LogFormat
from iotistic.agent.provisioning import DeviceManager
from iotistic.agent.provisioning.settings import ProvisioningSettings
from iotistic.agent.reconciler import StateReconciler
from iotistic.agent.running import AgentProcess, Ending, Room, Run, Running
from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.setting_list import EngineKind
from iotistic.agent.settings import InvalidSettings, Settings
from iotistic.agent.store import CloudLink, Store, StoredTarget
from iotistic.agent.sync import CloudSync, CurrentState, SyncIntervals
from iotistic.agent.telemetry import MetricsSource, read_host_facts
from iotistic.agent.telemetry.host import mac_address
from iotistic.engines.protocol import Engine
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent
from iotistic.planner.policy import Policy

MIB = 1024 * 1024
SIMULATED_ENGINE_FILE = "simulated-engine.json"


class DeviceAgent:
    """The agent of one device, from its settings to its last service."""

    def __init__(self, settings: Settings, book: LogBook, clock: Clock) -> None:
        self._settings = settings
        self._book = book
        self._clock = clock
        self._log = book.logger()

    async def run(self) -> Ending:
        """Open the store and run every room until cancelled, or until a restart is asked for.

        Raises what opening the store raises: then there is nothing to run.
        """
        database = _database(self._settings)
        started_at_ms, started_s = self._clock.wall_ms(), self._clock.now_s()
        async with Store.open(database, self._clock) as store:
            for error in self._settings.adopt(await store.settings()):
                self._log.warning("stored setting not in force", error=error)
            held = await store.target()
            engine = _engine(self._settings, store.identity.uuid, database.parent, self._clock)
            try:
                rooms = await self._wire(store, engine, held, started_at_ms, started_s)
                return await rooms.run()
            finally:
                await engine.close()

    async def _wire(
        self,
        store: Store,
        engine: Engine,
        held: StoredTarget | None,
        started_at_ms: int,
        started_s: float,
    ) -> Running:
        settings, clock, rng = self._settings, self._clock, SystemRandom()
        database = _database(settings)

        def config_changed() -> None:
            settings_changed()

        # Before anything asks for a setting: what the cloud said is known without the cloud.
        config = ConfigManager(
            settings,
            self._log,
            held=held.config if held is not None else None,
            on_change=config_changed,
        )
        provisioning_settings = await asyncio.to_thread(_provisioning_settings, settings)
        given: Path | None = settings.value("RUNTIME_DIR")
        runtime_dir = await asyncio.to_thread(lambda: choose_runtime_dir(given))
        traffic = Traffic()
        running = Running(self._book, clock, rng)

        def snapshot_changed() -> None:
            if (target := reconciler.snapshot().target) is not None:
                config.take(target.config)
            sync.snapshot_changed()

        reconciler = StateReconciler(
            engine=engine,
            store=store,
            clock=clock,
            log=self._log,
            policy=_policy(settings),
            folders=RuntimeFolders(runtime_dir, store.identity.uuid, clock),
            runtime_dir=str(runtime_dir),
            interval_s=lambda: settings.value("RECONCILIATION_INTERVAL_MS") / 1000,
            may_act=lambda: manager.may_run_services(
                has_target=reconciler.snapshot().target is not None
            ),
            on_change=snapshot_changed,
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
            access_file=_state_dir(settings) / ACCESS_FILE,
            traffic=traffic,
        )
        current = CurrentState(
            snapshot=reconciler.snapshot,
            config=config.judgement,
            metrics=MetricsSource(database.parent),
            intervals=self._intervals,
            clock=clock,
            log=self._log,
            agent_version=__version__,
            machine_hash=provisioning_settings.machine_hash,
            read_host=lambda: replace(
                read_host_facts(), os_version=provisioning_settings.os_version
            ),
        )
        sync = CloudSync(
            store=store,
            link=manager.link,
            connect=lambda link: self._connect(link, traffic),
            offer=reconciler.offer_target,
            snapshot=reconciler.snapshot,
            current=current,
            intervals=self._intervals,
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
            self._book.level = settings.value("LOG_LEVEL")
            sync.intervals_changed()
            reconciler.wake()
            restart.settings_changed()

        running.process = AgentProcess(
            engine_kind=settings.value("CONTAINER_ENGINE"),
            state_dir=_state_dir(settings),
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
                reconciler=reconciler,
                engine=engine,
                provisioning=manager,
                cloud=sync,
                current=current,
                settings=settings,
                config=config,
                book=self._book,
                supervision=running.supervision,
                clock=clock,
                log=self._log,
                policy=_policy(settings),
            ),
            port=settings.value("DEVICE_API_PORT"),
        )
        settings_changed()
        self._learn_secrets(store)
        for finding in store.findings:
            self._log.bind(component=LogComponent.DATABASE).warning(
                "found when the store was opened", code=finding.code, finding=finding.message
            )
        running.rooms = (
            Room("device-api", api.run),
            Room("state-reconciler", _after(reconciler.load, reconciler.run)),
            Room("provisioning", manager.run),
            Room("cloud-sync", sync.run),
            Room("scheduled-restart", restart.run),
        )
        return running

    def _intervals(self) -> SyncIntervals:
        value = self._settings.value
        return SyncIntervals(
            poll_s=value("POLL_INTERVAL_MS") / 1000,
            report_s=value("REPORT_INTERVAL_MS") / 1000,
            metrics_s=value("METRICS_INTERVAL_MS") / 1000,
        )

    def _connect(self, link: CloudLink, traffic: Traffic) -> CloudHttp:
        return CloudHttp(
            link.endpoint,
            clock=self._clock,
            ca_cert=link.ca_cert,
            verify_certificate=link.verify_certificate,
            allow_insecure=self._settings.value("ALLOW_INSECURE_CLOUD"),
            api_version=self._settings.value("API_VERSION"),
            agent_version=__version__,
            traffic=traffic,
        )

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


def _database(settings: Settings) -> Path:
    path: Path = settings.value("DATABASE_PATH")
    return path.absolute()


def _state_dir(settings: Settings) -> Path:
    chosen: Path | None = settings.value("STATE_DIR")
    return chosen.absolute() if chosen is not None else _database(settings).parent


def _engine(settings: Settings, uuid: str, folder: Path, clock: Clock) -> Engine:
    if settings.value("CONTAINER_ENGINE") is EngineKind.SIMULATED:
        from iotistic.engines.simulated import FileShelf, SimulatedEngine

        return SimulatedEngine(uuid, clock, shelf=FileShelf(folder / SIMULATED_ENGINE_FILE))
    from iotistic.engines.docker import DockerEngine

    return DockerEngine.from_environment(uuid, os.environ)


def _policy(settings: Settings) -> Policy:
    value = settings.value
    return Policy(
        allow=value("POLICY_ALLOW"),
        disk_floor_bytes=value("DISK_FLOOR_MB") * MIB,
        image_budget_bytes=value("IMAGE_BUDGET_MB") * MIB,
        memory_floor_bytes=value("MEMORY_FLOOR_MB") * MIB,
    )


def _provisioning_settings(settings: Settings) -> ProvisioningSettings:
    value = settings.value
    host = read_host_facts()
    key: str | None = value("PROVISIONING_API_KEY")
    return ProvisioningSettings(
        endpoint=value("CLOUD_API_ENDPOINT"),
        api_key=Secret(key) if key else None,
        device_name=value("DEVICE_NAME"),
        device_type=value("DEVICE_TYPE"),
        mac_address=value("MAC_ADDRESS") or mac_address() or "",
        os_version=value("OS_VERSION") or host.os_version,
        application_id=value("APPLICATION_ID"),
        dialect=value("PROVISIONING_DIALECT"),
        ca_cert=_read_pem(value("CLOUD_CA_CERT")),
        allow_insecure=value("ALLOW_INSECURE_CLOUD"),
        require=value("REQUIRE_PROVISIONING"),
        api_version=value("API_VERSION"),
        agent_version=__version__,
        architecture=host.architecture,
        machine_hash=machine_hash(),
    )


def _read_pem(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(
            f"CLOUD_CA_CERT: cannot read {path} as PEM: {error}",
            remedy="name a readable PEM file, or unset it",
        ) from error


def make_log(settings: Settings, clock: Clock) -> LogBook:
    """The agent's log on standard error: text on a terminal, else JSON lines."""
    form = LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON
    return LogBook(
        clock,
        output=sys.stderr,
        form=settings.value("LOG_FORMAT") or form,
        level=settings.value("LOG_LEVEL"),
        records_max=settings.value("MAX_LOGS"),
    )

"""From settings to what they configure, read once at the start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import SystemRandom

from iotistic import __version__
from iotistic.agent.clock import Clock
from iotistic.agent.host.disk_guard import DiskGuard, Spool
from iotistic.agent.host.machine import machine_hash
from iotistic.agent.logs import AgentLogger, LogBook, LogFormat
from iotistic.agent.outbox import DropReason, Outbox, Quota, default_quotas
from iotistic.agent.provisioning.settings import ProvisioningSettings
from iotistic.agent.setting_list import EngineKind
from iotistic.agent.settings import InvalidSettings, Settings
from iotistic.agent.storage import Storage
from iotistic.agent.telemetry import read_host_facts
from iotistic.agent.telemetry.host import mac_address
from iotistic.engines.guarded import GuardedEngine
from iotistic.engines.protocol import Engine
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent
from iotistic.planner.policy import Policy

MIB = 1024 * 1024
SIMULATED_ENGINE_FILE = "simulated-engine.json"


def database_path(settings: Settings) -> Path:
    """Where the agent's database is."""
    path: Path = settings.value("DATABASE_PATH")
    return path.absolute()


def outbox_path(settings: Settings) -> Path:
    """Where the records wait that are to leave the device."""
    return database_path(settings).with_name("outbox.sqlite")


def outbox_quotas(settings: Settings) -> Mapping[RecordClass, Quota]:
    """How much of what may wait there."""
    return default_quotas(settings.value("OUTBOX_MAX_MB"))


def state_dir(settings: Settings) -> Path:
    """Where `iotctl` finds the agent."""
    chosen: Path | None = settings.value("STATE_DIR")
    return chosen.absolute() if chosen is not None else database_path(settings).parent


def make_engine(settings: Settings, uuid: str, folder: Path, clock: Clock) -> Engine:
    """The engine that runs this device's containers, behind its breaker."""
    return GuardedEngine(_bare_engine(settings, uuid, folder, clock), clock, SystemRandom())


def _bare_engine(settings: Settings, uuid: str, folder: Path, clock: Clock) -> Engine:
    if settings.value("CONTAINER_ENGINE") is EngineKind.SIMULATED:
        from iotistic.engines.simulated import FileShelf, SimulatedEngine

        return SimulatedEngine(uuid, clock, shelf=FileShelf(folder / SIMULATED_ENGINE_FILE))
    from iotistic.engines.docker import DockerEngine

    return DockerEngine.from_environment(uuid, os.environ)


def storage_of(settings: Settings, clock: Clock, log: AgentLogger) -> Storage:
    """Who watches over the state folder."""
    log = log.bind(component=LogComponent.DATABASE)
    guard = DiskGuard(
        database_path(settings).parent,
        reserve_bytes=settings.value("STORAGE_RESERVE_MB") * MIB,
        log=log,
    )
    return Storage(guard, clock=clock, rng=SystemRandom(), log=log)


def spools_of(outbox: Outbox) -> Sequence[Spool]:
    """What may be dropped for want of room, the least urgent first.

    Dropping one class takes a little room itself; dropping all of them does not.
    """
    classes: list[RecordClass | None] = [*reversed(RecordClass), None]
    return [partial(outbox.clear, kind, DropReason.DISK_FULL) for kind in classes]


def policy_of(settings: Settings) -> Policy:
    """What apps may do here."""
    value = settings.value
    return Policy(
        allow=value("POLICY_ALLOW"),
        disk_floor_bytes=value("DISK_FLOOR_MB") * MIB,
        image_budget_bytes=value("IMAGE_BUDGET_MB") * MIB,
        memory_floor_bytes=value("MEMORY_FLOOR_MB") * MIB,
    )


def provisioning_settings_of(settings: Settings) -> ProvisioningSettings:
    """What joining a cloud needs. Reads files; raises InvalidSettings."""
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

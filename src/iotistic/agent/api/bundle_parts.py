"""What goes into a support bundle: what the Device API tells, and what it has no page for."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from iotistic.agent.api.device_views import health_json, identity_json, setting_json
from iotistic.agent.api.explain_views import Told, entry_json, explain_json
from iotistic.agent.api.plan_views import naming, target_json
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.views import Json, lock_json
from iotistic.agent.diagnostics.bundle import Part
from iotistic.agent.outbox import ledger_json
from iotistic.agent.telemetry import read_host_facts
from iotistic.agent.traffic import DAYS_KEPT

_FILES_MAX = 500
_APPS_MAX = 50
_ENTRIES_MAX = 200
_HEADER_BYTES = 100

Read = Callable[[], Awaitable[Any]]


def bundle_parts(rooms: Rooms, pages: Mapping[str, Read]) -> list[Part]:
    """All parts. `pages` are documents of the Device API by the name of their file."""
    own: dict[str, Read] = {
        "versions.json": partial(_versions, rooms),
        "host.json": partial(_host, rooms),
        "engine.json": partial(_engine, rooms),
        "identity.json": partial(_identity, rooms),
        "provisioning.json": partial(_provisioning, rooms),
        "settings.json": partial(_settings, rooms),
        "services.json": partial(_services, rooms),
        "target.json": partial(_target, rooms),
        "report.json": partial(_report, rooms),
        "locks.json": partial(_locks, rooms),
        "outbox.json": partial(_outbox, rooms),
        "traffic.json": partial(_traffic, rooms),
        "findings.json": partial(_findings, rooms),
        "files.json": partial(_files, rooms),
        "explain.json": partial(_explain, rooms),
        "journal.ndjson": partial(_journal, rooms),
        "log.ndjson": partial(_log, rooms),
    }
    return [Part(name=name, read=read) for name, read in {**pages, **own}.items()]


async def _versions(rooms: Rooms) -> Json:
    files = await asyncio.to_thread(_databases, rooms.agent.database_path.parent)
    return {
        "agent": rooms.agent.version,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: _package(name) for name in ("aiohttp", "msgspec", "psutil")},
        "schemas": files,
    }


def _package(name: str) -> str:
    return str(getattr(sys.modules.get(name), "__version__", "unknown"))


def _databases(folder: Path) -> dict[str, int]:
    """`user_version` of each database, from its header: nothing is opened."""
    found = {}
    for path in sorted(folder.glob("*.sqlite")):
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        found[path.name] = int.from_bytes(header[60:64], "big")
    return found


async def _host(rooms: Rooms) -> Json:
    facts = await asyncio.to_thread(read_host_facts)
    memory = await asyncio.to_thread(psutil.virtual_memory)
    return {
        "osVersion": facts.os_version,
        "architecture": facts.architecture,
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "memoryTotal": int(memory.total),
        "memoryAvailable": int(memory.available),
        "load": list(os.getloadavg()),
        "user": os.geteuid(),
        "clockSynced": rooms.wall_clock.synced,
        "wallMs": rooms.clock.wall_ms(),
        "uptimeS": round(rooms.clock.now_s()),
    }


async def _engine(rooms: Rooms) -> Json:
    info = await rooms.engine.info()
    space = await rooms.engine.space()
    resources = await rooms.engine.resources()
    return {
        "kind": info.kind,
        "version": info.version,
        "apiVersion": info.api_version,
        "freeBytes": space.free_bytes if space else None,
        "totalBytes": space.total_bytes if space else None,
        "images": [
            {"id": image.id, "references": sorted(image.references)} for image in resources.images
        ],
        "networks": [network.name for network in resources.networks],
        "volumes": [volume.name for volume in resources.volumes],
        "containers": [
            {
                "id": container.id,
                "name": container.name,
                "state": str(container.state),
                "exitCode": container.exit_code,
                "appId": container.app_id,
                "serviceName": container.service_name,
            }
            for container in rooms.reconciler.snapshot().containers
        ],
    }


async def _identity(rooms: Rooms) -> Json:
    provisioning = rooms.provisioning
    return identity_json(
        provisioning.status(),
        created_at_ms=rooms.store.identity.created_at_ms,
        machine_matches=provisioning.machine_matches,
    )


async def _provisioning(rooms: Rooms) -> Json:
    return rooms.provisioning.status().as_json()


async def _settings(rooms: Rooms) -> Json:
    return {"settings": [setting_json(row) for row in rooms.settings.rows()]}


async def _services(rooms: Rooms) -> Json:
    supervision = rooms.supervision
    return {
        "healthy": supervision.healthy,
        "services": [health_json(service) for service in supervision.services.values()],
    }


async def _target(rooms: Rooms) -> Json:
    target = await rooms.store.target()
    return {} if target is None else target_json(target)


async def _report(rooms: Rooms) -> Json:
    return await rooms.current.gather(None)


async def _locks(rooms: Rooms) -> Json:
    facts = rooms.facts()
    return {"locks": [lock_json(lock, facts) for lock in facts.locks]}


async def _outbox(rooms: Rooms) -> Json:
    dead = await rooms.outbox.dead_letters()
    return {
        "ledger": ledger_json(rooms.outbox.ledger()),
        # What the letters say stays here: it is data of apps, not of the agent.
        "deadLetters": [
            {"class": str(letter.id.record_class), "code": letter.code, "at": letter.at_ms}
            for letter in dead
        ],
    }


async def _traffic(rooms: Rooms) -> Json:
    return {} if rooms.traffic is None else rooms.traffic.as_json(days=DAYS_KEPT)


async def _findings(rooms: Rooms) -> Json:
    return {
        "findings": [
            {"code": finding.code, "message": finding.message} for finding in rooms.store.findings
        ]
    }


async def _files(rooms: Rooms) -> Json:
    agent = rooms.agent
    folders = {agent.state_dir, agent.database_path.parent}
    listed = await asyncio.to_thread(
        lambda: [entry for folder in sorted(folders) for entry in _listing(folder)]
    )
    return {"files": listed}


def _listing(folder: Path) -> list[Json]:
    """Names, rights and sizes; nothing of any content."""
    found = []
    for path in sorted(folder.rglob("*"))[:_FILES_MAX]:
        try:
            seen = path.lstat()
        except OSError:
            continue
        found.append(
            {
                "path": str(path),
                "mode": stat.filemode(seen.st_mode),
                "uid": seen.st_uid,
                "gid": seen.st_gid,
                "bytes": seen.st_size,
                "changedAt": int(seen.st_mtime * 1000),
            }
        )
    return found


async def _explain(rooms: Rooms) -> Json:
    facts = rooms.facts()
    told = Told(journal=(), last_words=rooms.reconciler.last_words)
    return {
        "apps": [
            explain_json(app, row, facts, told)
            for app in facts.apps[:_APPS_MAX]
            for row in (None, *app.services)
        ]
    }


async def _journal(rooms: Rooms) -> list[Json]:
    facts = rooms.facts()
    found: list[Json] = []
    for app in facts.apps[:_APPS_MAX]:
        about = naming(facts, [app.wanted] if app.wanted else [])
        entries = await rooms.store.journal.of(app.app_id, limit=_ENTRIES_MAX)
        found += [{"appId": app.app_id, **entry_json(entry, about)} for entry in reversed(entries)]
    return found


async def _log(rooms: Rooms) -> list[Json]:
    return list(rooms.book.records())

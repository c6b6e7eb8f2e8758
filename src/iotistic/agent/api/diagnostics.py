"""What can be checked about this device at this moment, each with a remedy.

One check is one small method; it returns a `Finding` or raises, which is a failed check.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from iotistic.agent.api.endpoint_files import ACCESS_FILE, SOCKET_FILE
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.api.views import Json, verdict_json
from iotistic.agent.provisioning.status import machine_changed
from iotistic.agent.store.files import StateFiles
from iotistic.agent.supervisor import ServiceState
from iotistic.model.errors import IotisticError
from iotistic.model.words import ConnectionState, Verdict

CHECK_TIMEOUT_S = 5.0
_MIB = 1024 * 1024
DISK_LOW_BYTES = 200 * _MIB
DISK_FULL_BYTES = 20 * _MIB
MEMORY_LOW_BYTES = 50 * _MIB
_OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CheckStatus(StrEnum):
    """What came of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    status: CheckStatus
    message: str
    remedy: str | None = None


def _ok(message: str) -> Finding:
    return Finding(CheckStatus.OK, message)


def _of(error: IotisticError, status: CheckStatus = CheckStatus.FAILED) -> Finding:
    return Finding(status, error.message, error.remedy)


class Diagnostics:
    """All checks, run side by side, each with a time limit of its own."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def run(self) -> Json:
        """Run them all."""
        checks: tuple[tuple[str, Callable[[], Awaitable[Finding]]], ...] = (
            ("identity", self._identity),
            ("credentials", self._credentials),
            ("cloud", self._cloud),
            ("engine", self._engine),
            ("target", self._target),
            ("apps", self._apps),
            ("services", self._services),
            ("database", self._database),
            ("disk", self._disk),
            ("memory", self._memory),
            ("clock", self._clock),
            ("permissions", self._permissions),
            ("api", self._api),
        )
        found = await asyncio.gather(*(self._check(name, check) for name, check in checks))
        return {
            "healthy": all(check["status"] != CheckStatus.FAILED for check in found),
            "checks": found,
        }

    async def _check(self, name: str, check: Callable[[], Awaitable[Finding]]) -> Json:
        started_s = self._rooms.clock.now_s()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                finding = await check()
        except TimeoutError:
            finding = Finding(CheckStatus.FAILED, f"no answer within {CHECK_TIMEOUT_S:.0f} s")
        except IotisticError as error:
            finding = _of(error)
        except OSError as error:
            finding = Finding(
                CheckStatus.FAILED, f"{error.filename or name}: {error.strerror or error}"
            )
        return {
            "name": name,
            "status": str(finding.status),
            "message": finding.message,
            "remedy": finding.remedy,
            "tookMs": round((self._rooms.clock.now_s() - started_s) * 1000),
        }

    async def _identity(self) -> Finding:
        provisioning = self._rooms.provisioning
        if not provisioning.machine_matches:
            return _of(machine_changed())
        return _ok(f"device {self._rooms.store.identity.uuid}")

    async def _credentials(self) -> Finding:
        status = self._rooms.provisioning.status()
        if status.error is not None:
            return _of(status.error)
        if status.provisioned:
            return _ok(f"{status.phase} at {status.endpoint}")
        if status.has_key:
            return Finding(CheckStatus.WARNING, f"{status.phase}: joining {status.endpoint}")
        return Finding(
            CheckStatus.SKIPPED,
            f"{status.phase}: this device is in no cloud",
            "iotctl provision --api URL",
        )

    async def _cloud(self) -> Finding:
        cloud = self._rooms.cloud.status()
        if cloud is None:
            return Finding(CheckStatus.SKIPPED, "this device is in no cloud")
        if cloud.state is ConnectionState.ONLINE:
            return _ok("online")
        bad = cloud.state is ConnectionState.OFFLINE
        status = CheckStatus.FAILED if bad else CheckStatus.WARNING
        if cloud.error is not None:
            return _of(cloud.error, status)
        return Finding(status, str(cloud.state))

    async def _engine(self) -> Finding:
        info = await self._rooms.engine.info()
        return _ok(f"{info.kind} {info.version}, API {info.api_version}")

    async def _target(self) -> Finding:
        snapshot = self._rooms.reconciler.snapshot()
        if snapshot.refusal is not None:
            return _of(snapshot.refusal)
        if snapshot.target is None:
            return Finding(CheckStatus.SKIPPED, "no target was ever accepted")
        if snapshot.target.warnings:
            return Finding(CheckStatus.WARNING, snapshot.target.warnings[0])
        return _ok(f"version {snapshot.target.version}")

    async def _apps(self) -> Finding:
        facts = self._rooms.facts()
        apps = [verdict_json(app, facts) for app in facts.apps]
        bad = [a for a in apps if a["verdict"] in (Verdict.DEGRADED, Verdict.REJECTED)]
        unsettled = [a for a in apps if a["verdict"] != Verdict.SETTLED]
        if not unsettled:
            return _ok(f"{len(apps)} settled")
        first = (bad or unsettled)[0]
        return Finding(
            CheckStatus.FAILED if bad else CheckStatus.WARNING,
            f"app {first['appId']} {first['verdict']}: {first['reason']}",
            "iotctl plan says what is waited for",
        )

    async def _services(self) -> Finding:
        for service in self._rooms.supervision.services.values():
            if service.state is ServiceState.BACKING_OFF:
                message = service.error.message if service.error else "failed"
                return Finding(
                    CheckStatus.FAILED, f"{service.name}: {message}", "iotctl logs says more"
                )
        return _ok("all parts of the agent run")

    async def _database(self) -> Finding:
        store = self._rooms.store
        await store.target()
        await store.intents()
        if store.findings:
            finding = store.findings[0]
            return Finding(CheckStatus.WARNING, finding.message)
        return _ok(f"{self._rooms.agent.database_path} answers")

    async def _disk(self) -> Finding:
        folder = self._rooms.agent.state_dir
        usage = await asyncio.to_thread(shutil.disk_usage, folder)
        message = f"{usage.free // _MIB} MiB free of {usage.total // _MIB} MiB at {folder}"
        if usage.free < DISK_FULL_BYTES:
            return Finding(CheckStatus.FAILED, message, "free some space")
        if usage.free < DISK_LOW_BYTES:
            return Finding(CheckStatus.WARNING, message, "free some space soon")
        return _ok(message)

    async def _memory(self) -> Finding:
        memory = await asyncio.to_thread(psutil.virtual_memory)
        message = f"{memory.available // _MIB} MiB available of {memory.total // _MIB} MiB"
        if memory.available < MEMORY_LOW_BYTES:
            return Finding(CheckStatus.WARNING, message, "run fewer services on this device")
        return _ok(message)

    async def _clock(self) -> Finding:
        wall_clock = self._rooms.wall_clock
        if (problem := wall_clock.problem) is not None:
            return _of(problem)
        return _ok(
            "kept right by a time client" if wall_clock.synced else "plausible; no time client"
        )

    async def _permissions(self) -> Finding:
        agent = self._rooms.agent
        return await asyncio.to_thread(_check_modes, agent.state_dir, agent.database_path)

    async def _api(self) -> Finding:
        listening = self._rooms.listening
        for problem in listening.problems.values():
            return _of(problem, CheckStatus.WARNING)
        return _ok(f"port {listening.port} on 127.0.0.1, and the socket")


def _check_modes(state_dir: Path, database: Path) -> Finding:
    """Nobody else may write to the folder, or read what is secret in it."""
    for folder in {state_dir, database.parent}:
        found = folder.stat()
        if found.st_mode & _OTHERS_MAY_WRITE and not found.st_mode & stat.S_ISVTX:
            return Finding(
                CheckStatus.FAILED, f"others may write to {folder}", f"chmod go-w {folder}"
            )
        if found.st_uid not in (0, os.geteuid()):
            return Finding(
                CheckStatus.FAILED,
                f"{folder} belongs to somebody else",
                "it must belong to the agent's user",
            )
    files = StateFiles.of(database)
    private = [
        *(database, files.identity, files.key),
        *(state_dir / name for name in (ACCESS_FILE, SOCKET_FILE)),
    ]
    for path in private:
        if path.exists() and path.stat().st_mode & _OTHERS_MAY:
            return Finding(CheckStatus.FAILED, f"others may read {path}", f"chmod go= {path}")
    return _ok("what is secret is readable by the agent only")

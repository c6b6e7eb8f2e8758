"""The container engine, and the ports of the host that services want."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psutil

from iotistic.agent.diagnostics.check import Finding, failed, ok, skipped, told, warning
from iotistic.model.words import ContainerState, RunState

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

_MIB = 1024 * 1024
SLOW_S = 2.0
ROOM_LOW_BYTES = 256 * _MIB
_ALIVE = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)
_SHOWN_MAX = 10


async def check_engine(rooms: Rooms) -> Finding:
    """It answers, in time, and has room for images."""
    started_s = rooms.clock.now_s()
    info = await rooms.engine.info()
    took_s = rooms.clock.now_s() - started_s
    space = await rooms.engine.space()
    traits = await rooms.engine.traits()
    facts: dict[str, str | int | bool | None] = {
        "kind": info.kind,
        "version": info.version,
        "api_version": info.api_version,
        "took_ms": round(took_s * 1000),
        "free_bytes": space.free_bytes if space else None,
        "storage_driver": traits.storage_driver,
        "live_restore": traits.live_restore,
    }
    said = f"{info.kind} {info.version}, API {info.api_version}"
    if (trouble := rooms.reconciler.snapshot().engine_error) is not None:
        return told(trouble)
    if took_s > SLOW_S:
        return warning(
            f"{said}, but it took {took_s:.1f} s to say so",
            "see its log (journalctl -u docker), and the load of this machine",
            **facts,
        )
    if space is not None and space.free_bytes < ROOM_LOW_BYTES:
        return warning(
            f"{said}; {space.free_bytes // _MIB} MiB are free where it keeps images",
            "free some space there: docker system df shows what takes it",
            **facts,
        )
    if not traits.live_restore:
        said += "; live-restore is off: its own restart stops all containers for a moment"
    return ok(said, **facts)


async def check_ports(rooms: Rooms) -> Finding:
    """The ports of the host that services want are free for them."""
    wanted = _wanted_ports(rooms)
    if not wanted:
        return skipped("no service that is to be started wants a port of the host")
    holders = await asyncio.to_thread(_holders)
    taken = [
        f"{port}/{protocol} for {name}: held by {holders[protocol, port]}"
        for (protocol, port), name in sorted(wanted.items())
        if (protocol, port) in holders
    ]
    facts: dict[str, list[str]] = {
        "wanted": [f"{port}/{protocol}" for protocol, port in sorted(wanted)][:_SHOWN_MAX],
        "taken": taken[:_SHOWN_MAX],
    }
    if taken:
        return failed(taken[0], "end what holds it, or let the target use another port", **facts)
    return ok(f"{len(wanted)} wanted, none of them held by others", **facts)


def _wanted_ports(rooms: Rooms) -> dict[tuple[str, int], str]:
    """(protocol, port) -> the service that wants it and has no container with it yet."""
    alive = {
        (container.app_id, container.service_id)
        for container in rooms.reconciler.snapshot().containers
        if container.state in _ALIVE
    }
    return {
        (port.protocol, port.host): service.name
        for app in rooms.reconciler.wanted.apps
        for service in app.services
        if service.target.state is RunState.RUNNING and (app.app_id, service.key) not in alive
        for port in service.target.spec.ports
        if port.host is not None
    }


def _holders() -> dict[tuple[str, int], str]:
    """Who listens at which port of this machine; of others' processes only that there is one."""
    found: dict[tuple[str, int], str] = {}
    for protocol in ("tcp", "udp"):
        for entry in psutil.net_connections(protocol):
            if entry.laddr and (protocol == "udp" or entry.status == psutil.CONN_LISTEN):
                found.setdefault((protocol, entry.laddr.port), _process(entry.pid))
    return found


def _process(pid: int | None) -> str:
    if pid is None:
        return "another process"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"process {pid}"

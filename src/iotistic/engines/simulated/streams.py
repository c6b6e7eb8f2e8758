"""Output and events of a simulated engine, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from iotistic.engines.protocol import ContainerLogLine, EngineEvent
from iotistic.engines.simulated.calls import Calls, check_up
from iotistic.engines.simulated.daemon import Daemon
from iotistic.engines.simulated.state import SimulatedEvent
from iotistic.model.errors import NotFound, Refused

_SILENT = frozenset({"say"})


async def follow_logs(
    calls: Calls, container_id: str, *, tail: int | None, follow: bool, since_s: float | None = None
) -> AsyncGenerator[ContainerLogLine, None]:
    """Its output: the last `tail` lines, then, with `follow`, what comes until it ends."""
    since_ns = 0 if since_s is None else int(since_s * 1e9)
    seen = 0

    def look(daemon: Daemon) -> tuple[list[ContainerLogLine], int, bool]:
        check_up(daemon)
        found = daemon.find(container_id)
        if found.spec.logging is not None and found.spec.logging.driver == "none":
            raise Refused(
                f"logs of container {container_id[:12]}: its logging driver keeps nothing to read",
                code="logs-not-readable",
                remedy="give the service a logging driver that can be read, such as local",
            )
        fresh = found.log[max(0, len(found.log) - (found.said - seen)) :]
        lines = [
            ContainerLogLine(text=entry.text, stderr=entry.stderr, time_ns=entry.time_ns)
            for entry in fresh
            if entry.time_ns >= since_ns
        ]
        return lines, found.said, found.active

    await calls.make("logs", container_id, look)
    first = True
    while True:
        try:
            (lines, said, active), counter, due_s = await calls.access.glance(look)
        except NotFound:
            if first:
                raise
            return  # removed while it was followed: its output ends
        for line in (
            lines[len(lines) - min(tail, len(lines)) :] if first and tail is not None else lines
        ):
            yield line
        if not (follow and active):
            return
        first, seen = False, said
        await calls.access.wait(counter, due_s)


async def follow_events(calls: Calls, uuid: str) -> AsyncGenerator[EngineEvent, None]:
    """What happens to containers of ours, until the engine goes down."""
    seen = await calls.make("events", "", lambda daemon: daemon.state.counter)

    def look(daemon: Daemon) -> list[SimulatedEvent]:
        check_up(daemon)
        return [
            event
            for event in daemon.state.events
            if event.number > seen and event.device == uuid and event.action not in _SILENT
        ]

    while True:
        found, counter, due_s = await calls.access.glance(look)
        for event in found:
            seen = event.number
            yield EngineEvent(kind="container", action=event.action, id=event.id)
        if not found:
            await calls.access.wait(counter, due_s)

"""The engine's event stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from iotistic.engines.docker.connection import Connection, decode, filters
from iotistic.engines.docker.deadlines import LIST_S
from iotistic.engines.docker.errors import EngineAnswer, general
from iotistic.engines.docker.lines import next_line
from iotistic.engines.protocol import EngineEvent
from iotistic.model.errors import EngineUnavailable
from iotistic.model.naming import LABEL_DEVICE

# Those that change what a listing or a close look (`update`) shows. Not among them: `exec_*`, of
# which a health check makes three each time it runs. The engine gives labels with events of
# containers only.
_ACTIONS = (
    "create",
    "start",
    "die",
    "stop",
    "pause",
    "unpause",
    "rename",
    "update",
    "destroy",
    "health_status",
)


class _Actor(msgspec.Struct):
    ID: str = ""


class _Event(msgspec.Struct):
    Type: str = ""
    Action: str = ""
    Actor: _Actor = msgspec.field(default_factory=_Actor)


async def follow_events(connection: Connection, uuid: str) -> AsyncGenerator[EngineEvent, None]:
    """Events of this device's containers, until the stream breaks, which raises."""
    ours = filters(type=["container"], event=_ACTIONS, label=[f"{LABEL_DEVICE}={uuid}"])
    try:
        async with connection.stream(
            "GET", "events", params={"filters": ours}, within_s=LIST_S
        ) as response:
            while line := await next_line(response, "events"):
                event = decode(line, _Event, what="an event")
                yield EngineEvent(kind=event.Type, action=event.Action, id=event.Actor.ID)
    except EngineAnswer as answer:
        raise general(answer, "follow events") from answer
    raise EngineUnavailable("the engine ended the event stream")

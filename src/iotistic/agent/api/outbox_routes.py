"""What waits to leave the device, what became of the rest, and what the cloud refused."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.rooms import Rooms
from iotistic.agent.outbox import DeadLetter, DropReason, ledger_json
from iotistic.model.errors import InvalidField
from iotistic.model.records import RecordClass

_ALL = "all"


class OutboxRoutes:
    """`/v1/outbox`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/outbox", self.outbox),
            web.get("/v1/outbox/dead", self.dead),
            web.delete("/v1/outbox/{class}", self.clear),
        ]

    async def outbox(self, _: web.Request) -> web.Response:
        """The ledger."""
        return json_reply({"classes": ledger_json(self._rooms.outbox.ledger())})

    async def dead(self, _: web.Request) -> web.Response:
        """Dead letters, newest first."""
        found = await self._rooms.outbox.dead_letters()
        return json_reply({"dead": [_dead_json(letter) for letter in found]})

    async def clear(self, request: web.Request) -> web.Response:
        """Drop what waits of one class, or of all."""
        name = request.match_info["class"]
        record_class = None if name == _ALL else _class_of(name)
        number = await self._rooms.outbox.clear(record_class, DropReason.CLEARED)
        self._rooms.log.info("outbox cleared", records=number, **{"class": name})
        return json_reply({"class": name, "dropped": number})


def _class_of(name: str) -> RecordClass:
    try:
        return RecordClass(name)
    except ValueError as error:
        expected = f"one of {', '.join((*RecordClass, _ALL))}"
        raise InvalidField("class", expected=expected, found=name) from error


def _dead_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "class": str(letter.id.record_class),
        "epoch": letter.id.epoch,
        "seq": letter.id.seq,
        "at": letter.at_ms,
        "code": letter.code,
        "message": letter.message,
        "data": letter.data,
    }

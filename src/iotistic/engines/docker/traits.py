"""How an engine is set up, read from its `GET /info`."""

from __future__ import annotations

import msgspec

from iotistic.engines.docker.connection import decode
from iotistic.engines.protocol import EngineTraits

_WARNINGS_MAX = 20
_LENGTH_MAX = 200


class _Info(msgspec.Struct):
    Driver: str = ""
    LiveRestoreEnabled: bool = False
    Warnings: list[str] | None = None


def read_traits(content: bytes) -> EngineTraits:
    """What is told of it. What an engine leaves out it has not got."""
    found = decode(content, _Info, what="how it is set up")
    return EngineTraits(
        storage_driver=found.Driver[:_LENGTH_MAX],
        live_restore=found.LiveRestoreEnabled,
        warnings=tuple(text[:_LENGTH_MAX] for text in (found.Warnings or ())[:_WARNINGS_MAX]),
    )

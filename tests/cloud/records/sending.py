"""Short words for what a device sends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

from tests.cloud.running import START_MS, UUID, Running

RECORDS = f"/api/v1/device/{UUID}/records"
LOGS = f"/api/v1/device/{UUID}/logs"
DEVICE = f"/api/v1/devices/{UUID}"
EPOCH = "abcd1234"


def record(
    seq: int, *, of: str = "event", epoch: str = EPOCH, data: Any = None, **more: Any
) -> dict[str, Any]:
    data = {"event": "reboot", "n": seq} if data is None else data
    return {"class": of, "epoch": epoch, "seq": seq, "at": START_MS + seq, "data": data, **more}


def line(message: str, **more: Any) -> dict[str, Any]:
    return {
        "message": message,
        "timestamp": START_MS,
        "level": "info",
        "source": {"type": "container", "name": "web"},
        **more,
    }


def ndjson(items: Iterable[Any]) -> bytes:
    """One object a line; bytes stand as they are."""
    return b"\n".join(
        item if isinstance(item, bytes) else json.dumps(item).encode() for item in items
    )


async def send(
    cloud: Running, key: str, *items: Any, path: str = RECORDS, packed: bool = False
) -> dict[str, Any]:
    body = ndjson(items)
    headers = {"Content-Type": "application/x-ndjson"}
    if packed:
        body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip"}
    answer: dict[str, Any] = await cloud.ok("POST", path, key=key, content=body, headers=headers)
    return answer

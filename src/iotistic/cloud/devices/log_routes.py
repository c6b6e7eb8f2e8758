"""What devices of the older dialect send as logs: taken, and not kept.

Such a device sends a refused batch again ten times a second, without end. Until logs have a
place here, it is told that its lines arrived; devices of the present dialect get a 404 and keep
theirs.
"""

from __future__ import annotations

from typing import Any

from litestar import post
from litestar.di import NamedDependency

from iotistic.cloud.access import Access, DeviceCaller
from iotistic.cloud.requests import AnyRequest, drain
from iotistic.model.errors import NotFound
from iotistic.model.reader import BODY_BYTES_MAX
from iotistic.model.words import Dialect


@post(
    ["/device/{uuid:str}/logs", "/device/{uuid:str}/logs/dropped-summaries"],
    access=Access.DEVICE,
    status_code=200,
)
async def take_logs(request: AnyRequest, device: NamedDependency[DeviceCaller]) -> dict[str, Any]:
    """Take log lines of the older dialect; none are kept."""
    if device.dialect != Dialect.O1:
        raise NotFound("this cloud keeps no logs", code="no-logs")
    await drain(request, bytes_max=BODY_BYTES_MAX)
    return {"status": "ok", "received": 0, "message": "this cloud keeps no logs"}


HANDLERS = (take_logs,)

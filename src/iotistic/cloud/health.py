"""Whether the cloud is there, and whether it can do its work."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.di import NamedDependency

from iotistic import __version__
from iotistic.cloud.access import Access
from iotistic.cloud.db.database import Database


@get(["/health", "/api/health"], access=Access.PUBLIC)
async def health() -> dict[str, Any]:
    """The process answers."""
    return {"status": "ok", "service": "iotistic-cloud", "version": __version__}


@get(["/ready", "/api/ready"], access=Access.PUBLIC)
async def ready(database: NamedDependency[Database]) -> dict[str, Any]:
    """The database answers as well; 503 when it does not."""
    await database.ping()
    return {"status": "ready"}


HANDLERS = (health, ready)

"""A cloud under test: the real application on a real database, with a clock that is set by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
from sqlalchemy import insert

from iotistic.cloud.access import ROLES
from iotistic.cloud.app import Cloud, open_cloud
from iotistic.cloud.auth.passwords import Passwords
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import sessions, users
from iotistic.cloud.provisioning.replies import PublicFace
from iotistic.cloud.records.limits import DEFAULT_LIMITS, RecordLimits
from iotistic.cloud.requests import token_hash
from iotistic.cloud.server_key import ServerKey

START_MS = 1_780_000_000_000
FAR_MS = START_MS + 10 * 365 * 24 * 3600 * 1000
PASSWORD = "correct horse battery"
SERVER_KEY = ServerKey(b"k" * 32)
FACE = PublicFace(url="http://127.0.0.1:48400")
UUID = "3f0e1f0a-5d8f-4c35-9a0e-0d6a3f6f7a10"
OTHER_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TOKENS = {role.value: f"token-of-{role}" for role in ROLES}


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, s: float = 0, h: float = 0, days: float = 0) -> None:
        self.now_ms += round((s + h * 3600 + days * 86400) * 1000)


class Running:
    """Speaks HTTP to a cloud; `who` is a role, `key` a device's key."""

    def __init__(self, cloud: Cloud, clock: ManualClock) -> None:
        self.cloud = cloud
        self.clock = clock

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str | None = None,
        key: str | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        address: str = "192.0.2.1",
    ) -> httpx.Response:
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = f"Bearer {TOKENS.get(who, who)}"
        if key is not None:
            sent["X-Device-API-Key"] = key
        if body is not None:
            content = json.dumps(body).encode()
        transport = httpx.ASGITransport(
            app=cast("Any", self.cloud.app), client=(address, 40000), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            return await client.request(method, path, content=content, headers=sent)

    async def ok(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        """Ask, expect a 2xx, give the JSON (None when there is none)."""
        reply = await self.ask(method, path, body, **how)
        assert reply.is_success, (reply.status_code, reply.text)
        return reply.json() if reply.content else None

    async def new_key(self, **wish: Any) -> dict[str, Any]:
        """A provisioning key, as its creator sees it."""
        made: dict[str, Any] = await self.ok(
            "POST", "/api/v1/provisioning-keys", wish, who="operator"
        )
        return made

    async def o1_device(self, uuid: str = UUID, api_key: str = "ab" * 32) -> str:
        """A device of the older dialect (one call to make); gives its key."""
        key = (await self.new_key())["key"]
        await self.ok(
            "POST", "/api/v1/device/register", o1_body(uuid, api_key), headers=bearer(key)
        )
        return api_key


def o1_body(uuid: str = UUID, api_key: str = "ab" * 32) -> dict[str, Any]:
    return {"uuid": uuid, "deviceName": "press", "deviceType": "edge", "deviceApiKey": api_key}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def app(*services: dict[str, Any], app_id: int = 1001) -> dict[str, Any]:
    """A target with one app."""
    one = {"appId": app_id, "appName": "shop", "services": list(services)}
    return {"apps": {str(app_id): one}, "config": {}}


def service(name: str = "web", service_id: Any = "1", **config: Any) -> dict[str, Any]:
    return {
        "serviceId": service_id,
        "serviceName": name,
        "imageName": "busybox:1.35",
        "config": config,
    }


@asynccontextmanager
async def running_cloud(
    database: Path,
    *,
    clock: ManualClock | None = None,
    face: PublicFace = FACE,
    limits: RecordLimits = DEFAULT_LIMITS,
) -> AsyncIterator[Running]:
    """A cloud on this database file, which is made where it is missing."""
    clock = clock or ManualClock()
    async with open_cloud(
        url_of(database), server_key=SERVER_KEY, face=face, clock=clock, limits=limits
    ) as cloud:
        yield Running(cloud, clock)


async def make_template(database: Path) -> None:
    """A database with one user of each role, each logged in for years."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_cloud(database))
        store = Database(url_of(database))
        stack.push_async_callback(store.close)
        password_hash = await Passwords().hash(PASSWORD)
        async with store.write() as connection:
            for number, role in enumerate(ROLES, start=1):
                await connection.execute(
                    insert(users).values(
                        id=number,
                        username=role.value,
                        password_hash=password_hash,
                        role=role,
                        is_active=True,
                        created_at=START_MS,
                        updated_at=START_MS,
                    )
                )
                await connection.execute(
                    insert(sessions).values(
                        token_hash=token_hash(TOKENS[role]),
                        user_id=number,
                        created_at=START_MS,
                        expires_at=FAR_MS,
                    )
                )


def copy_template(template: Path, to: Path) -> Path:
    """All of a closed database."""
    shutil.copyfile(template, to)
    return to


def at_rest(database: Path) -> bytes:
    """All that lies on the disk of a running cloud's database."""
    files = [database.with_name(database.name + end) for end in ("", "-wal")]
    return b"".join(path.read_bytes() for path in files if path.exists())

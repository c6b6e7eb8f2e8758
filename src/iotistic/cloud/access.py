"""Who may call a route. Each route says it (`access=…`); one that does not is closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from litestar import HttpMethod
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from iotistic.cloud.errors import Forbidden, Unauthorized
from iotistic.cloud.requests import Connection, bearer_of, client_address, device_key_of


class Access(StrEnum):
    """What a route asks of its caller. The last three are people's roles, each with the former's
    rights.
    """

    PUBLIC = "public"
    DEVICE = "device"
    DEVICE_LEAVING = "device-leaving"
    """As DEVICE; a device that left may repeat its farewell."""
    DEVICE_OR_VIEWER = "device-or-viewer"
    """A person, or the device that the path names."""
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


ROLES = (Access.VIEWER, Access.OPERATOR, Access.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person who is logged in."""

    user_id: int
    username: str
    created_at: int
    role: Access
    address: str
    session_hash: str

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"user:{self.username}"

    @property
    def identity(self) -> str:
        """What no other user shares: names, and ids in some databases, are given again."""
        return f"user:{self.user_id}:{self.created_at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCaller:
    """A device that proved by its key that it is itself."""

    device_id: int
    uuid: str
    credential_id: int
    dialect: str
    state: str
    last_seen_at: int | None
    target_etag: str | None = None
    target_version: int | None = None


class KnowsPeople(Protocol):
    """Finds who a session token belongs to."""

    async def caller_of(self, token: str, address: str) -> Caller | None:
        """The person, or None when the token is unknown, expired or revoked."""
        ...


class KnowsDevices(Protocol):
    """Finds which device a key belongs to."""

    async def device_of(self, key: str, *, leaving: bool) -> DeviceCaller:
        """The device. Raises Unauthorized, Forbidden or Gone."""
        ...


class Guardian:
    """The one guard before every handler."""

    def __init__(self, people: KnowsPeople, devices: KnowsDevices) -> None:
        self._people = people
        self._devices = devices

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Let the caller through, or raise Unauthorized, Forbidden, Gone or a 405 for OPTIONS."""
        if connection.scope.get("method") == HttpMethod.OPTIONS:
            # The framework's own answer, which we have no use for: nobody else's pages call here.
            raise MethodNotAllowedException(headers={"allow": _methods(connection)})
        access = handler.opt.get("access")
        if access is Access.PUBLIC:
            return
        if access in {Access.DEVICE, Access.DEVICE_LEAVING}:
            leaving = access is Access.DEVICE_LEAVING
            connection.state.caller = await self._device(connection, leaving=leaving)
        elif access is Access.DEVICE_OR_VIEWER:
            connection.state.caller = await self._either(connection)
        elif access in ROLES:
            connection.state.caller = await self._person(connection, access)
        else:
            raise Forbidden("this route is not open to anybody")

    async def _either(self, connection: Connection) -> Caller | DeviceCaller:
        token = bearer_of(connection)
        if token:
            caller = await self._people.caller_of(token, client_address(connection))
            if caller is not None:
                return caller
        try:
            return await self._device(connection, leaving=False)
        except Unauthorized as error:
            raise _login_needed() from error

    async def _device(self, connection: Connection, *, leaving: bool) -> DeviceCaller:
        key = device_key_of(connection)
        if not key:
            raise Unauthorized(
                "this needs the device's key",
                code="device-key-missing",
                remedy="send it as X-Device-API-Key",
            )
        device = await self._devices.device_of(key, leaving=leaving)
        uuid = connection.path_params.get("uuid")
        if uuid is not None and uuid != device.uuid:
            raise Forbidden("this key belongs to another device", code="foreign-device")
        return device

    async def _person(self, connection: Connection, needed: Access) -> Caller:
        token = bearer_of(connection)
        caller = await self._people.caller_of(token, client_address(connection)) if token else None
        if caller is None:
            raise _login_needed()
        if ROLES.index(caller.role) < ROLES.index(needed):
            raise Forbidden(f"this needs the role {needed}, you have {caller.role}")
        return caller


def _methods(connection: Connection) -> str:
    path = connection.scope["path_template"]
    found = {
        method
        for route in connection.app.routes
        if isinstance(route, HTTPRoute) and route.path_format == path
        for method in route.methods
    }
    return ", ".join(sorted(found - {HttpMethod.OPTIONS}))


def _login_needed() -> Unauthorized:
    return Unauthorized(
        "this needs a login, or the session has ended",
        code="login-needed",
        remedy="log in again (iotctl fleet login)",
    )

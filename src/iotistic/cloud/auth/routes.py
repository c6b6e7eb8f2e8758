"""Logging in and out, and `/users`."""

from __future__ import annotations

from typing import Any

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from iotistic.cloud.access import ROLES, Access, Caller
from iotistic.cloud.auth.passwords import LENGTH_MAX, check_password
from iotistic.cloud.auth.sessions import Session, Sessions
from iotistic.cloud.auth.users import USERNAME, USERNAME_EXPECTED, Users
from iotistic.cloud.clock import iso
from iotistic.cloud.requests import AnyRequest, client_address, path_number, read_json
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields


@post("/auth/login", access=Access.PUBLIC, status_code=200)
async def log_in(request: AnyRequest, sessions: NamedDependency[Sessions]) -> dict[str, Any]:
    """Begin a session. Body: `{username, password}`."""
    fields = Fields(await read_json(request), "")
    session = await sessions.log_in(
        fields.text("username", length_max=LENGTH_MAX),
        fields.text("password", length_max=LENGTH_MAX, secret=True),
        client_address(request),
    )
    return session_json(session)


@post("/auth/setup", access=Access.PUBLIC, status_code=200)
async def set_up(request: AnyRequest, sessions: NamedDependency[Sessions]) -> dict[str, Any]:
    """Spend a one-time token on an administrator. Body: `{token, username, password}`."""
    fields = Fields(await read_json(request), "")
    session = await sessions.set_up(
        fields.text("token", length_max=LENGTH_MAX, secret=True),
        fields.text("username", pattern=USERNAME, expected=USERNAME_EXPECTED),
        check_password(fields.raw("password")),
        client_address(request),
    )
    return session_json(session)


@post("/auth/logout", access=Access.VIEWER, status_code=204)
async def log_out(caller: NamedDependency[Caller], sessions: NamedDependency[Sessions]) -> None:
    """End this session."""
    await sessions.log_out(caller)


@get("/auth/me", access=Access.VIEWER)
async def who_am_i(caller: NamedDependency[Caller]) -> dict[str, Any]:
    """Who this session belongs to."""
    return {"id": caller.user_id, "username": caller.username, "role": caller.role}


@post("/auth/change-password", access=Access.VIEWER, status_code=204)
async def change_password(
    request: AnyRequest, caller: NamedDependency[Caller], users: NamedDependency[Users]
) -> None:
    """Set one's own password; ends all other sessions. Body: `{oldPassword, newPassword}`."""
    fields = Fields(await read_json(request), "")
    await users.change_password(
        caller,
        fields.text("oldPassword", "currentPassword", length_max=LENGTH_MAX, secret=True),
        check_password(fields.raw("newPassword"), "newPassword"),
    )


@get("/users", access=Access.ADMIN)
async def list_users(users: NamedDependency[Users]) -> dict[str, Any]:
    """Everybody who may log in."""
    found = await users.all()
    return {"count": len(found), "users": found}


@get("/users/{user_id:str}", access=Access.ADMIN)
async def show_user(user_id: FromPath[str], users: NamedDependency[Users]) -> dict[str, Any]:
    """One of them."""
    return await users.get(path_number(user_id, "user"))


@post("/users", access=Access.ADMIN)
async def add_user(
    request: AnyRequest, caller: NamedDependency[Caller], users: NamedDependency[Users]
) -> dict[str, Any]:
    """A new one. Body: `{username, password, role}`."""
    fields = Fields(await read_json(request), "")
    return await users.add(
        caller,
        username=fields.text("username", pattern=USERNAME, expected=USERNAME_EXPECTED),
        password=check_password(fields.raw("password")),
        role=_role(fields) or Access.VIEWER,
    )


@patch("/users/{user_id:str}", access=Access.ADMIN)
async def change_user(
    user_id: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    users: NamedDependency[Users],
) -> dict[str, Any]:
    """Another role, or no entry. Body: `{role?, isActive?}`."""
    fields = Fields(await read_json(request), "")
    is_active = None if fields.raw("isActive") is None else fields.boolean("isActive", default=True)
    return await users.change(
        caller, path_number(user_id, "user"), role=_role(fields), is_active=is_active
    )


@delete("/users/{user_id:str}", access=Access.ADMIN)
async def remove_user(
    user_id: FromPath[str], caller: NamedDependency[Caller], users: NamedDependency[Users]
) -> None:
    """Take one away."""
    await users.remove(caller, path_number(user_id, "user"))


def _role(fields: Fields) -> Access | None:
    found = fields.raw("role")
    if found is None:
        return None
    if found not in ROLES:
        raise InvalidField("role", expected="viewer, operator or admin", found=found)
    return Access(found)


def session_json(session: Session) -> dict[str, Any]:
    """A session that has just begun, with its token."""
    return {
        "token": session.token,
        "expiresAt": iso(session.expires_at),
        "user": {"username": session.username, "role": session.role},
    }


HANDLERS = (
    log_in,
    set_up,
    log_out,
    who_am_i,
    change_password,
    list_users,
    show_user,
    add_user,
    change_user,
    remove_user,
)

"""Logins: sessions and one-time tokens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Access, Caller
from iotistic.cloud.audit import NOBODY, AuditLog
from iotistic.cloud.auth.attempts import (
    LOGIN_FROM_ADDRESS,
    LOGIN_OF_ACCOUNT,
    LOGIN_OF_ACCOUNT_HERE,
    SETUP_FROM_ADDRESS,
    Attempts,
    neighborhood,
)
from iotistic.cloud.auth.passwords import Passwords
from iotistic.cloud.auth.users import Users
from iotistic.cloud.clock import DAY_MS, MINUTE_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import one_time_logins, sessions, users
from iotistic.cloud.errors import Unauthorized
from iotistic.cloud.requests import token_hash

SESSION_SPAN_MS = 7 * DAY_MS
ONE_TIME_SPAN_MS = 15 * MINUTE_MS
_TOKEN_BYTES = 32
_TOKEN_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login that has just begun. The token is shown once."""

    token: str
    expires_at: int
    username: str
    role: Access


class Sessions:
    """Begins, finds and ends logins.

    `on_set_up` is called, in a thread, when a one-time token was spent.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        attempts: Attempts,
        audit_log: AuditLog,
        passwords: Passwords,
        users: Users,
        on_set_up: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._attempts = attempts
        self._audit = audit_log
        self._passwords = passwords
        self._users = users
        self._on_set_up = on_set_up

    async def caller_of(self, token: str, address: str) -> Caller | None:
        """The person a session token belongs to; None when unknown, expired or ended."""
        if len(token) > _TOKEN_LENGTH_MAX:
            return None
        hashed = token_hash(token)
        query = (
            select(users.c.id, users.c.username, users.c.created_at, users.c.role)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(
                sessions.c.token_hash == hashed,
                sessions.c.expires_at > self._clock(),
                users.c.is_active,
            )
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Caller(
            user_id=row.id,
            username=row.username,
            created_at=row.created_at,
            role=Access(row.role),
            address=address,
            session_hash=hashed,
        )

    async def log_in(self, username: str, password: str, address: str) -> Session:
        """Begin a session. Raises Unauthorized (one text for all causes), TooManyAttempts."""
        here = neighborhood(address)
        async with self._database.write() as connection:
            # Who is refused by one of them is counted by none: all are undone together.
            counted = [
                await self._attempts.reserve(connection, limit, subject)
                for limit, subject in (
                    (LOGIN_OF_ACCOUNT_HERE, f"{here} {username}"),
                    (LOGIN_FROM_ADDRESS, here),
                    (LOGIN_OF_ACCOUNT, username),
                )
            ]
        async with self._database.read() as connection:
            query = select(users).where(users.c.username == username, users.c.is_active)
            row = (await connection.execute(query)).one_or_none()
        matches = await self._passwords.matches(password, row.password_hash if row else None)
        async with self._database.write() as connection:
            if row is not None and matches:
                # The password may have been changed, or the user removed, while it was checked.
                same = query.where(users.c.password_hash == row.password_hash)
                matches = (await connection.execute(same)).one_or_none() is not None
            if row is None or not matches:
                await self._audit.record(
                    connection,
                    actor=NOBODY,
                    action="login-failed",
                    # What was typed is named only where it is a user's name, never a password
                    # that landed in the wrong field.
                    subject=f"user:{username}" if row else "user",
                    address=address,
                )
            else:
                await self._attempts.forgive(connection, counted)
                await self._audit.record(
                    connection,
                    actor=f"user:{username}",
                    action="login",
                    subject=f"user:{username}",
                    address=address,
                )
                return await self._begin(connection, row.id, username, Access(row.role))
        raise Unauthorized("the name or the password is wrong", code="wrong-login")

    async def set_up(self, token: str, username: str, password: str, address: str) -> Session:
        """Spend a one-time token on an administrator with this name and password, and log in.

        A user of that name gets the password and the role, and loses other sessions. Raises
        Unauthorized when the token is unknown, spent or too old.
        """
        hashed = token_hash(token)
        refused = Unauthorized(
            "the one-time token is unknown, used or too old",
            code="one-time-token",
            remedy="make a new one with `iotistic-cloud admin reset-link` on the server",
        )
        valid = (one_time_logins.c.token_hash == hashed) & (
            one_time_logins.c.expires_at > self._clock()
        )
        async with self._database.write() as connection:
            here = neighborhood(address)
            counted = await self._attempts.reserve(connection, SETUP_FROM_ADDRESS, here)
            found = (
                await connection.execute(select(one_time_logins.c.created_at).where(valid))
            ).one_or_none()
        if found is None:  # before the costly hash, which strangers must not make us compute
            raise refused
        password_hash = await self._passwords.hash(password)
        async with self._database.write() as connection:
            spent = await connection.execute(delete(one_time_logins).where(valid))
            if spent.rowcount != 1:
                raise refused
            await connection.execute(delete(one_time_logins))
            await self._attempts.forgive(connection, [counted])
            user_id = await self._users.put_admin(connection, username, password_hash)
            await self._audit.record(
                connection,
                actor="one-time-token",
                action="admin-set-up",
                subject=f"user:{username}",
                address=address,
            )
            session = await self._begin(connection, user_id, username, Access.ADMIN)
        await asyncio.to_thread(self._on_set_up)
        return session

    async def log_out(self, caller: Caller) -> None:
        """End the caller's session."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(sessions).where(sessions.c.token_hash == caller.session_hash)
            )
            await self._audit.record(
                connection,
                actor=caller.actor,
                action="logout",
                subject=caller.actor,
                address=caller.address,
            )

    async def offer_one_time_login(self, *, only_first: bool) -> str | None:
        """A new one-time token; None when `only_first` and there is a user already."""
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        async with self._database.write() as connection:
            if only_first and await self._users.exist(connection):
                return None
            await connection.execute(
                delete(one_time_logins).where(one_time_logins.c.expires_at <= now)
            )
            await connection.execute(
                insert(one_time_logins).values(
                    token_hash=token_hash(token), created_at=now, expires_at=now + ONE_TIME_SPAN_MS
                )
            )
        return token

    async def sweep(self, connection: AsyncConnection) -> None:
        """Forget sessions that have ended by themselves."""
        await connection.execute(delete(sessions).where(sessions.c.expires_at <= self._clock()))

    async def _begin(
        self, connection: AsyncConnection, user_id: int, username: str, role: Access
    ) -> Session:
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        await connection.execute(
            insert(sessions).values(
                token_hash=token_hash(token),
                user_id=user_id,
                created_at=now,
                expires_at=now + SESSION_SPAN_MS,
            )
        )
        return Session(token=token, expires_at=now + SESSION_SPAN_MS, username=username, role=role)

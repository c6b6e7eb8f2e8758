"""The people who may log in."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Access, Caller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.auth.attempts import PASSWORD_CHANGE, Attempts
from iotistic.cloud.auth.passwords import Passwords
from iotistic.cloud.clock import Clock, iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import sessions, users
from iotistic.cloud.errors import Forbidden
from iotistic.model.errors import Conflict, NotFound

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
USERNAME_EXPECTED = "a name of letters, digits, '.', '_', '@' and '-', at most 64 long"


class Users:
    """Adds, changes and removes people. There is always an active administrator."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        attempts: Attempts,
        audit_log: AuditLog,
        passwords: Passwords,
    ) -> None:
        self._database = database
        self._clock = clock
        self._attempts = attempts
        self._audit = audit_log
        self._passwords = passwords

    async def all(self) -> list[dict[str, Any]]:
        """Everybody, by name."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(users).order_by(users.c.username))).all()
        return [as_json(row) for row in rows]

    async def get(self, user_id: int) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        async with self._database.read() as connection:
            return as_json(await self._row(connection, user_id))

    async def add(
        self, caller: Caller, *, username: str, password: str, role: Access
    ) -> dict[str, Any]:
        """A new one. Raises Conflict when the name is taken."""
        password_hash = await self._passwords.hash(password)
        async with self._database.write() as connection:
            user_id = await self._insert(connection, username, password_hash, role)
            await self._record(connection, caller, "user-added", username, role=role)
            return as_json(await self._row(connection, user_id))

    async def change(
        self, caller: Caller, user_id: int, *, role: Access | None, is_active: bool | None
    ) -> dict[str, Any]:
        """Another role, or no entry any more. Raises NotFound, Conflict."""
        values: dict[str, Any] = {"updated_at": self._clock()}
        if role is not None:
            values["role"] = role
        if is_active is not None:
            values["is_active"] = is_active
        async with self._database.write() as connection:
            row = await self._row(connection, user_id)
            await connection.execute(update(users).where(users.c.id == user_id).values(values))
            await self._keep_an_admin(connection)
            if is_active is False:
                await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            del values["updated_at"]
            await self._record(connection, caller, "user-changed", row.username, **values)
            return as_json(await self._row(connection, user_id))

    async def remove(self, caller: Caller, user_id: int) -> None:
        """Take one away, with all sessions. Raises NotFound, Conflict."""
        async with self._database.write() as connection:
            row = await self._row(connection, user_id)
            await connection.execute(delete(users).where(users.c.id == user_id))
            await self._keep_an_admin(connection)
            await self._record(connection, caller, "user-removed", row.username)

    async def change_password(self, caller: Caller, old: str, new: str) -> None:
        """The caller's own; ends all their other sessions. Raises Forbidden, TooManyAttempts."""
        async with self._database.write() as connection:
            # Who found a session must not find the password by trying here, from any address.
            counted = await self._attempts.reserve(connection, PASSWORD_CHANGE, caller.username)
            row = await self._row(connection, caller.user_id)
        if not await self._passwords.matches(old, row.password_hash):
            raise Forbidden("the present password is wrong", code="wrong-password")
        password_hash = await self._passwords.hash(new)
        async with self._database.write() as connection:
            await self._attempts.forgive(connection, [counted])
            await connection.execute(
                update(users)
                .where(users.c.id == caller.user_id)
                .values(password_hash=password_hash, updated_at=self._clock())
            )
            await connection.execute(
                delete(sessions).where(
                    sessions.c.user_id == caller.user_id,
                    sessions.c.token_hash != caller.session_hash,
                )
            )
            await self._record(connection, caller, "password-changed", caller.username)

    async def exist(self, connection: AsyncConnection) -> bool:
        """Whether there is anybody."""
        return (await connection.execute(select(users.c.id).limit(1))).first() is not None

    async def put_admin(
        self, connection: AsyncConnection, username: str, password_hash: str
    ) -> int:
        """An active administrator of this name with this password; gives the id."""
        row = (
            await connection.execute(select(users.c.id).where(users.c.username == username))
        ).one_or_none()
        if row is None:
            return await self._insert(connection, username, password_hash, Access.ADMIN)
        await connection.execute(
            update(users)
            .where(users.c.id == row.id)
            .values(
                password_hash=password_hash,
                role=Access.ADMIN,
                is_active=True,
                updated_at=self._clock(),
            )
        )
        await connection.execute(delete(sessions).where(sessions.c.user_id == row.id))
        return int(row.id)

    async def _insert(
        self, connection: AsyncConnection, username: str, password_hash: str, role: Access
    ) -> int:
        now = self._clock()
        statement = insert(users).values(
            username=username,
            password_hash=password_hash,
            role=role,
            is_active=True,
            created_at=now,
            updated_at=now,
        )
        try:
            result = await connection.execute(statement.returning(users.c.id))
        except IntegrityError as error:
            raise Conflict(f"there is a user {username} already", code="user-exists") from error
        return int(result.scalar_one())

    async def _row(self, connection: AsyncConnection, user_id: int) -> Row[Any]:
        query = select(users).where(users.c.id == user_id)
        row: Row[Any] | None = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no user {user_id}", code="no-such-user")
        return row

    async def _keep_an_admin(self, connection: AsyncConnection) -> None:
        left = await connection.execute(
            select(func.count()).where(users.c.role == Access.ADMIN, users.c.is_active)
        )
        if left.scalar_one() == 0:
            raise Conflict(
                "nobody would be left to administer this cloud",
                code="last-admin",
                remedy="make somebody else an administrator first",
            )

    async def _record(
        self,
        connection: AsyncConnection,
        caller: Caller,
        action: str,
        username: str,
        **details: Any,
    ) -> None:
        await self._audit.record(
            connection,
            actor=caller.actor,
            action=action,
            subject=f"user:{username}",
            address=caller.address,
            **details,
        )


def as_json(row: Row[Any]) -> dict[str, Any]:
    """A user as the API shows them."""
    return {
        "id": row.id,
        "username": row.username,
        "role": row.role,
        "isActive": row.is_active,
        "createdAt": iso(row.created_at),
    }

"""`X-Idempotency-Key`: the same request again gets the same answer, for 24 hours.

The answer is stored in the transaction of the act itself, sealed, since it may hold what is
shown only once. Without the header an act is done as often as it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar.response import Response
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.clock import DAY_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import idempotency
from iotistic.cloud.requests import AnyRequest
from iotistic.cloud.server_key import ServerKey
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import Conflict, InvalidField

HEADER = "X-Idempotency-Key"
KEPT_MS = DAY_MS
_LENGTH_MAX = 255
_CONTEXT = "idempotency"


class Idempotency:
    """Does an act once per (caller, key)."""

    def __init__(self, database: Database, clock: Clock, *, server_key: ServerKey) -> None:
        self._database = database
        self._clock = clock
        self._server_key = server_key

    async def once(
        self,
        request: AnyRequest,
        identity: str,
        act: Callable[[AsyncConnection], Awaitable[dict[str, Any]]],
        *,
        asked: Any,
        status: int,
    ) -> Response[Any]:
        """The answer of `act`, run in a write transaction, or the one it gave before.

        `identity` is the caller's alone, for ever: the answer may be a secret of theirs.
        `asked` is the body, by which the same request is told from another one.
        Raises InvalidField for a bad key, Conflict when the key was used for something else.
        """
        key = request.headers.get(HEADER)
        if key is None:
            async with self._database.write() as connection:
                return _answer(canonical_json(await act(connection)), status)
        if not 0 < len(key) <= _LENGTH_MAX or not key.isprintable():
            raise InvalidField(HEADER, expected=f"1 to {_LENGTH_MAX} printable characters")
        key_hash = hashlib.sha256(canonical_json([identity, key])).hexdigest()
        what = [request.method, request.url.path, request.url.query, asked]
        asked_hash = hashlib.sha256(canonical_json(what)).hexdigest()
        try:
            async with self._database.write() as connection:
                return await self._once(connection, key_hash, asked_hash, act, status)
        except IntegrityError as error:
            raise Conflict(
                "the same request is being done at this moment", code="idempotency-raced"
            ) from error

    async def _once(
        self,
        connection: AsyncConnection,
        key_hash: str,
        asked_hash: str,
        act: Callable[[AsyncConnection], Awaitable[dict[str, Any]]],
        status: int,
    ) -> Response[Any]:
        now = self._clock()
        table = idempotency.c
        await connection.execute(delete(idempotency).where(table.created_at <= now - KEPT_MS))
        query = select(idempotency).where(table.key_hash == key_hash)
        row = (await connection.execute(query)).one_or_none()
        if row is not None:
            if row.request_hash != asked_hash:
                raise Conflict(
                    f"this {HEADER} was used for another request", code="idempotency-key-reused"
                )
            body = self._server_key.open(row.body_sealed, context=_CONTEXT)
            return _answer(body, row.status)
        body = canonical_json(await act(connection))
        await connection.execute(
            insert(idempotency).values(
                key_hash=key_hash,
                request_hash=asked_hash,
                status=status,
                body_sealed=self._server_key.seal(body, context=_CONTEXT),
                created_at=now,
            )
        )
        return _answer(body, status)


def _answer(body: bytes, status: int) -> Response[Any]:
    return Response(msgspec.Raw(body), status_code=status, media_type="application/json")

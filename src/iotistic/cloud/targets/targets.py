"""Versions of targets, and which of them a device gets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import Caller, DeviceCaller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.clock import Clock, iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import device_targets, target_versions
from iotistic.cloud.server_key import ServerKey
from iotistic.cloud.targets.draft import Change, Content, FormerVersion
from iotistic.cloud.targets.version import (
    Saved,
    Served,
    check_match,
    encoded,
    new_epoch_id,
    nothing_yet,
)
from iotistic.model.canonical import INTEGER_MAX, canonical_json
from iotistic.model.errors import Conflict, NotFound

VERSIONS_KEPT = 100


class Targets:
    """Saves, deploys, rolls back and serves targets."""

    def __init__(
        self, database: Database, clock: Clock, *, server_key: ServerKey, audit_log: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._server_key = server_key
        self._audit = audit_log

    async def newest(self, device_id: int) -> Saved:
        """The newest version."""
        async with self._database.read() as connection:
            return await self._newest(connection, device_id)

    async def save(
        self,
        caller: Caller,
        device: Row[Any],
        change: Change,
        *,
        deploy: bool,
        if_match: str | None,
    ) -> tuple[Saved, Content]:
        """Add a version, and deploy it unless it is to be staged.

        What follows on the version before is worked out in the transaction that adds it, so no
        other one comes between. Raises InvalidField, ChangedMeanwhile.
        """
        try:
            async with self._database.write() as connection:
                await self._lock(connection, device.id)
                before = await self._newest(connection, device.id)
                check_match(before, if_match)
                content = await asyncio.to_thread(change.onto, before.body)
                await self._add(connection, caller, device, change, content, before)
                newest = await self._newest(connection, device.id)
                if deploy:
                    await self._deploy(connection, device, newest)
                    await self._record(
                        connection, caller, device, "target-deployed", newest.version
                    )
                return await self._newest(connection, device.id), content
        except IntegrityError as error:
            raise Conflict(
                "somebody else saved a target at the same moment", code="changed-meanwhile"
            ) from error

    async def deploy(self, caller: Caller, device: Row[Any], *, if_match: str | None) -> Saved:
        """Give the newest version to the device. Raises NotFound, ChangedMeanwhile."""
        async with self._database.write() as connection:
            await self._lock(connection, device.id)
            newest = await self._newest(connection, device.id)
            check_match(newest, if_match)
            if newest.version is None:
                raise NotFound("this device has no target yet", code="no-target-yet")
            if newest.needs_deployment:
                await self._deploy(connection, device, newest)
                await self._record(connection, caller, device, "target-deployed", newest.version)
            return await self._newest(connection, device.id)

    async def roll_back(
        self, caller: Caller, device: Row[Any], version: int, *, if_match: str | None
    ) -> Saved:
        """An old version's content as a new version, deployed. Raises NotFound,
        ChangedMeanwhile.
        """
        old = await self.version(device.id, version)
        change = FormerVersion(body=old, comment=f"back to version {version}")
        saved, _ = await self.save(caller, device, change, deploy=True, if_match=if_match)
        return saved

    async def cancel(self, caller: Caller, device: Row[Any], *, if_match: str | None) -> Saved:
        """Drop what is staged: what is deployed becomes the newest version again.

        Nothing happens when nothing is staged. Raises Conflict when nothing was ever deployed,
        ChangedMeanwhile.
        """
        newest = await self.newest(device.id)
        check_match(newest, if_match)
        if not newest.needs_deployment:
            return newest
        if newest.deployed_version is None:
            raise Conflict(
                "nothing was deployed yet that this could go back to",
                code="nothing-deployed",
                remedy="save another target",
            )
        return await self.roll_back(
            caller, device, newest.deployed_version, if_match=if_match or newest.etag
        )

    async def version(self, device_id: int, version: int) -> dict[str, Any]:
        """One version's content. Raises NotFound."""
        async with self._database.read() as connection:
            return await self._version(connection, device_id, version)

    async def served(self, device: DeviceCaller) -> Served:
        """What this device should run, as it gets it."""
        query = select(device_targets.c.served_sealed, device_targets.c.etag).where(
            device_targets.c.device_id == device.device_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.served_sealed is None:
            return nothing_yet(device.dialect)
        context = _context(device.device_id)
        body = await asyncio.to_thread(self._server_key.open, row.served_sealed, context=context)
        return Served(body=body, etag=row.etag)

    async def _add(
        self,
        connection: AsyncConnection,
        caller: Caller,
        device: Row[Any],
        change: Change,
        content: Content,
        before: Saved,
    ) -> None:
        version = (before.version or 0) + 1
        sealed = await asyncio.to_thread(self._seal, device.id, content.body)
        await self._point_to(connection, device.id, version, before, new_epoch=change.new_epoch)
        await connection.execute(
            insert(target_versions).values(
                device_id=device.id,
                version=version,
                body_sealed=sealed,
                created_at=self._clock(),
                author=caller.username,
                comment=change.comment,
            )
        )
        await self._record(connection, caller, device, "target-saved", version)
        await self._prune(connection, device.id, version)

    async def _lock(self, connection: AsyncConnection, device_id: int) -> None:
        query = select(device_targets.c.device_id).where(device_targets.c.device_id == device_id)
        await connection.execute(query.with_for_update())

    async def _newest(self, connection: AsyncConnection, device_id: int) -> Saved:
        query = select(device_targets).where(device_targets.c.device_id == device_id)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return Saved(body={"apps": {}, "config": {}})
        return Saved(
            version=row.latest_version,
            deployed_version=row.deployed_version,
            deployed_at=row.deployed_at,
            epoch=row.epoch,
            body=await self._version(connection, device_id, row.latest_version),
        )

    async def _version(
        self, connection: AsyncConnection, device_id: int, version: int
    ) -> dict[str, Any]:
        row = None
        if abs(version) <= INTEGER_MAX:  # a path names any number, a database holds 64 bits
            query = select(target_versions.c.body_sealed).where(
                target_versions.c.device_id == device_id, target_versions.c.version == version
            )
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(
                f"there is no version {version} of this target, or it is no longer kept",
                code="no-such-version",
            )
        body: dict[str, Any] = await asyncio.to_thread(self._open, device_id, row.body_sealed)
        return body

    def _seal(self, device_id: int, body: Mapping[str, Any]) -> bytes:
        return self._server_key.seal(canonical_json(body), context=_context(device_id))

    def _open(self, device_id: int, sealed: bytes) -> Any:
        return msgspec.json.decode(self._server_key.open(sealed, context=_context(device_id)))

    async def _point_to(
        self,
        connection: AsyncConnection,
        device_id: int,
        version: int,
        before: Saved,
        *,
        new_epoch: bool,
    ) -> None:
        epoch = new_epoch_id() if before.epoch is None or new_epoch else before.epoch
        table = device_targets
        values = {"latest_version": version, "epoch": epoch}
        statement: Any = insert(table).values(device_id=device_id, **values)
        if before.version is not None:
            statement = update(table).where(table.c.device_id == device_id).values(values)
        await connection.execute(statement)

    async def _deploy(self, connection: AsyncConnection, device: Row[Any], newest: Saved) -> None:
        now = self._clock()
        inner = {
            **newest.body,
            "version": newest.version,
            "target_epoch": newest.epoch,
            "needs_deployment": False,
            "last_deployed_at": iso(now),
        }
        served, etag = await asyncio.to_thread(encoded, inner)
        sealed = await asyncio.to_thread(self._server_key.seal, served, context=_context(device.id))
        await connection.execute(
            update(device_targets)
            .where(device_targets.c.device_id == device.id)
            .values(
                deployed_version=newest.version, deployed_at=now, etag=etag, served_sealed=sealed
            )
        )
        await connection.execute(
            update(target_versions)
            .where(
                target_versions.c.device_id == device.id,
                target_versions.c.version == newest.version,
            )
            .values(deployed_at=now)
        )

    async def _prune(self, connection: AsyncConnection, device_id: int, version: int) -> None:
        await connection.execute(
            delete(target_versions).where(
                target_versions.c.device_id == device_id,
                target_versions.c.version <= version - VERSIONS_KEPT,
            )
        )

    async def _record(
        self,
        connection: AsyncConnection,
        caller: Caller,
        device: Row[Any],
        action: str,
        version: int | None,
    ) -> None:
        await self._audit.record(
            connection,
            actor=caller.actor,
            action=action,
            subject=f"device:{device.uuid}",
            address=caller.address,
            version=version,
        )


def _context(device_id: int) -> str:
    # One device's target moved into another one's row does not open there.
    return f"target:{device_id}"

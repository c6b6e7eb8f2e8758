"""What devices say about themselves: merge patches against the last accepted document."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic.cloud.access import DeviceCaller
from iotistic.cloud.audit import AuditLog
from iotistic.cloud.clock import MINUTE_MS, Clock, iso
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import current_states, devices
from iotistic.cloud.devices.releases import Rejection, new_rejections, plans_of, releases_of
from iotistic.cloud.errors import Forbidden, TooLarge
from iotistic.cloud.server_key import ServerKey
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import MASK, InvalidField, NotFound
from iotistic.model.provisioning import UUID
from iotistic.model.reader import BODY_BYTES_MAX
from iotistic.model.report import Envelope, hash_of, merge, open_body
from iotistic.model.target_secrets import hidden
from iotistic.model.words import Dialect

PROMISE_MS_DEFAULT = 5 * MINUTE_MS
PROMISE_MS_MAX = 24 * 60 * MINUTE_MS
OFFLINE_AFTER_PROMISES = 3
_TEXT_LENGTH_MAX = 255
_log = logging.getLogger("iotistic.cloud")
_NAMES_OF_UUID = ("uuid", "deviceUuid")
_ANY_UUID = re.compile(UUID.pattern, re.IGNORECASE)
_COLUMNS = ("os_version", "agent_version", "architecture")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """A report worked into the document, with what is kept beside it."""

    sealed: bytes
    digest: str
    version: int | None
    seq: int | None
    promise_ms: int
    facts: Mapping[str, str]
    machine_hash: str | None
    rejections: tuple[Rejection, ...]


class Reports:
    """Takes reports, and shows what came of them."""

    def __init__(
        self, database: Database, clock: Clock, *, server_key: ServerKey, audit_log: AuditLog
    ) -> None:
        self._database = database
        self._clock = clock
        self._server_key = server_key
        self._audit = audit_log

    async def accept(self, device: DeviceCaller, body: object, *, address: str) -> bool:
        """Work one report in; False when it was dropped for having no place in time.

        Raises InvalidField, Forbidden (another device's), NeedsResync and TooLarge.
        """
        inner = body_of(body, device.uuid)
        if device.dialect == Dialect.O1 and "version" not in inner:
            # Such agents send old, stripped reports after an outage, after the fresh one.
            return False
        now = self._clock()
        async with self._database.write() as connection:
            # A write to the device's row first: reports of one device go one after the other,
            # on databases with row locks as well.
            row = (
                await connection.execute(
                    update(devices)
                    .where(devices.c.id == device.device_id)
                    .values(last_seen_at=now)
                    .returning(devices.c.machine_hash)
                )
            ).one()
            held = await self._held(connection, device.device_id)
            merged = await asyncio.to_thread(
                self._merge, device, held.body_sealed if held else None, inner
            )
            await self._store(connection, device.device_id, merged, is_new=held is None)
            await self._tell(connection, device, merged.rejections, address)
            values: dict[str, Any] = {
                **merged.facts,
                "offline_at": now + OFFLINE_AFTER_PROMISES * merged.promise_ms,
            }
            if merged.machine_hash is not None:
                values["machine_hash"] = merged.machine_hash
                if row.machine_hash not in {None, merged.machine_hash}:
                    # Two machines with one identity, most likely a copied card.
                    values["cloned_at"] = now
            await connection.execute(
                update(devices).where(devices.c.id == device.device_id).values(values)
            )
        return True

    async def current(self, device_id: int) -> dict[str, Any]:
        """The last document as operators see it. Raises NotFound before the first report."""
        async with self._database.read() as connection:
            held = await self._held(connection, device_id)
        if held is None:
            raise NotFound("this device has not reported yet", code="no-report-yet")
        document = await asyncio.to_thread(self._open, device_id, held.body_sealed)
        own = {"apps", "config", "release", "plan"}
        rest = {name: value for name, value in document.items() if name not in own}
        return {
            "apps": document.get("apps", {}),
            # An older agent reports it as it got it.
            "config": hidden({"config": document.get("config", {})})["config"],
            "version": held.version,
            "release": releases_of(document),
            "plan": plans_of(document),
            "system_info": rest,
            "reported_at": iso(held.received_at),
        }

    async def _tell(
        self,
        connection: AsyncConnection,
        device: DeviceCaller,
        rejections: tuple[Rejection, ...],
        address: str,
    ) -> None:
        for rejection in rejections:
            await self._audit.record(
                connection,
                actor=f"device:{device.uuid}",
                action="release-rejected",
                subject=f"device:{device.uuid}",
                address=address,
                **rejection.details(),
            )
            _log.warning("release rejected", extra={"device": device.uuid, **rejection.details()})

    async def _held(self, connection: AsyncConnection, device_id: int) -> Row[Any] | None:
        query = select(current_states).where(current_states.c.device_id == device_id)
        row: Row[Any] | None = (await connection.execute(query)).one_or_none()
        return row

    async def _store(
        self, connection: AsyncConnection, device_id: int, merged: _Merged, *, is_new: bool
    ) -> None:
        values = {
            "body_sealed": merged.sealed,
            "hash": merged.digest,
            "version": merged.version,
            "seq": merged.seq,
            "received_at": self._clock(),
        }
        if is_new:
            statement: Any = insert(current_states).values(device_id=device_id, **values)
        else:
            table = current_states
            statement = update(table).where(table.c.device_id == device_id).values(values)
        await connection.execute(statement)

    def _merge(
        self, device: DeviceCaller, sealed: bytes | None, inner: Mapping[str, Any]
    ) -> _Merged:
        held = None if sealed is None else self._open(device.device_id, sealed)
        if device.dialect == Dialect.O1:
            envelope, document = Envelope(), merge_o1(held, inner)
        else:
            envelope, content = open_body(inner)
            document = without_values(merge(held, envelope, content))
        encoded = canonical_json(document)
        if len(encoded) > BODY_BYTES_MAX:
            raise TooLarge("the report has grown beyond what is kept", remedy="report less")
        return _Merged(
            sealed=self._server_key.seal(encoded, context=_context(device.device_id)),
            digest=hash_of(document),
            version=_integer(document.get("version")),
            seq=envelope.seq,
            promise_ms=_promise_ms(document),
            facts={name: text for name in _COLUMNS if (text := _text(document.get(name)))},
            machine_hash=_text(document.get("machine_hash"), length_max=64),
            rejections=new_rejections(held, document),
        )

    def _open(self, device_id: int, sealed: bytes) -> dict[str, Any]:
        opened: dict[str, Any] = msgspec.json.decode(
            self._server_key.open(sealed, context=_context(device_id))
        )
        return opened


def _context(device_id: int) -> str:
    return f"current-state:{device_id}"


def body_of(body: object, uuid: str) -> Mapping[str, Any]:
    """The one device's part of a body. Raises Forbidden when it names any other device."""
    if not isinstance(body, Mapping):
        raise InvalidField("body", expected="an object", found=body)
    named = [str(body[name]) for name in _NAMES_OF_UUID if body.get(name) is not None]
    named += [name for name in body if _ANY_UUID.fullmatch(name)]
    if any(name != uuid for name in named):
        raise Forbidden("a device reports for itself only", code="foreign-device")
    if uuid in body:
        if len(body) > 1 and any(name not in {uuid, *_NAMES_OF_UUID} for name in body):
            raise InvalidField("body", expected=f"{uuid} as its only field", found=len(body))
        inner = body[uuid]
        if not isinstance(inner, Mapping):
            raise InvalidField(uuid, expected="an object", found=inner)
        return inner
    if not named:
        raise InvalidField("body", expected=f"an object under {uuid}", found=sorted(body)[:3])
    return {name: value for name, value in body.items() if name not in _NAMES_OF_UUID}


def merge_o1(held: Mapping[str, Any] | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """The document after a report of the older dialect: what it leaves out is as before.

    It echoes the values of environment variables, which are not kept.
    """
    return {**(held or {}), **{name: _without_values(value) for name, value in content.items()}}


def without_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of v2 without the values of environment variables, which no device should send.

    Our agent sends names only, and its document stays as it is. One that sends values agrees no
    more with what is held: its patches are answered with `resync`, its whole documents are taken.
    `config` is the operator's own, with names of their choice.
    """
    shown: dict[str, Any] = _without_values(document)
    return {**shown, "config": document["config"]} if "config" in document else shown


def _without_values(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_values(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _masked(inner) if name == "environment" else _without_values(inner)
        for name, inner in value.items()
    }


def _masked(environment: Any) -> Any:
    if isinstance(environment, Mapping):
        return dict.fromkeys(environment, MASK)
    if isinstance(environment, list):
        return [_masked_entry(item) for item in environment]
    return MASK


def _masked_entry(entry: Any) -> str:
    if not isinstance(entry, str):
        return MASK
    name, has_value, _ = entry.partition("=")
    return f"{name}={MASK}" if has_value else name


def _promise_ms(document: Mapping[str, Any]) -> int:
    found = _integer(document.get("next_report_within_ms"))
    return min(found, PROMISE_MS_MAX) if found else PROMISE_MS_DEFAULT


def _integer(value: object) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if fits and isinstance(value, int) else None


def _text(value: object, *, length_max: int = _TEXT_LENGTH_MAX) -> str | None:
    return value[:length_max] if isinstance(value, str) and value else None

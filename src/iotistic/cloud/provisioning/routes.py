"""`/api/provisioning/v2/*`, the calls of the older dialect, and operators' keys."""

from __future__ import annotations

import re
from typing import Any

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from iotistic.cloud.access import Access, Caller, DeviceCaller
from iotistic.cloud.idempotency import Idempotency
from iotistic.cloud.provisioning.exchange import KeyExchange
from iotistic.cloud.provisioning.keys import (
    DAYS_MAX,
    DEFAULT_FLEET,
    DEVICES_MAX,
    KeyWish,
    ProvisioningKeys,
)
from iotistic.cloud.provisioning.o1 import O1Registrar, parse_o1_register
from iotistic.cloud.provisioning.registrar import Registrar
from iotistic.cloud.provisioning.replies import PublicFace, o1_confirmed, o1_reply, v2_reply
from iotistic.cloud.requests import (
    AnyRequest,
    bearer_of,
    client_address,
    device_key_of,
    read_json,
    read_object,
)
from iotistic.model.provisioning import parse_key_exchange_request, parse_register_request
from iotistic.model.reader import Fields

FLEET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FLEET_EXPECTED = "a name of letters, digits, '_', '.' and '-', at most 64 long"
_TEXT_LENGTH_MAX = 500
_ONE_DEVICE_DAYS = 30


@post("/provisioning/v2/key-exchange", access=Access.PUBLIC, status_code=200)
async def exchange_keys(
    request: AnyRequest, exchange: NamedDependency[KeyExchange]
) -> dict[str, Any]:
    """Phase one. Body: `{deviceUuid, provisioningApiKey, devicePublicKey?}`."""
    asked = parse_key_exchange_request(await read_json(request))
    return (await exchange.answer(asked, client_address(request))).to_wire()


@post("/provisioning/v2/register", access=Access.PUBLIC, status_code=200)
async def register(
    request: AnyRequest, registrar: NamedDependency[Registrar], face: NamedDependency[PublicFace]
) -> dict[str, Any]:
    """Phase two. Body: `{encryptedPayload, keyId?, signature?}`."""
    asked = parse_register_request(await read_json(request))
    return v2_reply(await registrar.register(asked, client_address(request)), face)


@post("/v1/device/register", access=Access.PUBLIC, status_code=200)
async def register_o1(
    request: AnyRequest,
    o1_registrar: NamedDependency[O1Registrar],
    face: NamedDependency[PublicFace],
) -> dict[str, Any]:
    """The older dialect's registration; the provisioning key is the bearer token."""
    asked = parse_o1_register(await read_json(request))
    key = bearer_of(request)
    return o1_reply(await o1_registrar.register(asked, key, client_address(request)), face)


@post("/v1/device/{uuid:str}/key-exchange", access=Access.DEVICE, status_code=200)
async def confirm_o1(
    request: AnyRequest,
    device: NamedDependency[DeviceCaller],
    o1_registrar: NamedDependency[O1Registrar],
) -> dict[str, Any]:
    """The older dialect's second call. Body: `{uuid, deviceApiKey}`."""
    body = await read_json(request)
    return o1_confirmed(await o1_registrar.confirm(device, body, device_key_of(request)))


@post("/v1/provisioning-keys", access=Access.OPERATOR)
async def create_key(
    request: AnyRequest,
    caller: NamedDependency[Caller],
    provisioning_keys: NamedDependency[ProvisioningKeys],
    idempotency: NamedDependency[Idempotency],
    face: NamedDependency[PublicFace],
) -> Response[Any]:
    """A new key, shown this once.

    Body: `{fleetId?, maxDevices?, expiresInDays?, description? (or label)}`.
    """
    body = await read_object(request)
    fields = Fields(body, "")
    wish = KeyWish(
        fleet_id=_fleet(fields),
        max_devices=fields.integer("maxDevices", default=100, low=1, high=DEVICES_MAX),
        expires_in_days=fields.integer("expiresInDays", default=365, low=1, high=DAYS_MAX),
        description=fields.optional_text("description", "label", length_max=_TEXT_LENGTH_MAX) or "",
    )

    async def create(connection: Any) -> dict[str, Any]:
        key, shown = await provisioning_keys.create(connection, caller, wish)
        return _with_key(shown, key.reveal(), face)

    return await idempotency.once(request, caller.identity, create, asked=body, status=201)


@post("/v1/provisioning-keys/generate", access=Access.OPERATOR)
async def generate_key(
    request: AnyRequest,
    caller: NamedDependency[Caller],
    provisioning_keys: NamedDependency[ProvisioningKeys],
    idempotency: NamedDependency[Idempotency],
    face: NamedDependency[PublicFace],
) -> Response[Any]:
    """A key for one device within 30 days. Body: `{fleetId?, previousKeyId?}`.

    The key named as the previous one is revoked.
    """
    body = await read_object(request)
    fields = Fields(body, "")
    previous = fields.optional_text("previousKeyId", length_max=32)
    wish = KeyWish(
        fleet_id=_fleet(fields),
        max_devices=1,
        expires_in_days=_ONE_DEVICE_DAYS,
        description="for one device",
    )

    async def create(connection: Any) -> dict[str, Any]:
        if previous is not None:
            await provisioning_keys.revoke(connection, caller, previous, "replaced")
        key, shown = await provisioning_keys.create(connection, caller, wish)
        return _with_key(shown, key.reveal(), face)

    return await idempotency.once(request, caller.identity, create, asked=body, status=201)


@get("/v1/provisioning-keys", access=Access.VIEWER)
async def list_keys(
    request: AnyRequest, provisioning_keys: NamedDependency[ProvisioningKeys]
) -> dict[str, Any]:
    """All keys, without the keys themselves. Query: `fleetId`."""
    found = await provisioning_keys.all(request.query_params.get("fleetId"))
    return {"count": len(found), "keys": found}


@delete("/v1/provisioning-keys/{key_id:str}", access=Access.OPERATOR, status_code=200)
async def revoke_key(
    key_id: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    provisioning_keys: NamedDependency[ProvisioningKeys],
    idempotency: NamedDependency[Idempotency],
) -> Response[Any]:
    """End a key for new registrations. Body: `{reason?}`."""
    body = await read_object(request)
    fields = Fields(body, "")
    reason = fields.optional_text("reason", length_max=_TEXT_LENGTH_MAX) or ""

    async def revoke(connection: Any) -> dict[str, Any]:
        return await provisioning_keys.revoke(connection, caller, key_id, reason)

    return await idempotency.once(request, caller.identity, revoke, asked=body, status=200)


def _fleet(fields: Fields) -> str:
    found = fields.optional_text("fleetId", pattern=FLEET, expected=_FLEET_EXPECTED)
    return found or DEFAULT_FLEET


def _with_key(shown: dict[str, Any], key: str, face: PublicFace) -> dict[str, Any]:
    pin = f" --ca-pin {face.ca_pin}" if face.ca_pin else ""
    return {
        **shown,
        "key": key,
        "warning": "this key is shown only now",
        # The key itself goes in on standard input: it must not stand in a process list.
        "command": f"iotctl provision --key-file - --api {face.url}{pin}",
    }


HANDLERS = (
    exchange_keys,
    register,
    register_o1,
    confirm_o1,
    create_key,
    generate_key,
    list_keys,
    revoke_key,
)

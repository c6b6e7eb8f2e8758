"""The conversations with a cloud: what is asked, in which order, in which dialect."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iotistic.agent.endpoint import parse_endpoint
from iotistic.agent.host.crypto_child import CryptoRefused, Operation
from iotistic.agent.http import CloudHttp, CloudRefused, Reply
from iotistic.agent.provisioning import replies
from iotistic.agent.provisioning.replies import Joined
from iotistic.agent.store.records import CloudLink
from iotistic.model.canonical import canonical_json, keyed_hex
from iotistic.model.errors import CloudUnavailable, InvalidField
from iotistic.model.provisioning import (
    REPLY_ENCRYPTION_JWE,
    KeyExchangeReply,
    KeyExchangeRequest,
    RegisterRequest,
    RegistrationPlaintext,
    encrypted_reply,
    parse_key_exchange_reply,
)
from iotistic.model.reader import decode_json
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

REPLY_BYTES_MAX = 256 * 1024
PURPOSE = "provisioning"

_REMEDIES = {
    401: "check the provisioning key; a new one: iotctl fleet keys create",
    403: "ask an operator whether this fleet takes devices",
    409: "an operator has to allow this device to register anew",
}

Crypto = Callable[[Operation, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""`in_child`, or what does the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """The device, as it introduces itself."""

    uuid: str
    private_key_pem: Secret
    hash_key: Secret
    device_name: str
    device_type: str
    mac_address: str = ""
    os_version: str = ""
    application_id: str | None = None
    agent_version: str = ""
    architecture: str = ""


class NoSuchDialect(CloudUnavailable):
    """The cloud has no such path: it speaks another dialect, or is none."""

    code: str = "dialect-unknown"

    def __init__(self, http: CloudHttp) -> None:
        # Unknown keys and devices are a 401: a 404 means that there is no such path.
        super().__init__(
            f"{http.endpoint.base} has no provisioning", remedy="check CLOUD_API_ENDPOINT"
        )


async def register(
    http: CloudHttp, dialect: Dialect, applicant: Applicant, key: Secret, crypto: Crypto
) -> Joined:
    """Join in one dialect, from the start. A repeat, also after a lost reply, is the same device.

    Raises NoSuchDialect when the first thing asked does not exist there, and else what
    CloudHttp raises; CloudUnavailable with `bad-reply` for an answer that makes no sense.
    """
    try:
        if dialect is Dialect.O1:
            return await _register_o1(http, applicant, key)
        return await _register_v2(http, applicant, key, crypto)
    except InvalidField as error:
        if not error.path.startswith("reply"):
            raise
        raise CloudUnavailable(
            f"the cloud's answer makes no sense: {error}", code="bad-reply"
        ) from error
    except CloudRefused as error:
        error.remedy = error.remedy or _REMEDIES.get(error.status)
        raise


async def _register_v2(
    http: CloudHttp, applicant: Applicant, key: Secret, crypto: Crypto
) -> Joined:
    asked = KeyExchangeRequest(device_uuid=applicant.uuid, provisioning_api_key=key)
    try:
        first = await _post_v2(http, "key-exchange", asked.to_wire())
    except CloudRefused as error:
        if error.status != 404:
            raise
        raise NoSuchDialect(http) from error
    parse_key_exchange_reply(first.body)
    private_key = {"private_key_pem": applicant.private_key_pem.reveal()}
    pair = await crypto("public-key", private_key)
    second = await _post_v2(
        http,
        "key-exchange",
        replace(asked, device_public_key=pair["public_key_pem"]).to_wire(),
    )
    exchange = parse_key_exchange_reply(second.body)
    sealed = await _seal(exchange, applicant, key, crypto)
    signed = await crypto("sign-pss", {"message": sealed, **private_key})
    request = RegisterRequest(
        encrypted_payload=sealed, key_id=exchange.key_id, signature=signed["signature"]
    )
    reply = await _post_v2(http, "register", request.to_wire())
    body = await _opened(reply.body, private_key, crypto)
    return replies.joined_v2(body, uuid=applicant.uuid, asked=http.endpoint.base)


async def _seal(
    exchange: KeyExchangeReply, applicant: Applicant, key: Secret, crypto: Crypto
) -> str:
    said = RegistrationPlaintext(
        device_uuid=applicant.uuid,
        provisioning_api_key=key,
        device_name=applicant.device_name,
        device_type=applicant.device_type,
        mac_address=applicant.mac_address or None,
        os_version=applicant.os_version or None,
        agent_version=applicant.agent_version or None,
        architecture=applicant.architecture or None,
        nonce=secrets.token_hex(16),
        challenge=exchange.challenge,
        # Credentials that only we can read, also where TLS ends before the cloud.
        reply_encryption=REPLY_ENCRYPTION_JWE,
    )
    try:
        sealed = await crypto(
            "wrap-jwe",
            {
                "plaintext": canonical_json(said.to_wire()).decode(),
                "public_key_pem": exchange.api_public_key,
                "kid": exchange.key_id,
            },
        )
    except CryptoRefused as error:
        raise CloudUnavailable("the cloud's public key cannot be used", code="bad-reply") from error
    jwe: str = sealed["jwe"]
    return jwe


async def _opened(body: Any, private_key: Mapping[str, str], crypto: Crypto) -> Any:
    """The reply itself, where it came encrypted to our key."""
    sealed = encrypted_reply(body)
    if sealed is None:
        return body
    try:
        opened = await crypto("unwrap-jwe", {"jwe": sealed, **private_key})
    except CryptoRefused as error:
        raise CloudUnavailable(
            "the cloud's answer was encrypted for somebody else", code="bad-reply"
        ) from error
    return decode_json(opened["plaintext"].encode(), at="reply", bytes_max=REPLY_BYTES_MAX)


async def _post_v2(http: CloudHttp, name: str, body: Mapping[str, Any]) -> Reply:
    return await http.request(
        "POST",
        f"/provisioning/v2/{name}",
        body=body,
        versioned=False,
        purpose=PURPOSE,
        reply_bytes_max=REPLY_BYTES_MAX,
    )


async def _register_o1(http: CloudHttp, applicant: Applicant, key: Secret) -> Joined:
    own_key = own_api_key(applicant)
    said: dict[str, str | None] = {
        "uuid": applicant.uuid,
        "deviceName": applicant.device_name,
        "deviceType": applicant.device_type,
        "deviceApiKey": own_key.reveal(),
        "applicationId": applicant.application_id,
        "macAddress": applicant.mac_address,
        "osVersion": applicant.os_version,
        "agentVersion": applicant.agent_version,
    }
    try:
        reply = await http.request(
            "POST",
            "/device/register",
            body={name: value for name, value in said.items() if value},
            bearer=key,
            purpose=PURPOSE,
            reply_bytes_max=REPLY_BYTES_MAX,
        )
    except CloudRefused as error:
        if error.status != 404:
            raise
        raise NoSuchDialect(http) from error
    return replies.joined_o1(
        reply.body, uuid=applicant.uuid, asked=http.endpoint.base, api_key=own_key
    )


def own_api_key(applicant: Applicant) -> Secret:
    """The API key that a device makes itself in the older dialect: 64 hex digits.

    Drawn from the device's own secret, so that it is the same in every repeat without having to
    be stored before the first.
    """
    key = bytes.fromhex(applicant.hash_key.reveal())
    return Secret(keyed_hex(key, {"purpose": "device-api-key", "uuid": applicant.uuid}))


async def prove(http: CloudHttp, link: CloudLink, uuid: str) -> None:
    """Use the credentials once: returns when the cloud answered an authenticated request."""
    if link.dialect is Dialect.O1:
        await http.request(
            "POST",
            f"/device/{uuid}/key-exchange",
            body={"uuid": uuid, "deviceApiKey": link.api_key.reveal()},
            bearer=link.api_key,
            purpose=PURPOSE,
            reply_bytes_max=REPLY_BYTES_MAX,
        )
    await http.request("GET", f"/device/{uuid}/state", device_key=link.api_key, purpose=PURPOSE)


async def say_farewell(http: CloudHttp, link: CloudLink, uuid: str) -> None:
    """Tell the cloud that the device left; it revokes the key."""
    await http.request(
        "POST", f"/device/{uuid}/deprovision", device_key=link.api_key, purpose=PURPOSE
    )


def candidates(
    link: CloudLink | None, *, endpoint: str | None, ca_cert: str | None, allow_insecure: bool
) -> Iterator[CloudLink]:
    """The links over which fresh credentials may work, the likeliest first.

    The cloud says where it wants to be asked, and by which authority; where that does not work
    (a name that only its own network knows), what it was joined with does. An address of this
    machine counts only where it was joined at such a one.
    """
    seen: list[CloudLink] = []
    asked = replace(link, endpoint=endpoint, ca_cert=ca_cert) if link and endpoint else None
    for candidate in (link, asked):
        if candidate is None or candidate in seen:
            continue
        try:
            parsed = parse_endpoint(candidate.endpoint, allow_insecure=allow_insecure)
        except InvalidField:
            continue
        if candidate is link and asked and parsed.loopback and not _is_local(asked.endpoint):
            continue
        seen.append(candidate)
        yield candidate


def _is_local(endpoint: str) -> bool:
    try:
        return parse_endpoint(endpoint, allow_insecure=True).loopback
    except InvalidField:
        return False

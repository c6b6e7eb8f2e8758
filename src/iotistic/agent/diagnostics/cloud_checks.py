"""The way to the cloud: its name, its certificate, what it says, whether it knows this device."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from iotistic.agent.diagnostics.check import (
    CheckVerdict,
    Finding,
    failed,
    ok,
    skipped,
    told,
    warning,
)
from iotistic.agent.trust import make_ssl_context, no_trust, normalize_pem
from iotistic.agent.validity import Validity, fetch_validity, read_validity
from iotistic.model.words import ConnectionState

if TYPE_CHECKING:
    from iotistic.agent.api.rooms import Rooms

EXPIRES_SOON_DAYS = 21
_NO_CLOUD = "this device is in no cloud"
_RESOLVER = Path("/etc/resolv.conf")
_SERVER = re.compile(r"^\s*nameserver\s+(\S+)", re.MULTILINE)
_SHOWN_MAX = 5


async def check_credentials(rooms: Rooms) -> Finding:
    """The cloud let this device in."""
    status = rooms.provisioning.status()
    if status.error is not None:
        return told(status.error)
    phase = str(status.phase)
    if status.provisioned:
        return ok(f"{phase} at {status.endpoint}", phase=phase, device_id=status.device_id)
    if status.has_key:
        return warning(f"{phase}: joining {status.endpoint}", None, phase=phase)
    return skipped(f"{phase}: {_NO_CLOUD}", "iotctl provision --api URL", phase=phase)


async def check_cloud(rooms: Rooms) -> Finding:
    """The cloud answers."""
    cloud = rooms.cloud.status()
    if cloud is None:
        return skipped(_NO_CLOUD)
    state = str(cloud.state)
    if cloud.state is ConnectionState.ONLINE:
        return ok("online", state=state, last_contact_at=cloud.last_contact_ms)
    bad = cloud.state is ConnectionState.OFFLINE
    if cloud.error is not None:
        return told(cloud.error, CheckVerdict.FAILED if bad else CheckVerdict.WARNING)
    say = failed if bad else warning
    return say(state, None, state=state, last_contact_at=cloud.last_contact_ms)


async def check_dns(rooms: Rooms) -> Finding:
    """The cloud's name means an address."""
    where = endpoint_of(rooms)
    if where is None:
        return skipped(_NO_CLOUD)
    host, port = where.hostname or "", port_of(where)
    if _is_address(host):
        return ok(f"{host} is an address, no name is looked up", host=host)
    servers = await asyncio.to_thread(_servers)
    started_s = rooms.clock.now_s()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        asked = ", ".join(servers) or "none"
        return failed(
            f"{host} means no address: {error.strerror} (servers asked: {asked})",
            "see that the network is up and /etc/resolv.conf names a server that answers",
            host=host,
            servers=servers,
        )
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:_SHOWN_MAX]
    return ok(
        f"{host} is {', '.join(addresses)}",
        host=host,
        addresses=addresses,
        servers=servers,
        took_ms=round((rooms.clock.now_s() - started_s) * 1000),
    )


async def check_tls(rooms: Rooms) -> Finding:
    """The cloud's certificate is trusted from here, and for some time to come."""
    where = endpoint_of(rooms)
    if where is None:
        return skipped(_NO_CLOUD)
    origin = f"{where.scheme}://{where.netloc}"
    if where.scheme != "https":
        return skipped(f"{origin} is spoken to without TLS", origin=origin)
    link = rooms.store.identity.cloud
    ca = (link.ca_cert if link else None) or rooms.store.identity.provisioning_ca_cert
    context = make_ssl_context(normalize_pem(ca) if ca else None)
    try:
        _, writer = await asyncio.open_connection(where.hostname, port_of(where), ssl=context)
    except ssl.SSLError as error:
        in_doubt = rooms.wall_clock.problem is not None
        found = no_trust(
            error,
            origin,
            wall_ms=rooms.clock.wall_ms(),
            clock_in_doubt=in_doubt,
            valid=await fetch_validity(origin),
        )
        return told(found)
    except OSError as error:
        return failed(
            f"no connection to {origin}: {error.strerror or error}",
            "see the checks dns and cloud",
            origin=origin,
        )
    try:
        tls = writer.get_extra_info("ssl_object")
        return judge_certificate(
            origin,
            tls.getpeercert(),
            read_validity(tls.getpeercert(binary_form=True) or b""),
            now=datetime.fromtimestamp(rooms.clock.wall_ms() / 1000, UTC),
            version=tls.version() or "",
            authority="its own, given to this device" if ca else "of this machine",
        )
    finally:
        writer.transport.abort()


def judge_certificate(
    origin: str,
    certificate: dict[str, object],
    validity: Validity | None,
    *,
    now: datetime,
    version: str,
    authority: str,
) -> Finding:
    """What a trusted certificate's dates mean (pure)."""
    facts: dict[str, str | int] = {
        "origin": origin,
        "subject": _name(certificate.get("subject")),
        "issuer": _name(certificate.get("issuer")),
        "version": version,
        "authorities": authority,
    }
    if validity is None:
        return ok(f"the certificate of {origin} is trusted", **facts)
    left = validity.ends - now
    facts |= {"valid": str(validity), "days_left": left.days}
    if left < timedelta(days=EXPIRES_SOON_DAYS):
        return warning(
            f"the certificate of {origin} expires in {max(0, left.days)} days"
            f" ({validity.ends:%Y-%m-%d})",
            "renew it in the cloud; afterwards no device with a right clock would trust it",
            **facts,
        )
    return ok(f"the certificate of {origin} is trusted until {validity.ends:%Y-%m-%d}", **facts)


async def check_mqtt(rooms: Rooms) -> Finding:
    """The broker is reached; not used by this version, which speaks HTTP alone."""
    given = rooms.store.identity.mqtt is not None
    return skipped(
        "this version does not use MQTT"
        + ("; the cloud gave credentials for it, which are kept" if given else ""),
        credentials=given,
    )


def endpoint_of(rooms: Rooms) -> SplitResult | None:
    """Where the cloud is that this device is in or joins."""
    endpoint = rooms.provisioning.status().endpoint
    return urlsplit(endpoint) if endpoint else None


def port_of(where: SplitResult) -> int:
    """The port that is meant."""
    return where.port or (443 if where.scheme == "https" else 80)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _servers() -> list[str]:
    try:
        with _RESOLVER.open(encoding="utf-8", errors="replace") as file:
            return _SERVER.findall(file.read(64 * 1024))[:_SHOWN_MAX]
    except OSError:
        return []


def _name(found: object) -> str:
    """A certificate's name as `commonName`, or whatever comes first."""
    pairs = [pair for part in found for pair in part] if isinstance(found, tuple) else []
    names = dict(pairs)
    return str(names.get("commonName") or next(iter(names.values()), ""))[:200]

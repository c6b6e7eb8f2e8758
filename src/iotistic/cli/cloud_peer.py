"""The way to the cloud: TLS that verifies, or plain HTTP to this machine."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from urllib.parse import SplitResult, urlsplit

from iotistic.cli.device_peer import tcp_connect
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.fleet_file import Login
from iotistic.cli.http_client import Connect, Deadline, Peer

_REMEDIES = {
    "login-needed": "log in again: iotctl fleet login",
    "wrong-login": "check name and password",
    "changed-meanwhile": "somebody else saved a target; get it, look, and try again",
}


def check_url(url: str) -> str:
    """The address of a cloud as it is kept: scheme, host, port, and a path without `/api`."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise _wrong("expected an address such as https://cloud.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise _wrong("expected an address without user, query or fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise _wrong("expected https, or http to this machine")
    path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def make_cloud_peer(login: Login) -> Peer:
    """Whom `login` means."""
    parts = urlsplit(check_url(login.url))
    host = parts.hostname or ""
    if parts.scheme == "https":
        connect = _tls_connect(host, parts.port or 443, login.ca_cert)
    else:
        connect = tcp_connect(host, parts.port or 80)
    token = login.token.reveal() if login.token else ""
    if not (token.isascii() and token.isprintable()):
        raise Failure("the token holds what no token holds", ExitCode.USAGE)
    return Peer(
        what=f"the cloud at {parts.netloc}",
        connect=connect,
        host=parts.netloc,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        start_it="check the address and the network; on its machine: iotistic-cloud",
        remedies=_REMEDIES,
        prefix=f"{parts.path}/api/v1",
    )


def _tls_connect(host: str, port: int, ca_cert: str | None) -> Connect:
    try:
        context = ssl.create_default_context(cadata=ca_cert)
    except (ssl.SSLError, ValueError) as error:
        raise Failure("--ca: expected a certificate as PEM text", ExitCode.USAGE) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_cert is not None:
        # What was given is an anchor, even where it did not sign itself.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN

    def connect(deadline: Deadline) -> socket.socket:
        plain = socket.create_connection((host, port), timeout=deadline.remaining_s())
        try:
            plain.settimeout(deadline.remaining_s())
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    return connect


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(expected: str) -> Failure:
    return Failure(f"the cloud's address: {expected}", ExitCode.USAGE, code="invalid-field")

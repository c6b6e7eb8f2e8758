"""The way to the agent: its Unix socket, or TCP with its token."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import Connect, Deadline, Peer
from iotistic.cli.state_folder import (
    CREDENTIAL_FILE,
    PORT_FILE,
    SOCKET,
    StateFolder,
    find_state_folder,
)

DEFAULT_PORT = 48484
_SMALL_FILE_BYTES_MAX = 4096
_SUN_PATH_MAX = 100
_START_IT = "see that the agent runs (systemctl status iotistic-agent)"
_REMEDIES = {
    "unauthorized": "the token must be that of this agent: give its folder with --state-dir, "
    "or set DEVICE_API_TOKEN",
}


def find_agent(
    env: Mapping[str, str], *, state_dir: str | None, api_url: str | None, cwd: Path
) -> Peer:
    """The agent that is meant: an address if one is given, else the socket, else the port."""
    folder = find_state_folder(state_dir, env, cwd=cwd)
    url = api_url or (None if state_dir else env.get("DEVICE_API_URL"))
    if url:
        host, port = _parse_url(url)
        return _tcp_peer(host, port, _token(env, folder))
    path = folder.path / SOCKET
    if _is_socket(path):
        return _unix_peer(path)
    if (found := _port(env, folder)) is not None:
        return _tcp_peer("127.0.0.1", found, _token(env, folder))
    raise Failure(
        f"no agent found in {folder.path}" + (f" ({folder.note})" if folder.note else ""),
        ExitCode.UNREACHABLE,
        code="agent-not-found",
        remedy=f"{_START_IT}, or name its folder with --state-dir",
    )


def _unix_peer(path: Path) -> Peer:
    def connect(deadline: Deadline) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(deadline.remaining_s())
        try:
            _connect_unix(sock, path)
        except PermissionError as error:
            sock.close()
            raise Failure(
                f"{path} may not be opened by this user",
                ExitCode.REFUSED,
                code="socket-not-allowed",
                remedy="run it as the user of the agent, or with sudo",
            ) from error
        except OSError:
            sock.close()
            raise
        return sock

    # Which agent it is does not depend on the Host header here; any loopback name will do.
    return Peer(what="the agent", connect=connect, host="localhost", start_it=_START_IT)


def _connect_unix(sock: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= _SUN_PATH_MAX:
        sock.connect(str(path))
        return
    # An address of a Unix socket has room for 108 bytes; a long way is gone by a descriptor.
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _tcp_peer(host: str, port: int, token: str | None) -> Peer:
    return Peer(
        what=f"the agent at {host}:{port}",
        connect=tcp_connect(host, port),
        host=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        start_it=_START_IT,
        remedies=_REMEDIES,
    )


def tcp_connect(host: str, port: int) -> Connect:
    """Opens a TCP connection within the deadline."""

    def connect(deadline: Deadline) -> socket.socket:
        return socket.create_connection((host, port), timeout=deadline.remaining_s())

    return connect


def _parse_url(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if parts is None or parts.scheme != "http" or not host or parts.username is not None:
        raise Failure(
            "--api-url: expected an address such as http://127.0.0.1:48484",
            ExitCode.USAGE,
            code="invalid-field",
        )
    if host != "localhost" and not host.startswith("127.") and host != "::1":
        raise Failure(
            f"--api-url: {host} is another machine, and the token would travel readable",
            ExitCode.USAGE,
            code="not-loopback",
            remedy="run iotctl there, or forward the port (ssh -L 48484:127.0.0.1:48484)",
        )
    return host, port or DEFAULT_PORT


def wanted_port(env: Mapping[str, str]) -> int:
    """The port that an agent with this environment would listen at."""
    given = env.get("DEVICE_API_PORT", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else DEFAULT_PORT


def _port(env: Mapping[str, str], folder: StateFolder) -> int | None:
    if text := _small_file(folder.path / PORT_FILE):
        try:
            port = json.loads(text)["port"]
        except (ValueError, KeyError, TypeError):
            port = None
        if isinstance(port, int):
            return port
    given = env.get("DEVICE_API_PORT", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else None


def _token(env: Mapping[str, str], folder: StateFolder) -> str | None:
    token = env.get("DEVICE_API_TOKEN") or _small_file(folder.path / CREDENTIAL_FILE)
    token = token.strip() if token else ""
    # A line end in it would be a header of its own.
    return token if token.isascii() and token.isprintable() and token else None


def _small_file(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_SMALL_FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return None


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except PermissionError:
        return True  # connecting will say what is missing
    except OSError:
        return False

"""The files by which clients find the API, and the socket: for the agent's user alone."""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from iotistic.agent.host.files import OWNER_ONLY, durable_write
from iotistic.model.errors import Conflict
from iotistic.model.secret import Secret
from iotistic.model.state_folder import ACCESS_FILE, PORT_FILE, SOCKET_FILE

HOST = "127.0.0.1"
__all__ = ["ACCESS_FILE", "PORT_FILE", "SOCKET_FILE"]
_TOKEN_BYTES = 32
_TOKEN = re.compile(rb"[0-9a-f]{64}\n?")
_BACKLOG = 64


def load_token(folder: Path) -> Secret:
    """The token that is there, or a new one; durable when it returns. Blocks; raises OSError.

    One that others could have read, or that is not ours, is replaced: they may have read it.
    """
    path = folder / ACCESS_FILE
    found = _read_private(path)
    if found is not None and _TOKEN.fullmatch(found):
        return Secret(found.decode().strip())
    token = secrets.token_hex(_TOKEN_BYTES)
    durable_write(path, f"{token}\n".encode())
    return Secret(token)


def _read_private(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        private = not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        ours = found.st_uid == os.geteuid() and stat.S_ISREG(found.st_mode)
        return file.read(100) if private and ours else None


def write_port(folder: Path, port: int) -> None:
    """Tell clients where TCP listens. Blocks; raises OSError."""
    content = {"host": HOST, "port": port, "pid": os.getpid()}
    durable_write(folder / PORT_FILE, msgspec.json.encode(content) + b"\n")


def remove_port(folder: Path) -> None:
    """Nobody listens any more, or not yet."""
    (folder / PORT_FILE).unlink(missing_ok=True)


def listen_on_tcp(port: int) -> socket.socket:
    """A socket that listens on loopback; raises Conflict (`port-in-use`) or OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections of the agent before this one linger for minutes; they must not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((HOST, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise Conflict(
            f"the Device API cannot listen on {HOST}:{port}: {error.strerror}",
            code="port-in-use",
            remedy="stop what uses that port, or set DEVICE_API_PORT and restart the agent; "
            "until then iotctl uses the socket",
        ) from error
    return sock


def listen_on_unix(folder: Path) -> socket.socket:
    """The socket `agent.sock`, mode 0600, in the place of one that a dead agent left.

    Raises Conflict (`socket-in-use`) when somebody answers there, or OSError.
    """
    path, new = folder / SOCKET_FILE, folder / f".{SOCKET_FILE}.new"
    with _short(folder) as short:
        _check_stale(path, short / SOCKET_FILE)
        new.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The mode of the file that bind makes is that of the socket, less the umask: set
            # before, there is no moment at which others could connect.
            os.fchmod(sock.fileno(), OWNER_ONLY)
            sock.setblocking(False)
            sock.bind(str(short / new.name))
            new.chmod(OWNER_ONLY)
            sock.listen(_BACKLOG)
            # Under its name from the first moment on there is one that answers.
            new.rename(path)
        except OSError:
            sock.close()
            raise
    return sock


def remove_socket(folder: Path, sock: socket.socket) -> None:
    """Close the socket, then take its name away."""
    sock.close()
    (folder / SOCKET_FILE).unlink(missing_ok=True)


def _check_stale(path: Path, short: Path) -> None:
    """Raise Conflict unless nothing is there, or a socket at which nobody answers."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(
            f"{path} is there and is no socket",
            code="socket-in-use",
            remedy=f"move {path} away; TCP can be used until then",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(short))
        except (ConnectionRefusedError, FileNotFoundError):
            return
    raise Conflict(
        f"somebody answers at {path}",
        code="socket-in-use",
        remedy="is another agent at work in this folder? TCP can be used until then",
    )


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """A name for the folder that is never too long for an address (108 bytes, unix(7))."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)

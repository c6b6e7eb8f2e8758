"""The operator's login: which cloud, and the token of the session. Kept 0600."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from iotistic.cli.failure import ExitCode, Failure
from iotistic.model.secret import Secret

_NAME = "iotistic/fleet.json"
_BYTES_MAX = 256 * 1024
_LOG_IN = "log in: iotctl fleet login URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A cloud and what lets us in. `ca_cert` (PEM) is trusted instead of the system's."""

    url: str
    token: Secret | None = None
    ca_cert: str | None = None
    user: str = ""


def login_path(env: Mapping[str, str]) -> Path:
    """Where the login is kept."""
    base = env.get("XDG_CONFIG_HOME") or ""
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / _NAME


def known_login(env: Mapping[str, str]) -> Login | None:
    """The cloud that is meant, with or without a token.

    A token that was kept goes to the cloud that gave it, and to no other one.
    """
    url = env.get("IOTISTIC_CLOUD_URL", "").rstrip("/")
    is_whole = url and env.get("IOTISTIC_CLOUD_TOKEN")
    kept = None if is_whole else load_login(login_path(env))
    if url:
        kept = kept if kept is not None and kept.url == url else Login(url=url)
    if kept is None:
        return None
    if token := env.get("IOTISTIC_CLOUD_TOKEN"):
        kept = replace(kept, token=Secret(token.strip()), user="")
    ca_file = env.get("IOTISTIC_CLOUD_CA")
    return replace(kept, ca_cert=read_ca(ca_file, "IOTISTIC_CLOUD_CA")) if ca_file else kept


def current_login(env: Mapping[str, str]) -> Login:
    """The login to work with. Raises Failure when there is none."""
    login = known_login(env)
    if login is None or not login.token:
        raise Failure(
            "nobody is logged in to a cloud here",
            ExitCode.REFUSED,
            code="login-needed",
            remedy=f"{_LOG_IN}, or set IOTISTIC_CLOUD_URL and IOTISTIC_CLOUD_TOKEN",
        )
    return login


def read_ca(ca_file: str, at: str) -> str:
    """A certificate from a file, which `at` named."""
    try:
        with Path(ca_file).open(encoding="ascii") as file:
            return file.read(_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{at}: {ca_file} cannot be read", ExitCode.USAGE) from error


def load_login(path: Path) -> Login | None:
    """The login that was kept, or None. Raises Failure when others could have read it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise Failure(
            f"{path} can be read by others, and holds a login",
            ExitCode.REFUSED,
            code="login-readable",
            remedy=f"log in anew (iotctl fleet login), or chmod 600 {path} if nobody saw it",
        )
    try:
        found = json.loads(raw)
        return Login(
            url=str(found["url"]),
            token=Secret(str(found["token"])),
            ca_cert=found.get("caCert"),
            user=str(found.get("user", "")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path} is damaged", code="login-damaged", remedy=_LOG_IN) from error


def save_login(path: Path, login: Login) -> None:
    """Keep a login; the file is the old one or the new one, never half, and 0600 from the start."""
    document = {
        "url": login.url,
        "token": login.token.reveal() if login.token else "",
        "caCert": login.ca_cert,
        "user": login.user,
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
        Path(name).replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error


def forget_login(path: Path) -> None:
    """Nobody is logged in any more."""
    path.unlink(missing_ok=True)

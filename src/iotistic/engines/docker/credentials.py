"""Logins for registries, read from a file as Docker's own client writes it (`config.json`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from iotistic.engines.protocol import Credentials
from iotistic.model.errors import InvalidField
from iotistic.model.image import DEFAULT_HOST
from iotistic.model.reader import Fields, decode_json
from iotistic.model.secret import Secret

_FILE_BYTES_MAX = 1024 * 1024
_ALIASES_OF_DEFAULT = ("index.docker.io", "registry-1.docker.io", "docker.io")


def registry_logins(environment: Mapping[str, str]) -> dict[str, Credentials]:
    """The logins of REGISTRY_AUTH_FILE, else of `config.json` in DOCKER_CONFIG, by registry host.

    None of both set, or only the second's file missing: no logins. Raises InvalidField for a
    file that cannot be read, without showing any of it.
    """
    if named := environment.get("REGISTRY_AUTH_FILE"):
        return read_logins(Path(named), setting="REGISTRY_AUTH_FILE")
    if folder := environment.get("DOCKER_CONFIG"):
        path = Path(folder) / "config.json"
        return read_logins(path, setting="DOCKER_CONFIG") if path.exists() else {}
    return {}


def read_logins(path: Path, *, setting: str) -> dict[str, Credentials]:
    """The logins of one file. Credential helpers are programs, and are not run."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidField(setting, expected="a readable file", found=str(path)) from error
    try:
        return _logins(decode_json(content, at=setting, bytes_max=_FILE_BYTES_MAX), setting)
    except InvalidField as error:
        # Without its finding, whatever that is: this is a file of passwords.
        raise InvalidField(error.path, expected=error.expected, secret=True) from None


def _logins(body: object, setting: str) -> dict[str, Credentials]:
    logins = {}
    for server, entry in Fields(body, setting).mapping("auths").items():
        login = _login(Fields(entry, f"{setting}.auths[{server}]"))
        if login is not None:
            logins[registry_host(server)] = login
    return logins


def registry_host(server: str) -> str:
    """The host under which images name the registry that a login is for.

    Keys are hosts or old-style addresses such as `https://index.docker.io/v1/`.
    """
    host = urlsplit(server).netloc if "://" in server else server.partition("/")[0]
    return DEFAULT_HOST if host in _ALIASES_OF_DEFAULT else host


def auth_header(login: Credentials, host: str) -> str:
    """The value of X-Registry-Auth."""
    server = "https://index.docker.io/v1/" if host == DEFAULT_HOST else host
    body = {
        "username": login.username,
        "password": login.password.reveal(),
        "serveraddress": server,
    }
    return base64.urlsafe_b64encode(msgspec.json.encode(body)).decode("ascii")


def _login(fields: Fields) -> Credentials | None:
    packed = fields.optional_text("auth", secret=True)
    if packed is None:
        username = fields.optional_text("username", secret=True)
        password = fields.optional_text("password", secret=True)
        if not username or not password:
            return None
        return Credentials(username=username, password=Secret(password))
    try:
        text = base64.b64decode(packed, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidField(
            fields.path("auth"), expected="user:password in base64", secret=True
        ) from error
    username, _, password = text.partition(":")
    if not username:
        return None
    return Credentials(username=username, password=Secret(password.rstrip("\0")))

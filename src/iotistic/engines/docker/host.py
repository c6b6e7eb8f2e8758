"""Where the engine is and how to speak to it: `DOCKER_HOST` and its companions."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from iotistic.model.errors import InvalidField

DEFAULT_URL = "unix:///var/run/docker.sock"
_TLS_PORT = 2376
_PLAIN_PORT = 2375


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerHost:
    """An engine's address: `unix:///path`, `http://host:port` or `https://host:port`."""

    url: str = DEFAULT_URL
    tls: ssl.SSLContext | None = field(default=None, compare=False)


def docker_host(environment: Mapping[str, str]) -> DockerHost:
    """Read DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH as Docker's own client does.

    Raises InvalidField for an address or certificates that cannot be used. With TLS the engine's
    certificate is always verified.
    """
    url = environment.get("DOCKER_HOST") or DEFAULT_URL
    expected = "unix:///path, tcp://host:port or https://host:port"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidField("DOCKER_HOST", expected=expected, found=url) from error
    if parts.scheme == "unix" and parts.path.startswith("/"):
        return DockerHost(url=f"unix://{parts.path}")
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise InvalidField("DOCKER_HOST", expected=expected, found=url)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.scheme == "https" or environment.get("DOCKER_TLS_VERIFY"):
        tls = _tls(environment.get("DOCKER_CERT_PATH"))
        return DockerHost(url=f"https://{name}:{port or _TLS_PORT}", tls=tls)
    return DockerHost(url=f"http://{name}:{port or _PLAIN_PORT}")


def _tls(folder: str | None) -> ssl.SSLContext:
    if folder is None:
        return ssl.create_default_context()
    path = Path(folder)
    try:
        context = ssl.create_default_context(cafile=str(path / "ca.pem"))
        context.load_cert_chain(str(path / "cert.pem"), str(path / "key.pem"))
    except (OSError, ssl.SSLError) as error:
        raise InvalidField(
            "DOCKER_CERT_PATH",
            expected="a folder with ca.pem, cert.pem and key.pem",
            found=folder,
        ) from error
    return context

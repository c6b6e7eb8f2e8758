"""Image references: `[host/]path[:tag][@digest]`.

Source: the grammar of the distribution reference package; defaults `docker.io`, `library/` and
`latest` as Docker applies them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iotistic.model.errors import InvalidField

DEFAULT_HOST = "docker.io"
_REFERENCE_LENGTH_MAX = 512
_HOST = r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ImageRef:
    """One image reference in normal form: host and path are always whole."""

    host: str
    path: str
    tag: str | None
    digest: str | None

    @property
    def canonical(self) -> str:
        """Host, path and what pins it: the digest where there is one, else the tag."""
        return f"{self.host}/{self.path}{self._pin}"

    @property
    def familiar(self) -> str:
        """As Docker lists it: without the default host and its `library/`."""
        if self.host != DEFAULT_HOST:
            return self.canonical
        return f"{self.path.removeprefix('library/')}{self._pin}"

    @property
    def repository(self) -> str:
        """Host and path alone."""
        return f"{self.host}/{self.path}"

    @property
    def _pin(self) -> str:
        # With a digest the tag is decoration: the digest alone says which image it is.
        return f"@{self.digest}" if self.digest else f":{self.tag}"

    def __str__(self) -> str:
        return self.familiar


def parse_image(text: object, *, at: str) -> ImageRef:
    """Read a reference; raises InvalidField for what Docker would not take either."""
    expected = "an image reference such as registry.example/team/web:1.4"
    if not isinstance(text, str) or len(text) > _REFERENCE_LENGTH_MAX:
        raise InvalidField(at, expected=expected, found=text)
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise InvalidField(at, expected=expected, found=text)
    host, path = match["host"], match["path"]
    if host is not None and not _is_host(host):
        host, path = None, f"{host}/{path}"
    if host in (None, "index.docker.io", "registry-1.docker.io"):
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    digest = match["digest"]
    tag = match["tag"] or (None if digest else "latest")
    return ImageRef(host=host, path=path, tag=tag, digest=digest)


def _is_host(text: str) -> bool:
    # "team/web" is a path on the default host; "host.example/web", "host:5000/web" and
    # "localhost/web" name a host. Docker's own rule.
    return "." in text or ":" in text or text == "localhost" or text != text.lower()

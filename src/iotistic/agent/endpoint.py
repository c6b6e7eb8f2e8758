"""Where a cloud is: the rules for its address, and how long it asks to be left alone (pure)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from iotistic.model.errors import InvalidField

API_VERSION = "v1"
RETRY_AFTER_S_MAX = 3600.0
_LENGTH_MAX = 2048


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A cloud's address, checked. `origin` is scheme, host and port; `base` ends in `/api`.

    `secure`: over TLS. `loopback`: on this machine.
    """

    origin: str
    base: str
    secure: bool
    loopback: bool

    def versioned(self, path: str, version: str = API_VERSION) -> str:
        """The URL of a path of the versioned API, such as `/device/{uuid}/state`."""
        return f"{self.base}/{version}{path}"

    def plain(self, path: str) -> str:
        """The URL of a path without a version, such as `/provisioning/v2/register`."""
        return f"{self.base}{path}"


def parse_endpoint(
    text: str, *, allow_insecure: bool = False, at: str = "CLOUD_API_ENDPOINT"
) -> Endpoint:
    """Check a cloud's address; raises InvalidField for `at`.

    A trailing `/api` is kept, else it is appended. Plain HTTP goes to this machine only, unless
    `allow_insecure`: a provisioning key and every later credential would travel readable.
    """
    found = text.strip()
    parts = None
    try:
        if len(found) <= _LENGTH_MAX and found.isprintable():
            parts = urlsplit(found)
            _ = parts.port  # raises for a port that is none
    except ValueError:
        parts = None
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or any(character.isspace() for character in found)
    ):
        raise InvalidField(at, expected="an address such as https://cloud.example.com", found=found)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # Said without the address: what stands there may be a password.
        raise InvalidField(
            at, expected="an address without user, query or fragment", found=text, secret=True
        )
    loopback = is_loopback(parts.hostname)
    if parts.scheme == "http" and not allow_insecure and not loopback:
        raise InvalidField(
            at,
            expected="https, or http to this machine",
            found=found,
            remedy="use https; on a network you trust set ALLOW_INSECURE_CLOUD=true",
        )
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    if not path.endswith("/api"):
        path += "/api"
    return Endpoint(
        origin=origin, base=origin + path, secure=parts.scheme == "https", loopback=loopback
    )


def is_loopback(host: str) -> bool:
    """Whether this host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after_s(value: str | None, *, date: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` of seconds or of a date; None when it says nothing.

    A date is compared with the reply's own `Date`, since the device's clock may be wrong; without
    one it says nothing. At most an hour: one clumsy answer must not silence a device for a year.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_S_MAX)
    until, now = http_date(text), http_date(date)
    if until is None or now is None:
        return None
    return min(max(0.0, (until - now).total_seconds()), RETRY_AFTER_S_MAX)


def http_date(text: str | None) -> datetime | None:
    """A date as HTTP has it; None when there is none, or it cannot be read."""
    if text is None:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

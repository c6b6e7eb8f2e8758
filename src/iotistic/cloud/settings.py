"""What can be set about a cloud, checked in one go before anything starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from iotistic.cloud.records.limits import DEFAULT_LIMITS, RecordLimits
from iotistic.model.errors import InvalidField, Refused

DEFAULT_PORT = 48400
DATABASE_NAME = "cloud.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a cloud listens, where its data is, what it tells devices about itself.

    `database`: SQLAlchemy's URL; None is a SQLite file in `data`. `public_url`: how devices reach
    it, where that is not the address it listens on. `mqtt_broker_url`: what devices of the older
    dialect are told; empty for none. `trust_proxy`: believe `X-Forwarded-For` from this machine.
    `keep_…`: days; `rows_per_device` and `megabytes_per_device` are for each class of records.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    mqtt_broker_url: str = ""
    trust_proxy: bool = False
    keep_logs: int = DEFAULT_LIMITS.log_days
    keep_metrics: int = DEFAULT_LIMITS.metric_days
    keep_events: int = DEFAULT_LIMITS.other_days
    rows_per_device: int = DEFAULT_LIMITS.rows_per_device
    megabytes_per_device: int = DEFAULT_LIMITS.megabytes_per_device
    records_per_minute: int = DEFAULT_LIMITS.records_per_minute

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            missing = "--tls-cert" if self.tls_cert is None else "--tls-key"
            raise InvalidField(missing, expected="both --tls-cert and --tls-key, or neither")
        if self.tls_cert is None and not is_loopback(self.host):
            raise Refused(
                f"plain HTTP on {self.host} would let anybody on the way read keys and passwords",
                code="plain-http",
                remedy="give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a TLS proxy",
            )
        if self.public_url is not None:
            _check_url(self.public_url)

    @property
    def scheme(self) -> str:
        """How it is spoken to where it listens."""
        return "http" if self.tls_cert is None else "https"

    @property
    def limits(self) -> RecordLimits:
        """What is kept of devices' records, and how much one may send."""
        return RecordLimits(
            log_days=self.keep_logs,
            metric_days=self.keep_metrics,
            other_days=self.keep_events,
            rows_per_device=self.rows_per_device,
            megabytes_per_device=self.megabytes_per_device,
            records_per_minute=self.records_per_minute,
        )

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL with an async driver."""
        if self.database:
            return self.database
        return f"sqlite+aiosqlite:///{(self.data / DATABASE_NAME).resolve()}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    expected = "an address such as https://cloud.example.com"
    if parts.username or parts.password:
        raise InvalidField("--public-url", expected=expected, found=url, secret=True)
    if not usable or parts.query or parts.fragment:
        raise InvalidField("--public-url", expected=expected, found=url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InvalidField("--public-url", expected="https, or http to this machine", found=url)

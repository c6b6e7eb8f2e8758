"""One version of a target, as operators and as devices see it (pure)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.cloud.errors import ChangedMeanwhile
from iotistic.model.canonical import canonical_json, etag_of, same_etag
from iotistic.model.words import Dialect

NO_VERSION_ETAG = '"0"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A device's newest version, deployed or not. `version` None: it never had one."""

    version: int | None = None
    deployed_version: int | None = None
    deployed_at: int | None = None
    epoch: str | None = None
    body: Mapping[str, Any] = field(repr=False)

    @property
    def etag(self) -> str:
        """By which an operator says on which version a change builds."""
        return NO_VERSION_ETAG if self.version is None else f'"{self.epoch}-{self.version}"'

    @property
    def needs_deployment(self) -> bool:
        """Whether the newest version is staged only."""
        return self.version is not None and self.version != self.deployed_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a device gets: the inner body as JSON, and its ETag."""

    body: bytes = field(repr=False)
    etag: str


def nothing_yet(dialect: str) -> Served:
    """What a device gets before it has a target: nothing to run, and no opinion about it."""
    inner: dict[str, Any] = {"apps": {}, "config": {}}
    if dialect != Dialect.O1:
        inner["version"] = None
    body, etag = encoded(inner)
    return Served(body=body, etag=etag)


def encoded(inner: Mapping[str, Any]) -> tuple[bytes, str]:
    """The inner body as JSON, and the ETag of it."""
    return canonical_json(inner), etag_of(inner)


def check_match(newest: Saved, if_match: str | None) -> None:
    """Raise ChangedMeanwhile when an `If-Match` is not about the newest version."""
    if if_match is None:
        return
    fits = newest.version is not None if if_match.strip() == "*" else False
    if not fits and not any(same_etag(newest.etag, one) for one in if_match.split(",")):
        raise ChangedMeanwhile(
            f"the target is at {newest.etag}, not at {if_match[:80]}",
            remedy="read it again, and make the change on what is there now",
        )


def new_epoch_id() -> str:
    """An id that no former epoch has."""
    return secrets.token_hex(8)

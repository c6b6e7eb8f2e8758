"""How the link to the cloud stands, for the Device API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iotistic.model.errors import IotisticError
from iotistic.model.words import ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """One channel: `poll`, `report` or, once anything was sent, `records`.

    `error` is of the last failure, None after a success. `next_in_s`: None when nothing is to be
    done.
    """

    name: str
    state: ConnectionState
    failures: int
    last_success_ms: int | None
    error: IotisticError | None
    next_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """The whole link: the worst of its channels. Times are wall-clock labels.

    Bytes are counted by purpose (`poll`, `report`), HTTP alone. `latency_ms`: how long the cloud
    took to begin its last answer. `records_refused`: this cloud takes no records, or no log lines;
    they are kept, and it is asked again once an hour. `clock_skew_s`: how far the device's clock is
    behind the cloud's, when it is too far.
    """

    state: ConnectionState
    since_ms: int | None
    last_contact_ms: int | None
    error: IotisticError | None
    channels: tuple[ChannelStatus, ...] = ()
    sent_bytes: Mapping[str, int] = field(default_factory=dict)
    received_bytes: Mapping[str, int] = field(default_factory=dict)
    latency_ms: float | None = None
    records_refused: bool = False
    clock_skew_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What came of a sync that a person asked for.

    `version`: of the target held now. `refusal`: why the newest one that was offered is not it.
    """

    changed: bool
    version: int | None
    state: ConnectionState
    refusal: IotisticError | None = None

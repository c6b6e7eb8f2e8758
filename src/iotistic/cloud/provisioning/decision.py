"""Whether a uuid may register, and as what (pure).

A uuid is no secret: it stands in labels and reports. So one that is known is let in again only
when something shows that it is the same device, or an operator said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iotistic.cloud.clock import HOUR_MS
from iotistic.cloud.devices.records import DeviceState
from iotistic.model.words import Dialect

LOST_REPLY_MS = HOUR_MS


class Admission(StrEnum):
    """How a device is let in."""

    NEW = "new"
    """Never seen: a use of the provisioning key is counted."""
    PROVEN = "proven"
    """The same device, by the key it holds."""
    LOST_REPLY = "lost-reply"
    """The same call again, before anybody used what the first one gave."""
    WINDOW = "window"
    """An operator opened it for one registration."""


class Refusal(StrEnum):
    """Why it is not; the values are the error codes."""

    ALREADY_REGISTERED = "already-registered"
    CHALLENGE_MISSING = "challenge-missing"
    DELETED = "device-deleted"
    DIALECT_DOWNGRADE = "dialect-downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a device that registers again."""

    state: DeviceState
    dialect: Dialect
    registered_at: int
    signs: bool = False
    authenticated_at: int | None = None
    reprovision_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the registration shows. `own_key`: signed by, or (o1) holding, the key on record."""

    dialect: Dialect
    own_key: bool = False
    challenge: bool = False
    signed: bool = False


def admission(known: Known | None, proof: Proof, *, now_ms: int) -> Admission | Refusal:
    """Decide about one registration."""
    if known is None:
        return Admission.NEW
    if known.dialect is Dialect.V2 and proof.dialect is not Dialect.V2:
        return Refusal.DIALECT_DOWNGRADE
    if known.reprovision_until is not None and known.reprovision_until > now_ms:
        return Admission.WINDOW
    if known.state is DeviceState.DELETED:
        return Refusal.DELETED
    if proof.own_key:
        # A signature without the challenge may be a recording.
        fresh = proof.challenge or proof.dialect is Dialect.O1
        return Admission.PROVEN if fresh else Refusal.CHALLENGE_MISSING
    if _may_be_a_lost_reply(known, proof, now_ms):
        return Admission.LOST_REPLY
    return Refusal.ALREADY_REGISTERED


def _may_be_a_lost_reply(known: Known, proof: Proof, now_ms: int) -> bool:
    """A client that cannot sign gets a second reply, while the first is certainly unused."""
    unused = known.authenticated_at is None or known.authenticated_at < known.registered_at
    return (
        unused
        and proof.dialect is Dialect.V2
        and known.dialect is Dialect.V2
        and known.state is DeviceState.REGISTERED
        and not known.signs
        and not proof.signed
        and now_ms - known.registered_at <= LOST_REPLY_MS
    )

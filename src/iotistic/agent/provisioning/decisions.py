"""What provisioning decides: facts in, one value out. No I/O, no clock, no randomness of its own.

The moves between the phases are in `transitions`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from iotistic.agent.backoff import backoff_s
from iotistic.agent.http import CloudRefused
from iotistic.agent.provisioning.settings import DialectChoice
from iotistic.agent.store.records import CloudLink, Identity, ProvisioningPhase
from iotistic.model.errors import IotisticError, Unavailable
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

REFUSED_PAUSE_S = 60.0
_LOCAL_CAUSES = frozenset({"certificate-untrusted", "pin-mismatch"})
_GONE_STATUSES = frozenset({401, 403, 404, 409, 410})


class Task(StrEnum):
    """What there is to do. The order is that of urgency."""

    RESET = "reset"
    """Go on with a factory reset that was begun."""
    JOIN = "join"
    """Key exchange and registration, from the start; the cloud takes a repeat as one."""
    CONFIRM = "confirm"
    """Use the stored credentials once."""
    FAREWELL = "farewell"
    """Tell a cloud that was left."""


RESUME: Mapping[ProvisioningPhase, Task | None] = {  # found at a start -> where we go on
    ProvisioningPhase.NEW: None,  # waits for a key; with one at hand it begins, see `wish_of`
    ProvisioningPhase.PENDING: Task.JOIN,  # asked or not, answered or not: the repeat is safe
    ProvisioningPhase.REGISTERED: Task.CONFIRM,  # the reply is stored whole
    ProvisioningPhase.PROVISIONED: None,
    ProvisioningPhase.DEPROVISIONED: None,  # only another key or a person begins again
}


class Idle(StrEnum):
    """Why a device that is not in a cloud does not try to join one."""

    NO_KEY = "no-provisioning-key"
    NO_ENDPOINT = "no-endpoint"
    KEY_SPENT = "key-spent"
    """The key at hand is the one that was in use when the device left on purpose."""
    JOINED = "joined"
    MACHINE_CHANGED = "machine-changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """To join this cloud with this key."""

    api_key: Secret
    endpoint: str
    ca_cert: str | None = None
    device_name: str | None = None
    device_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the environment offers to join with; parts may be missing."""

    api_key: Secret | None = None
    endpoint: str | None = None
    ca_cert: str | None = None


def wish_of(
    identity: Identity, offer: Offer, *, machine_hash: str = "", database_was_missing: bool = False
) -> Wish | Idle:
    """Whether to join a cloud now, and with what; else why not.

    A deleted database is the field's way to ask for a new registration: it counts where a key is
    at hand. A key that is offered corrects the one of an unfinished attempt, unless it is spent.
    """
    if is_another_machine(identity, machine_hash):
        return Idle.MACHINE_CHANGED
    joined = is_joined(identity)
    if joined and not database_was_missing:
        return Idle.JOINED
    key, spent = offer.api_key, False
    if key is not None and not joined and key_hash(key) == identity.spent_key_hash:
        key, spent = None, True
    known = identity.cloud.endpoint if identity.cloud else None
    if key is not None:
        endpoint = offer.endpoint or identity.provisioning_endpoint or known
        ca_cert = offer.ca_cert or identity.provisioning_ca_cert
    else:
        key = identity.provisioning_api_key
        endpoint, ca_cert = identity.provisioning_endpoint, identity.provisioning_ca_cert
    if key is None:
        return Idle.JOINED if joined else Idle.KEY_SPENT if spent else Idle.NO_KEY
    if not endpoint:
        return Idle.NO_ENDPOINT
    return Wish(api_key=key, endpoint=endpoint, ca_cert=ca_cert)


def tasks(identity: Identity, wish: Wish | Idle, *, resetting: bool) -> tuple[Task, ...]:
    """What there is to do, the most urgent first.

    A farewell waits while the same cloud is being joined again: it would end what just begins.
    """
    if resetting:
        return (Task.RESET,)
    if wish is Idle.MACHINE_CHANGED:
        return ()
    found = [Task.JOIN] if isinstance(wish, Wish) else []
    if identity.phase is ProvisioningPhase.REGISTERED and not found:
        found.append(Task.CONFIRM)
    if identity.farewell and not (found and _returns_to(identity, identity.farewell, wish)):
        found.append(Task.FAREWELL)
    return tuple(found)


def _returns_to(identity: Identity, left: CloudLink, wish: Wish | Idle) -> bool:
    there = wish.endpoint if isinstance(wish, Wish) else None
    if there is None and identity.cloud:
        there = identity.cloud.endpoint
    return there is not None and same_cloud(there, left.endpoint)


def dialects(choice: DialectChoice, spoken: Dialect | None) -> tuple[Dialect, ...]:
    """The dialects to try, in order. A device that spoke v2 never goes down by itself."""
    if choice is DialectChoice.V2:
        return (Dialect.V2,)
    if choice is DialectChoice.O1:
        return (Dialect.O1,)
    return (Dialect.V2,) if spoken is Dialect.V2 else (Dialect.V2, Dialect.O1)


def retry_in_s(error: IotisticError, attempt: int, rng: Random) -> float:
    """Seconds until the next try, after `attempt` failures in a row.

    The cloud's own wish counts as the least; a refusal is asked again slowly, since only a person
    can change the answer. A key that the cloud has just retired is no refusal: start again.
    """
    jitter_s = backoff_s(attempt, rng)
    if isinstance(error, Unavailable):
        return (error.retry_after_s or 0.0) + jitter_s
    if isinstance(error, CloudRefused) and error.status == 410:
        return jitter_s
    return REFUSED_PAUSE_S + jitter_s


def is_told(error: CloudRefused) -> bool:
    """Whether a refused farewell is as good as an accepted one: we are not known there."""
    return error.status in _GONE_STATUSES


def needs_a_person(error: IotisticError) -> bool:
    """Whether the same will come of the next try, until somebody does something about it."""
    return not isinstance(error, Unavailable) or error.code in _LOCAL_CAUSES


def credentials_are_dead(error: IotisticError) -> bool:
    """Whether a refusal of fresh credentials says that they are none (and not just: wait)."""
    return isinstance(error, CloudRefused) and error.status in {401, 404, 410}


def link_in_use(identity: Identity) -> CloudLink | None:
    """The link that may be stored as in use, confirmed or not."""
    out = {ProvisioningPhase.NEW, ProvisioningPhase.DEPROVISIONED}
    link = identity.cloud
    return link if link is not None and link.endpoint and identity.phase not in out else None


def link_for_sync(identity: Identity, *, machine_hash: str = "") -> CloudLink | None:
    """The link to poll and report over; None when there is none that is known to work.

    During a new registration the former link goes on until the new one is stored.
    """
    if identity.phase is ProvisioningPhase.REGISTERED:
        return None
    return None if is_another_machine(identity, machine_hash) else link_in_use(identity)


def is_joined(identity: Identity) -> bool:
    """Whether a cloud let this device in."""
    return identity.phase in {ProvisioningPhase.REGISTERED, ProvisioningPhase.PROVISIONED}


def may_run_services(*, require: bool, identity: Identity, has_target: bool) -> bool:
    """Whether services may run: `require` holds back only a device that never had a target."""
    return not require or has_target or identity.phase is ProvisioningPhase.PROVISIONED


def is_another_machine(identity: Identity, machine_hash: str) -> bool:
    """Whether this state folder was made on another machine: most likely a copied card."""
    return bool(identity.machine_hash and machine_hash and identity.machine_hash != machine_hash)


def key_hash(key: Secret) -> str:
    """What is remembered of a provisioning key: it has 256 random bits, so a plain hash will do."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()


def same_cloud(one: str, other: str) -> bool:
    """Whether two endpoints are one cloud: the same but for the trailing `/api`."""
    return _bare(one) == _bare(other)


def _bare(endpoint: str) -> str:
    return endpoint.rstrip("/").removesuffix("/api").rstrip("/").lower()

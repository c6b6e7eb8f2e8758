"""How the identity changes when a device joins, is let in, or leaves (pure).

A device is known by its phase, which survives a kill:

                 begin                registered              confirmed
    NEW ───────────────▶ PENDING ───────────────▶ REGISTERED ───────────▶ PROVISIONED
     ▲                   ▲  ▲  │    credentials_lost │                      │    │
     │       begin       │  │  └──◀─────────────────┘          begin again  │    │
     │                   │  └───────────────────────────────────────────────┘    │
    reset           DEPROVISIONED ◀──────────────── left ────────────────────────┘
"""

from __future__ import annotations

import math
from dataclasses import replace

from iotistic.agent.provisioning.decisions import (
    Wish,
    key_hash,
    link_in_use,
    same_cloud,
)
from iotistic.agent.provisioning.replies import Joined
from iotistic.agent.store.records import CloudLink, Identity, KeptDeadline, ProvisioningPhase
from iotistic.model.secret import Secret

DAY_S = 24 * 3600
FAREWELL_S = 7 * DAY_S
_BOOT_COST_S = 30


def begin(identity: Identity, wish: Wish, *, spent: str | None = None) -> Identity:
    """The wish is stored, nothing was asked yet. What is in use stays so until the reply."""
    return replace(
        identity,
        phase=ProvisioningPhase.PENDING,
        provisioning_api_key=wish.api_key,
        provisioning_endpoint=wish.endpoint,
        provisioning_ca_cert=wish.ca_cert,
        device_name=wish.device_name or identity.device_name,
        device_type=wish.device_type or identity.device_type,
        spent_key_hash=spent if spent is not None else identity.spent_key_hash,
    )


def given_up(identity: Identity) -> Identity:
    """A new registration was refused: the link that works stays, the attempt is forgotten."""
    return replace(
        identity,
        phase=ProvisioningPhase.PROVISIONED,
        provisioning_api_key=None,
        provisioning_endpoint=None,
        provisioning_ca_cert=None,
    )


def registered(identity: Identity, joined: Joined, *, ca_cert: str | None, now_ms: int) -> Identity:
    """The cloud let us in; `ca_cert` is by which authority it was asked.

    A different cloud that we were in is left, and will be told.
    """
    link = replace(joined.link, ca_cert=joined.link.ca_cert or ca_cert)
    old = link_in_use(identity)
    farewell, until = identity.farewell, identity.farewell_until
    if old is not None and not same_cloud(old.endpoint, link.endpoint):
        farewell, until = old, None
    elif farewell is not None and same_cloud(farewell.endpoint, link.endpoint):
        farewell, until = None, None
    return replace(
        identity,
        phase=ProvisioningPhase.REGISTERED,
        cloud=link,
        mqtt=joined.mqtt,
        provisioning_ca_cert=ca_cert,
        device_name=joined.device_name or identity.device_name,
        registered_at_ms=now_ms,
        farewell=farewell,
        farewell_until=until,
    )


def confirmed(identity: Identity, link: CloudLink) -> Identity:
    """The credentials were used with success over `link`: the provisioning key is erased."""
    used = identity.provisioning_api_key
    return replace(
        identity,
        phase=ProvisioningPhase.PROVISIONED,
        cloud=link,
        provisioning_api_key=None,
        provisioning_endpoint=None,
        provisioning_ca_cert=None,
        spent_key_hash=key_hash(used) if used else identity.spent_key_hash,
    )


def moved(identity: Identity, link: CloudLink) -> Identity:
    """The same cloud, at another address."""
    return replace(identity, cloud=link)


def renewed(
    identity: Identity,
    *,
    uuid: str,
    private_key_pem: Secret,
    hash_key: Secret,
    machine_hash: str,
    now_ms: int,
) -> Identity:
    """A device of its own, made of a copy: nothing that the cloud or a label knows is kept."""
    return Identity(
        uuid=uuid,
        creation_id=identity.creation_id,
        private_key_pem=private_key_pem,
        hash_key=hash_key,
        created_at_ms=now_ms,
        machine_hash=machine_hash,
        spent_key_hash=identity.spent_key_hash,
    )


def credentials_lost(identity: Identity) -> Identity:
    """Credentials that were never used are refused: a later repeat has replaced them."""
    return replace(
        identity,
        phase=ProvisioningPhase.PENDING,
        cloud=_without_address(identity.cloud),
        mqtt=None,
    )


def left(identity: Identity, *, offered: Secret | None) -> Identity:
    """The device leaves on purpose: uuid, pair and API key stay, the cloud is to be told.

    The key that is offered now (or else the one last used) will not bring it back.
    """
    old = link_in_use(identity)
    used = offered or identity.provisioning_api_key
    return replace(
        identity,
        phase=ProvisioningPhase.DEPROVISIONED,
        cloud=_without_address(identity.cloud),
        mqtt=None,
        device_name="",
        registered_at_ms=None,
        provisioning_api_key=None,
        provisioning_endpoint=None,
        provisioning_ca_cert=None,
        spent_key_hash=key_hash(used) if used else identity.spent_key_hash,
        farewell=old or identity.farewell,
        farewell_until=None if old else identity.farewell_until,
    )


def farewell_done(identity: Identity) -> Identity:
    """The cloud that was left knows, or will not be told any more."""
    return replace(identity, farewell=None, farewell_until=None)


def farewell_failed(identity: Identity, *, boot_id: str, now_s: float) -> Identity:
    """One more try to tell the cloud that was left has failed; after 7 days it is given up.

    Counted by the boot clock, so that no jump of the wall clock ends it or keeps it for ever. What
    is left is written down once a day; a boot costs a little of it, and so does not make it
    endless.
    """
    deadline = identity.farewell_until
    if deadline is None:
        left_s = FAREWELL_S
    elif deadline.boot_id == boot_id:
        left_s = math.ceil(deadline.at_s - now_s)
        if left_s > 0 and deadline.left_s - left_s < DAY_S:
            return identity
    else:
        left_s = deadline.left_s - _BOOT_COST_S
    if left_s <= 0:
        return farewell_done(identity)
    at_s = math.ceil(now_s) + left_s
    return replace(identity, farewell_until=KeptDeadline(boot_id=boot_id, at_s=at_s, left_s=left_s))


def _without_address(link: CloudLink | None) -> CloudLink | None:
    # The API key and the dialect stay: the one by promise, the other so that a device that spoke
    # v2 never goes down.
    return None if link is None else replace(link, endpoint="", device_id="")

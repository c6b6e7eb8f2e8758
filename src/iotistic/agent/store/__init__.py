"""What must survive a power cut, and who this device is.

    store            class Store: everything the other rooms ask for
    memory           the part of it about what was done, locked, wished and learned:
                     store.releases, .locks, .images, .containers, .journal
    tended           the part of it that mends files in use; `mending` does it, `place` notices that
                     files are gone, `space` is what it asks of the guard over the disk
    opening          the rules below; `inspection` looks and judges, `files` sets aside
    identity_file    identity.json: uuid, keys, credentials. It counts, the database does not
    sealing          what is secret at rest; `sealed_document` knows which values of a target are
    migrations       the schema's history; `building` makes a database anew
    *_table(s), *_rows  rows in, records out; `agent_memory` is about all of the agent's own
    time_left        deadlines that outlive a boot
    reset_file       a factory reset under way
    backup           a copy in use, and making one ready to be put back

The invariant: whatever becomes of the database, and wherever the agent is killed, the next start
has the same identity and goes on without the network. Opening decides by what it finds:

    identity.json  database                    what happens
    there          sound                       goes on
    there          another creation id         a restored backup: the log beside it is moved away
    there          another uuid                set aside as `.foreign-…`, made anew
    there          damaged                     set aside as `.corrupt-…`, made anew; no provisioning
    there          gone                        made anew; `database_was_missing` until taken up
    gone, damaged  sound                       identity.json made again of the sealed copy
    gone           gone                        a new device
    any            of a newer agent            refused, not a byte of it is changed

A target in `target-last-good.json` that is newer than the database's takes its place.

A database is always made complete under another name and then moved into place. Made anew, it
holds identity and last target, and what persons asked for, good and rejected releases and what is
known of images and containers, as far as that can still be read.

In use the same holds without a restart. Damage: opened anew by these rules, with what is known in
memory. Deleted, moved away, replaced: the files are still open, and a copy of them is put back. No
room: the guard gives things up, then what matters is refused and nothing of it acknowledged.

The store is the one writer, so what is asked for in every round is kept in memory (`Kept`).

A normal start needs no cryptography: the identity is in the clear in a file for its owner only.
A child process of `iotistic.agent.host.crypto_child` seals and opens the rest.
"""

from iotistic.agent.store.errors import DatabaseUnavailable, DiskFull
from iotistic.agent.store.lock_table import parse_lock_span_s
from iotistic.agent.store.records import (
    CloudLink,
    Identity,
    JournalEntry,
    JournalEvent,
    MqttCredentials,
    ProvisioningPhase,
    StoredTarget,
    target_hash,
)
from iotistic.agent.store.store import Store

__all__ = [
    "CloudLink",
    "DatabaseUnavailable",
    "DiskFull",
    "Identity",
    "JournalEntry",
    "JournalEvent",
    "MqttCredentials",
    "ProvisioningPhase",
    "Store",
    "StoredTarget",
    "parse_lock_span_s",
    "target_hash",
]

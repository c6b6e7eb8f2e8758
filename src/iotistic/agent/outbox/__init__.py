"""The outbox: what is to leave the device waits here, on the disk, until it was acknowledged.

The one invariant: of every record that was ever written it can be said what became of it.
`written == acknowledged + waiting + sum(dropped)`, for each class, after every crash.
"""

from iotistic.agent.outbox.content import Batch
from iotistic.agent.outbox.ledger import ClassLedger, DeadLetter, DropReason, ledger_json
from iotistic.agent.outbox.outbox import Outbox, RecordTooLarge
from iotistic.agent.outbox.quota import OutboxFull, Overflow, Quota, default_quotas

__all__ = [
    "Batch",
    "ClassLedger",
    "DeadLetter",
    "DropReason",
    "Outbox",
    "OutboxFull",
    "Overflow",
    "Quota",
    "RecordTooLarge",
    "default_quotas",
    "ledger_json",
]

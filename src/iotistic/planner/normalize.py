"""A service as hashes, labels and close looks see it.

fields       every field: how it is hashed, compared, and whether an engine tells it
normal_form  what makes a service, a network, a volume what it is; its hash
drift        what of a container is not as the target says
"""

from __future__ import annotations

from iotistic.planner.drift import drift
from iotistic.planner.fields import attachments
from iotistic.planner.normal_form import (
    DEFAULT_OBJECT_HASH,
    HASH_VERSION,
    differences,
    fields_of,
    hash_of,
    hash_version,
    network_form,
    normal_form,
    object_hash,
    short_hashes,
    volume_form,
)

__all__ = [
    "DEFAULT_OBJECT_HASH",
    "HASH_VERSION",
    "attachments",
    "differences",
    "drift",
    "fields_of",
    "hash_of",
    "hash_version",
    "network_form",
    "normal_form",
    "object_hash",
    "short_hashes",
    "volume_form",
]

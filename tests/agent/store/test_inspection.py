"""The fate of a database, case by case."""

from __future__ import annotations

import pytest

from iotistic.agent.store.device_table import DeviceRow
from iotistic.agent.store.inspection import Condition, Fate, Seen, judge
from iotistic.agent.store.records import Identity
from iotistic.model.secret import Secret

ME = Identity(
    uuid="me",
    creation_id="c1",
    private_key_pem=Secret("k"),
    hash_key=Secret("00"),
    created_at_ms=0,
)


def row(uuid: str = "me", creation_id: str | None = "c1") -> DeviceRow:
    return DeviceRow(
        uuid=uuid,
        creation_id=creation_id,
        sealed_identity=None,
        identity_hash=None,
        rebuilt_because=None,
    )


def ours(device: DeviceRow | None) -> Seen:
    return Seen(condition=Condition.OURS, device=device, recent=device)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen(condition=Condition.MISSING), Fate.CREATE, id="gone: make it anew"),
        pytest.param(Seen(condition=Condition.BROKEN), Fate.REPLACE_CORRUPT, id="no database"),
        pytest.param(ours(row()), Fate.KEEP, id="ours: go on"),
        pytest.param(ours(None), Fate.KEEP, id="unreadable from outside: opening will tell"),
        pytest.param(ours(row("other")), Fate.REPLACE_FOREIGN, id="another device's"),
        pytest.param(
            ours(row("other", "c2")), Fate.REPLACE_FOREIGN, id="another device's, and elsewhere"
        ),
        pytest.param(
            ours(row(creation_id="c2")), Fate.KEEP_WITHOUT_LOG, id="restored: not with this log"
        ),
        pytest.param(
            ours(row(creation_id=None)), Fate.KEEP_WITHOUT_LOG, id="of before there were ids"
        ),
    ],
)
def test_judge(seen: Seen, expected: Fate) -> None:
    assert judge(seen, ME) is expected

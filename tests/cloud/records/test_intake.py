"""Records: taken once, missed when they do not come, refused one by one."""

from __future__ import annotations

import pytest

from tests.cloud.records.sending import EPOCH, record, send
from tests.cloud.running import Running


@pytest.fixture
async def key(cloud: Running) -> str:
    return await cloud.o1_device()


async def test_the_answer_says_up_to_where_records_are_stored(cloud: Running, key: str) -> None:
    answer = await send(cloud, key, *(record(seq) for seq in (1, 2, 3)), packed=True)

    assert answer == {"watermarks": {"event": {EPOCH: 3}}, "rejected": []}

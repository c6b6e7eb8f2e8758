"""Whatever a container writes into a lock file, it is read without harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.locks.lock_file import (
    BYTES_MAX,
    REASON_MAX,
    SPAN_MAX_S,
    LockFile,
    ours,
    parse,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LockFile()),
        ("backup runs\n", LockFile(reason="backup runs")),
        ('{"reason": "backup", "for_s": 60}', LockFile(reason="backup", for_s=60.0)),
        ('{"until_s": 1234.5}', LockFile(until_s=1234.5)),
        ('{"for_s": -1}', LockFile(for_s=0.0)),
        ('{"for_s": 1e9}', LockFile(for_s=SPAN_MAX_S)),
        ('{"for_s": true, "until_s": "soon", "reason": 5}', LockFile()),
        ('{"owner": "iotistic-agent"}', LockFile(is_ours=True)),
        ('{"owner": "me"}', LockFile()),
        ('{"reason": "a\\u001b[31mb\\nc"}', LockFile(reason="a [31mb c")),
        ('"text"', LockFile(reason="text")),
        ("[1]", LockFile()),
        ("12", LockFile()),
        ("[" * 4000, LockFile(reason="[" * REASON_MAX)),
        ('{"reason": "' + "x" * BYTES_MAX + '"}', LockFile()),
    ],
)
def test_what_a_lock_file_says(text: str, expected: LockFile) -> None:
    assert parse(text.encode()) == expected


def test_ours_is_known_again() -> None:
    assert parse(ours("boot-1")).is_ours


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(["owner", "reason", "for_s", "until_s"]), json_values).map(
        lambda raw: json.dumps(raw).encode()
    )
)
def test_nothing_that_can_be_written_does_harm(data: bytes) -> None:
    found = parse(data)
    spans: list[Any] = [found.for_s, found.until_s]
    assert all(span is None or 0.0 <= span < float("inf") for span in spans)
    assert found.reason.isprintable()
    assert len(found.reason) <= REASON_MAX

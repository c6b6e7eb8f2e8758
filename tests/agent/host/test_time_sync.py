from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.host.time_sync import clock_synced, kernel_synced


def test_the_kernel_of_this_host_says_something_or_nothing_but_does_not_fail() -> None:
    assert kernel_synced() in (True, False, None)


@pytest.mark.parametrize(
    ("said", "marked", "expected"),
    [
        pytest.param(True, False, True, id="the kernel's word counts"),
        pytest.param(False, True, False, id="against an old mark too"),
        pytest.param(None, True, True, id="where it may not be asked, the mark"),
        pytest.param(None, False, False, id="where nobody can tell: no"),
    ],
)
def test_whether_somebody_keeps_the_clock_right(
    tmp_path: Path, said: bool | None, marked: bool, expected: bool
) -> None:
    mark = tmp_path / "synchronized"
    if marked:
        mark.touch()

    assert clock_synced(lambda: said, mark) is expected

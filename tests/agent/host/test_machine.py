"""Which machine this is."""

from __future__ import annotations

from pathlib import Path

import pytest

from iotistic.agent.host.machine import machine_hash


def test_it_stays_the_same_differs_between_machines_and_hides_the_id(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("0123456789abcdef0123456789abcdef\n")
    other.write_text("fedcba9876543210fedcba9876543210\n")
    assert machine_hash((one,)) == machine_hash((one,))
    assert machine_hash((one,)) != machine_hash((other,))
    assert len(machine_hash((one,))) == 64
    assert "0123456789abcdef" not in machine_hash((one,))


@pytest.mark.parametrize("content", ["", "\n", "uninitialized\n"])
def test_an_image_that_is_to_be_cloned_has_none_and_the_next_file_is_asked(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "empty").write_text(content)
    (tmp_path / "filled").write_text("abc\n")
    assert machine_hash((tmp_path / "empty", tmp_path / "nothing")) == ""
    assert machine_hash((tmp_path / "empty", tmp_path / "filled")) != ""

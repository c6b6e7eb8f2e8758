"""The reference says what an older engine does not know."""

from __future__ import annotations

import re
from pathlib import Path

from iotistic.engines.docker.capabilities import NEWER

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "target-state.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([0-9]+\.[0-9]+) \| ([0-9]+\.[0-9]+) \|$", re.MULTILINE)


def test_the_reference_lists_every_field_that_needs_a_newer_engine() -> None:
    told = {(field, docker, api) for field, docker, api in ROW.findall(PAGE.read_text())}

    assert told == {(n.field, n.docker, f"{n.api[0]}.{n.api[1]}") for n in NEWER}

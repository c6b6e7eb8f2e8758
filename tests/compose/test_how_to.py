"""What the how-to shows is taken, to the last field."""

from __future__ import annotations

import re
from pathlib import Path

from iotistic.model.release import StrategyKind
from tests.compose.builders import Shelf, app_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "bring-a-compose-file.md"


def test_the_file_of_the_how_to_is_good() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    shelf = Shelf()
    shelf._texts["./pw.txt"] = "hush"

    found = app_of(text, files=shelf, strict=True)

    assert found.warnings == ()
    assert found.parsed.strategy.kind is StrategyKind.HAND_OVER
    assert found.parsed.services[0].update_lock

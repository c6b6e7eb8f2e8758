"""Every word and field of the plans of landmark situations.

After a change that is meant, look at the difference, then let `IOTISTIC_WRITE_STORIES=1` write
what is expected anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.planner.stories import objects, releases, services

FOLDER = Path(__file__).parent / "stories"
STORIES = {**objects.STORIES, **releases.STORIES, **services.STORIES}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_it_was_told(name: str) -> None:
    path, text = FOLDER / f"{name}.txt", STORIES[name]().text()
    if os.environ.get("IOTISTIC_WRITE_STORIES") == "1":
        path.write_text(text)

    assert text.splitlines() == path.read_text().splitlines()


def test_every_file_belongs_to_a_story() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(STORIES)

"""What the documentation says can be found, and what can be found is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, name

PAGES = files(".md")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", [name(path) for path in PAGES])
def test_every_link_leads_somewhere(page: str) -> None:
    broken = [target for target in _links(ROOT / page) if not _leads_somewhere(ROOT / page, target)]

    assert broken == []


def test_every_page_can_be_reached_from_the_front_door() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        ahead += [(page.parent / target.partition("#")[0]).resolve() for target in _links(page)]

    assert [name(page) for page in PAGES if page not in reached] == []


def test_a_page_begins_with_its_title() -> None:
    assert [name(page) for page in PAGES if not page.read_text().startswith("# ")] == []


def _links(page: Path) -> Iterator[str]:
    for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def _leads_somewhere(page: Path, target: str) -> bool:
    file, _, heading = target.partition("#")
    there = (page.parent / file).resolve() if file else page
    if not there.exists():
        return False
    return not heading or heading in _headings(there)


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ +(.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}

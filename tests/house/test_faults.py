"""Every fault that the reference promises something about has tests, and they are there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.house.tree import ROOT

PAGE = ROOT / "docs/reference/faults.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(fault, what is done, tests as (file, name)) of each row."""
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and not set(cells[0]) <= {"-"}:
            found.append((cells[0], cells[1], _TEST.findall(cells[2])))
    return found[1:]


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests of a file, read and not run."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_the_table_covers_what_devices_meet() -> None:
    told = " ".join(fault.lower() for fault, _, _ in rows())
    for word in (
        "power lost", "disk is full", "damaged", "engine restarts", "engine hangs", "clock",
        "no network", "comes back", "flaps", "crashes", "sigterm", "again and again", "boots",
        "nonsense", "does not know the device", "two agents", "rights", "migration", "outbox",
    ):  # fmt: skip
        assert word in told, word


@pytest.mark.parametrize(("fault", "tests"), [(fault, tests) for fault, _, tests in rows()])
def test_every_row_has_tests_that_exist(fault: str, tests: list[tuple[str, str]]) -> None:
    assert tests, f"no test stands beside: {fault}"
    for path, name in tests:
        assert (ROOT / path).is_file(), f"{fault}: there is no {path}"
        assert name in names_in(path), f"{fault}: {path} has no {name}"

"""The reference is complete: what the code has, it tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from scripts.reference import FOLDER, PARTS, renewed
from tests.house.tree import ROOT, files, name


@pytest.mark.parametrize("page", sorted(PARTS))
def test_what_is_written_from_the_code_is_as_the_code_has_it(page: str) -> None:
    text = (FOLDER / page).read_text()

    assert text == renewed(page, text), "run: python -m scripts.reference"


def test_every_error_code_is_explained() -> None:
    explained = set(re.findall(r"`([a-z0-9-]+)`", (FOLDER / "errors.md").read_text()))

    assert sorted(_codes() - explained) == []


def test_no_error_code_is_explained_that_there_is_none_of() -> None:
    rows = re.findall(
        r"^\| ((?:`[a-z0-9-]+`(?:, )?)+) \|", (FOLDER / "errors.md").read_text(), re.MULTILINE
    )
    explained = {code for row in rows for code in re.findall(r"`([a-z0-9-]+)`", row)}

    assert sorted(explained - _codes()) == []


def test_every_code_is_kebab_case() -> None:
    assert [code for code in _codes() if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)] == []


def _codes() -> set[str]:
    """`code = "…"` of classes, `code="…"` of calls, and the values of a `Refusal`."""
    found: set[str] = set()
    for path in files(".py"):
        if not path.is_relative_to(ROOT / "src") or "planner/world" in name(path):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name == "Refusal":
                found |= set(_texts(node))
                continue
            if isinstance(node, ast.keyword) and node.arg == "code":
                value: ast.expr | None = node.value
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if not (isinstance(target, ast.Name) and target.id == "code"):
                    continue
                value = node.value
            else:
                continue
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.add(value.value)
    return found - {""}


def _texts(enum: ast.ClassDef) -> Iterator[str]:
    for item in enum.body:
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant):
            yield str(item.value.value)

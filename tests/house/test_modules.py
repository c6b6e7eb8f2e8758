"""Every module can be read by someone who has never seen it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, name

LINES_MAX = 400
EXCEPTIONS_MAX = 25  # of the type checker's and the linter's rules, in the whole project
SKIPS_MAX = 10

PRODUCT = [path for path in files(".py") if path.is_relative_to(ROOT / "src")]
PYTHON = files(".py")
TEXTS = [*files(".py", ".md", ".toml", ".sh", ".yaml", ".yml"), ROOT / "scripts" / "test"]

# Promises instead of work, and places that only one person's machine has.
UNWELCOME = re.compile(r"\b(TO" "DO|FIX" "ME|XX" r"X)\b|(?<![\w.])/(?:home/[a-z]+|Users|work)/")


def test_every_module_says_in_its_docstring_what_it_is_for() -> None:
    mute = [name(path) for path in PRODUCT if not ast.get_docstring(ast.parse(path.read_text()))]

    assert mute == []


def test_no_module_is_longer_than_one_head_can_hold() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in PYTHON}

    assert {path: lines for path, lines in lengths.items() if lines > LINES_MAX} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "common", "base", "helpers", "misc", "manager2"}

    assert [name(path) for path in PRODUCT if path.stem in vague or path.parent.name in vague] == []


def test_nothing_is_promised_and_no_private_place_is_named() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if UNWELCOME.search(line)
    ]

    assert found == []


def test_exceptions_from_the_rules_are_few_and_give_their_reason() -> None:
    exceptions = list(_comments(re.compile(r"#\s*(type:\s*ignore|noqa)")))
    without_code = [
        f"{where}: {line}"
        for where, line in exceptions
        if not re.search(r"(type:\s*ignore\[|noqa:\s*[A-Z])", line)
    ]

    assert without_code == []
    assert len(exceptions) <= EXCEPTIONS_MAX, "\n".join(f"{w}: {line}" for w, line in exceptions)


def test_few_tests_are_skipped_for_good() -> None:
    skips = list(_comments(re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail|importorskip)\b")))

    assert len(skips) <= SKIPS_MAX, "\n".join(where for where, _ in skips)


def test_every_test_module_holds_a_test_and_every_test_a_check() -> None:
    helpers = _helpers()
    idle = [
        f"{name(path)}::{function.name}"
        for path in PYTHON
        if path.name.startswith("test_")
        for function in _tests(path)
        if not _checks_something(function, helpers)
    ]

    assert idle == []


@pytest.mark.parametrize("folder", ["scripts", ".ci"])
def test_a_script_for_people_can_be_run_and_has_no_suffix(folder: str) -> None:
    scripts = [path for path in files() if path.parent == ROOT / folder and not path.suffix]

    assert scripts
    assert [name(path) for path in scripts if not path.stat().st_mode & 0o111] == []


def _comments(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for path in PYTHON:
        if path.parent == Path(__file__).parent:
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if pattern.search(line):
                yield f"{name(path)}:{number}", line.strip()


def _tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node


def _checks_something(test: ast.AST, helpers: frozenset[str]) -> bool:
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Attribute | ast.Name):
            word = node.attr if isinstance(node, ast.Attribute) else node.id
            if word in helpers or word in ("raises", "warns"):
                return True
    return False


def _helpers() -> frozenset[str]:
    """Functions of ours, beside the tests themselves, that check something when called."""
    functions = [
        node
        for path in PYTHON
        if path.is_relative_to(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("test_")
    ]
    found = frozenset(f.name for f in functions if _checks_something(f, frozenset()))
    return found | frozenset(f.name for f in functions if _checks_something(f, found))

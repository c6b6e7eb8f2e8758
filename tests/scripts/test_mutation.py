"""Which modules are tried when, and how a run is counted."""

from __future__ import annotations

import json
from pathlib import Path

from scripts import mutation
from scripts.mutation import PLANNER, Score, modules, of_the_day, score, table

DAY_S = 86400


def test_each_module_has_its_turn_four_at_a_time() -> None:
    known = modules()
    days = [of_the_day(known, day * DAY_S) for day in range(-(-len(known) // 4))]

    assert all(1 <= len(names) <= 4 for names in days)
    assert sorted(name for names in days for name in names) == list(known)
    assert {"service", "releases", "plan"} <= set(known)


def test_the_same_day_has_the_same_modules() -> None:
    known = modules()

    assert of_the_day(known, 5 * DAY_S) == of_the_day(known, 6 * DAY_S - 1)
    assert of_the_day(known, 5 * DAY_S) != of_the_day(known, 6 * DAY_S)


def test_what_was_not_tried_and_what_never_ended_are_no_survivors(tmp_path: Path) -> None:
    _meta(tmp_path, "order", {"a": 1, "b": 0, "c": 33, "d": None, "e": -24, "f": 36, "g": 2})

    found = score("order", tmp_path)

    assert found == Score(module="order", killed=3, survivors=("b", "c"), undecided=2)
    assert found.share == 0.6


def test_the_table_names_what_is_below_the_bar_and_what_was_left() -> None:
    told = table(
        [
            Score(module="order", killed=3, survivors=("b", "c"), undecided=2),
            Score(module="plan", killed=9, survivors=("x",), undecided=0),
            Score(module="app", killed=0, survivors=(), undecided=5),
        ]
    ).splitlines()

    assert told[1].split() == [
        "order",
        "7",
        "3",
        "2",
        "60.0%",
        "below",
        "90%",
        *["(2", "not", "tried)"],
    ]
    assert told[2].split() == ["plan", "10", "9", "1", "90.0%"]
    assert told[3].split() == ["app", "5", "0", "0", "100.0%", *["(5", "not", "tried)"]]


def test_the_copy_has_the_project_and_the_choice_of_modules(tmp_path: Path) -> None:
    mutation._copy(tmp_path, ("order", "plan"))

    project = (tmp_path / "pyproject.toml").read_text()
    assert f'only_mutate = ["{PLANNER}/order.py", "{PLANNER}/plan.py"]' in project
    assert (tmp_path / PLANNER / "order.py").exists()
    assert (tmp_path / "tests" / "planner").is_dir()


def _meta(folder: Path, module: str, codes: dict[str, int | None]) -> None:
    path = folder / "mutants" / PLANNER / f"{module}.py.meta"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"exit_code_by_key": codes}))

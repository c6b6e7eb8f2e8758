"""Whoever uses the project may use all that it brings along."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from scripts.check_licenses import ALLOWED, LOCK, licenses_of, locked_names, objection


def test_all_that_the_project_builds_on_has_an_allowed_license() -> None:
    names = locked_names(LOCK.read_text())

    assert len(names) > 30
    assert [objection(each) for each in names if objection(each)] == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"License-Expression": "MIT"}, ["MIT"], id="an expression"),
        pytest.param({"License-Expression": "MIT OR Apache-2.0"}, ["MIT", "Apache-2.0"], id="two"),
        pytest.param({"Classifier": "License :: OSI Approved :: MIT License"}, ["MIT"], id="older"),
        pytest.param({"License": "AGPL-3.0"}, ["AGPL-3.0"], id="a free text"),
        pytest.param({}, [], id="silence"),
    ],
)
def test_a_license_is_read_from_where_it_is_stated(
    headers: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    lines = ["Metadata-Version: 2.4", "Name: thing", "Version: 1"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    (tmp_path / "METADATA").write_text("\n".join(lines) + "\n")
    stated = metadata.PathDistribution(tmp_path).metadata

    assert licenses_of(stated) == expected


def test_copyleft_that_binds_the_whole_program_is_not_allowed() -> None:
    assert not {"GPL-3.0-only", "AGPL-3.0-only", "SSPL-1.0"} & ALLOWED

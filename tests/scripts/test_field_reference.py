"""The page of the target tells every word there is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from iotistic.model import objects, release, service
from iotistic.model.target import AppTarget
from iotistic.planner.fields import FIELDS
from scripts.field_reference import WORDS, fields_table
from tests.house.tree import ROOT
from tests.model.vocabulary.builders import service_of
from tests.planner.test_normalize import APART, EVERYTHING

PAGE = (ROOT / "docs" / "reference" / "target-state.md").read_text()
# How the code calls what the target has another word for.
OTHER_WORDS = {
    "app_id": "appId",
    "app_name": "appName",
    "services": "services",
    "handover_timeout_s": "handover_timeout",
    "timeout_s": "timeout",
    "healthy_s": "min_healthy_s",
    "ipam_driver": "ipam",
    "ipam_options": "ipam",
    "ipam_pools": "ipam",
    "short_name": "name",
}


def test_every_field_of_a_service_has_words() -> None:
    assert WORDS.keys() == {field.name for field in FIELDS}


@pytest.mark.parametrize(
    "kind",
    [
        AppTarget,
        objects.IpamPool,
        objects.NetworkSpec,
        objects.VolumeSpec,
        release.Strategy,
        release.Verify,
        service.Dependency,
        service.NetworkAttachment,
        service.SecretUse,
    ],
)
def test_every_part_of_an_app_is_named(kind: Any) -> None:
    names = {OTHER_WORDS.get(f.name, f.name) for f in dataclasses.fields(kind)} - {"service"}

    assert sorted(name for name in names if name not in PAGE) == []


@pytest.mark.parametrize(
    ("name", "also"),
    [(name, also) for name, words in WORDS.items() for also in words.also if name != "image"],
)
def test_a_further_name_that_is_told_is_read(name: str, also: str) -> None:
    value = {**EVERYTHING, "network_mode": APART["network_mode"]["network_mode"]}[name]

    assert service_of({also: value}) == service_of({name: value})


def test_no_cell_breaks_its_row() -> None:
    widths: dict[int, str] = {}
    for line in fields_table().splitlines():
        if line.startswith("| `"):
            widths.setdefault(line.replace("\\|", "").count("|"), line)

    assert sorted(widths) == [3, 7]

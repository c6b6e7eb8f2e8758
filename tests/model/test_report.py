from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from iotistic.model.errors import InvalidField
from iotistic.model.merge_patch import diff
from iotistic.model.report import Envelope, NeedsResync, hash_of, merge, open_body, seal
from tests.model.test_merge_patch import DOCUMENTS


def arrives(held: dict[str, Any] | None, body: dict[str, Any]) -> dict[str, Any]:
    return merge(held, *open_body(body))


@given(DOCUMENTS, DOCUMENTS)
def test_after_a_patch_both_sides_hold_the_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    body = seal(diff(old, new), Envelope(base=hash_of(old), seq=7))

    assert hash_of(arrives(old, body)) == hash_of(new)


def test_a_whole_document_replaces_what_is_held() -> None:
    held = {"apps": {"1": {}}, "config": {}, "temperature": 40}

    got = arrives(held, {"seq": 1, "apps": {"2": {"x": None}}, "config": {}, "gone": None})

    assert got == {"apps": {"2": {}}, "config": {}}


def test_what_an_older_agent_leaves_out_is_unchanged() -> None:
    held = {"apps": {"1": {}}, "config": {"settings": {}}, "cpu_usage": 10}

    assert arrives(held, {"cpu_usage": 12}) == {**held, "cpu_usage": 12}


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(None, id="nothing is held"),
        pytest.param({"version": 1}, id="something else is held"),
    ],
)
def test_a_patch_that_does_not_fit_asks_for_the_whole(held: dict[str, Any] | None) -> None:
    with pytest.raises(NeedsResync) as refused:
        arrives(held, {"base": hash_of({"version": 2}), "version": 3})

    assert refused.value.code == "resync"


def test_a_sign_of_life_changes_nothing() -> None:
    held = {"version": 3, "apps": {}}

    assert arrives(held, {"version": 3, "seq": 9, "base": hash_of(held)}) == held


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param([], "report", id="a list"),
        pytest.param({"base": 5}, "report.base", id="base is no text"),
        pytest.param({"seq": "1"}, "report.seq", id="seq is no number"),
        pytest.param({"seq": -1}, "report.seq", id="seq below zero"),
    ],
)
def test_a_broken_envelope_is_named(body: object, path: str) -> None:
    with pytest.raises(InvalidField) as refused:
        open_body(body)

    assert refused.value.path == path

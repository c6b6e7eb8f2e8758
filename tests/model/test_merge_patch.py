from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.model.canonical import canonical_json
from iotistic.model.merge_patch import apply, diff

SCALARS = (
    st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aä\0", max_size=3)
)
NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="a value is replaced"),
        pytest.param({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}, id="a value is added"),
        pytest.param({"a": "b"}, {"a": None}, {}, id="null removes"),
        pytest.param({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}, id="null removes only its own"),
        pytest.param({"a": ["b"]}, {"a": "c"}, {"a": "c"}, id="a list gives way to a scalar"),
        pytest.param({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}, id="a scalar gives way to a list"),
        pytest.param(
            {"a": {"b": "c"}},
            {"a": {"b": "d", "c": None}},
            {"a": {"b": "d"}},
            id="objects are patched within",
        ),
        pytest.param({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}, id="lists are replaced whole"),
        pytest.param(["a", "b"], ["c", "d"], ["c", "d"], id="no object on either side: replaced"),
        pytest.param({"a": "b"}, ["c"], ["c"], id="a patch that is no object replaces all"),
        pytest.param({"a": "foo"}, None, None, id="null replaces all"),
        pytest.param({"e": None}, {"a": 1}, {"e": None, "a": 1}, id="a null of old stays"),
        pytest.param([1, 2], {"a": "b", "c": None}, {"a": "b"}, id="a list counts as empty object"),
        pytest.param({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}, id="nulls never get in"),
    ],
)
def test_apply_does_what_the_examples_of_rfc_7386_say(
    target: Any, patch: Any, expected: Any
) -> None:
    assert apply(target, patch) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="nothing changed: empty"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="gone: null"),
        pytest.param(
            {"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"y": 3}}, id="within"
        ),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}, id="a list goes whole"),
        pytest.param({"a": 1}, {"a": True}, {"a": True}, id="true is not 1"),
        pytest.param({"a": [1]}, {"a": [1.0]}, {"a": [1.0]}, id="1.0 is not 1"),
        pytest.param(
            {"a": [{"b": 0}]}, {"a": [{"b": False}]}, {"a": [{"b": False}]}, id="nor in lists"
        ),
        pytest.param({"a": 1}, {"a": {}}, {"a": {}}, id="an empty object is a value"),
    ],
)
def test_diff_says_only_what_changed(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert canonical_json(diff(old, new)) == canonical_json(expected)


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_applied_to_the_old_gives_the_new(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert canonical_json(apply(old, diff(old, new))) == canonical_json(new)


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    assert diff(document, copy.deepcopy(document)) == {}


@given(DOCUMENTS, DOCUMENTS)
def test_applying_a_patch_twice_is_applying_it_once(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    patch = diff(old, new)

    assert apply(apply(old, patch), patch) == apply(old, patch)


@given(DOCUMENTS, DOCUMENTS)
def test_neither_side_is_changed(old: dict[str, Any], new: dict[str, Any]) -> None:
    old_before, new_before = copy.deepcopy(old), copy.deepcopy(new)

    patch = diff(old, new)
    patch_before = copy.deepcopy(patch)
    apply(old, patch)

    assert (old, new, patch) == (old_before, new_before, patch_before)

"""Expressions, from variables that were given and from nowhere else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.compose.interpolation import EXPANDED_MAX, interpolated
from iotistic.model.errors import InvalidField

GIVEN = {"TAG": "1.27", "EMPTY": "", "MONEY": "$TAG"}


def expanded(text: str) -> Any:
    return interpolated({"name": text}, GIVEN)["name"]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("nginx:$TAG", "nginx:1.27", id="a bare name"),
        pytest.param("nginx:${TAG}-x", "nginx:1.27-x", id="in braces"),
        pytest.param("${NONE:-a}", "a", id="without a value"),
        pytest.param("${EMPTY:-a}", "a", id="with an empty one, and a colon"),
        pytest.param("${EMPTY-a}", "", id="with an empty one, and none"),
        pytest.param("${NONE-a}", "a", id="no value, no colon"),
        pytest.param("${TAG:?say it}", "1.27", id="needed and there"),
        pytest.param("${EMPTY?say it}", "", id="needed, may be empty"),
        pytest.param("${TAG:+a}", "a", id="instead of a value"),
        pytest.param("${NONE:+a}", "", id="instead of none"),
        pytest.param("${NONE:-${TAG}}", "1.27", id="one in another"),
        pytest.param("${NONE:-${NONE2:-b}}c", "bc", id="twice without"),
        pytest.param("${NONE:-}", "", id="nothing, on purpose"),
        pytest.param("$$TAG $${TAG}", "$TAG ${TAG}", id="a dollar sign itself"),
        pytest.param("${MONEY}", "$TAG", id="a value is taken as it is"),
    ],
)
def test_what_an_expression_becomes(text: str, meaning: str) -> None:
    assert expanded(text) == meaning


@pytest.mark.parametrize("text", ["$", "a$ b", "${", "${}", "${1}", "${TAG", "${TAG!}", "$1"])
def test_what_is_no_expression_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        interpolated({"services": {"web": {"image": f"hush{text}"}}}, GIVEN)

    assert refused.value.path == "services.web.image"
    assert "hush" not in str(refused.value)
    assert "$$" in str(refused.value)


def test_all_variables_that_are_missing_are_named_at_once() -> None:
    with pytest.raises(InvalidField, match=r"services\.web\.image: expected a value for A, B, C"):
        interpolated({"services": {"web": {"image": "$B", "user": "$A", "x": ["${C}"]}}}, GIVEN)


def test_what_the_author_says_of_a_missing_one_is_told() -> None:
    with pytest.raises(InvalidField, match="a value for NONE: which tag"):
        expanded("${NONE:?which tag}")


def test_the_environment_of_whoever_runs_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NONE", "from the shell")

    with pytest.raises(InvalidField, match="NONE"):
        expanded("$NONE")


def test_a_text_that_came_out_is_a_boolean_only_where_one_is_wanted() -> None:
    said = {"YES": "true"}
    service = {
        "privileged": "${YES}",
        "environment": {"tty": "${YES}"},
        "labels": {"init": "${YES}"},
        "command": "${YES}",
    }

    found = interpolated({"services": {"web": service}}, said)["services"]["web"]

    assert found == {
        "privileged": True,
        "environment": {"tty": "true"},
        "labels": {"init": "true"},
        "command": "true",
    }


def test_extension_fields_count_where_they_are_used() -> None:
    document = {"x-shared": {"image": "$NONE"}, "x-iotistic": {"release": "$TAG"}}

    found = interpolated(document, GIVEN)

    assert found == {"x-shared": {"image": "$NONE"}, "x-iotistic": {"release": "1.27"}}


def test_a_document_that_would_swell_is_refused() -> None:
    long = {"A": "x" * 100_000}

    with pytest.raises(InvalidField, match=str(EXPANDED_MAX)):
        interpolated({"a": ["$A"] * 200}, long)


@given(st.text("${}:-?+AB x", max_size=40))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    with suppress(InvalidField):
        assert isinstance(interpolated({"a": text}, {"A": "1"})["a"], str)


@given(st.text(max_size=60))
def test_doubled_dollar_signs_mean_the_text_itself(text: str) -> None:
    assert interpolated({"a": text.replace("$", "$$")}, {}) == {"a": text}

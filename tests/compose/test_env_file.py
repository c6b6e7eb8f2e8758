from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.compose import parse_env_file
from iotistic.model.errors import InvalidField


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("A=1\nB=two words\n", {"A": "1", "B": "two words"}, id="plain"),
        pytest.param("# all\n\n  \nA=1 # why\nB=a#b\r\n", {"A": "1", "B": "a#b"}, id="comments"),
        pytest.param("export A = 1", {"A": "1"}, id="as a shell would"),
        pytest.param("A=\nB= # nothing", {"A": "", "B": ""}, id="empty"),
        pytest.param("A='$X # y' # z", {"A": "$X # y"}, id="single quotes: as it is"),
        pytest.param('A="a\\n\\"b\\" \\$X"', {"A": 'a\n"b" $X'}, id="double quotes: escapes"),
        pytest.param("A='one\ntwo'\nB=3", {"A": "one\ntwo", "B": "3"}, id="over lines"),
        pytest.param(
            "A=1\nB=${A}2$GIVEN", {"A": "1", "B": "12g"}, id="what stands above, what is given"
        ),
        pytest.param("GIVEN\nNONE # x", {"GIVEN": "g"}, id="names alone"),
        pytest.param("A=1\nA=2", {"A": "2"}, id="the last one wins"),
        pytest.param("A==\nB=a=b", {"A": "=", "B": "a=b"}, id="signs in values"),
    ],
)
def test_what_a_file_says(text: str, found: dict[str, str]) -> None:
    assert parse_env_file(text, "web.env", {"GIVEN": "g"}) == found


def test_a_raw_file_is_taken_as_it_is() -> None:
    text = "A='$X' # y\nB= 1"

    assert parse_env_file(text, "web.env", {}, raw=True) == {"A": "'$X' # y", "B": " 1"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("A=1\nhush!", "web.env line 2", id="no name"),
        pytest.param("A=1\nB hush", "web.env line 2", id="no sign"),
        pytest.param("A='hush", "line 1.*closed quotes", id="quotes that stay open"),
        pytest.param('A="hush" hush', "line 1.*closed quotes", id="more behind the quotes"),
        pytest.param(
            "A=1\nB=hush$NONE", "web.env line 2.*a value for NONE", id="an unknown variable"
        ),
        pytest.param("A=hush$", "line 1", id="a dollar sign"),
        pytest.param(
            "A=1\n" * 1500 + "".join(f"A{n}=1\n" for n in range(1500)), "1000", id="too many"
        ),
    ],
)
def test_what_is_refused_without_showing_a_value(text: str, told: str) -> None:
    with pytest.raises(InvalidField, match=told) as refused:
        parse_env_file(text, "web.env", {})

    assert "hush" not in str(refused.value)


@given(st.text("A=B'\"\\# \n\r$x", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidField):
        assert all(parse_env_file(text, "web.env", {}))

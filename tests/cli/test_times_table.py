"""Times and tables, and what holds for all of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.cli.table import columns, cut, layout, plain, wrapped
from iotistic.cli.times import ago, parse_since, short_iso, span, stamp


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.9, "59 s"),
        (62, "1 min 2 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3665, "1 h 1 min"),
        (93_600, "1 d 2 h"),
        (86_400 + 60, "1 d"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_how_long_ago() -> None:
    assert ago(None, 0) == "never"
    assert ago(1000, 6000) == "5 s ago"
    assert ago(6000, 1000) == "0 s ago"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10m", 1_000_000_000 - 600_000),
        ("2h", 1_000_000_000 - 7_200_000),
        ("1700000000000", 1_700_000_000_000),
        ("1970-01-01T00:00:01+00:00", 1000),
    ],
)
def test_since_when(text: str, ms: int) -> None:
    assert parse_since(text, 1_000_000_000) == ms


@given(st.text())
def test_since_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError, OverflowError):
        assert isinstance(parse_since(text, 0), int)


def test_a_time_to_the_minute() -> None:
    assert short_iso("2026-03-04T07:06:07.123+02:00") == "2026-03-04 05:06Z"
    assert short_iso(None) is None


@given(st.integers(-(10**13), 10**14))
def test_every_time_of_a_log_can_be_shown(at_ms: int) -> None:
    assert stamp(at_ms)


rows = st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), min_size=1, max_size=5)


@given(rows, st.integers(30, 120))
def test_no_line_is_wider_than_the_terminal(cells: list[list[str]], width: int) -> None:
    lines = layout(("A", "B", "C"), cells, width=width, color=False)

    assert len(lines) == 1 + len(cells)
    assert all(columns(line) <= width for line in lines)


@given(rows, st.integers(30, 120))
def test_nothing_of_a_wrapped_column_is_lost(cells: list[list[str]], width: int) -> None:
    short = [[first[:3], second[:3], third] for first, second, third in cells]
    lines = layout(("A", "B", "C"), short, width=width, color=False, wrap=True)
    column = lines[0].index("C")

    assert all(columns(line) <= width for line in lines)
    if all(text.isascii() for row in short for text in row) and width - column >= 24:
        told = "".join(line[column:] for line in lines[1:]).replace(" ", "")
        assert told == "".join(plain(text) or "-" for _, _, text in short).replace(" ", "")


def test_a_wrapped_text_is_broken_between_words_where_that_is_possible() -> None:
    assert wrapped("pull registry.example/a-long-name:1 no such host", 12) == [
        "pull",
        "registry.exa",
        "mple/a-long-",
        "name:1 no",
        "such host",
    ]


@given(rows)
def test_nothing_is_cut_where_nobody_looks(cells: list[list[str]]) -> None:
    lines = layout(("A", "B", "C"), cells, width=None, color=False)

    assert "…" not in "".join(lines) or "…" in "".join(map("".join, cells))


@given(st.text(), st.integers(1, 50))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= width


@given(st.text())
def test_no_text_can_command_a_terminal(text: str) -> None:
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in plain(text))


def test_wide_characters_take_two_columns() -> None:
    assert layout(("N", "X"), [["日本", "a"], ["ab", "b"]], width=None, color=False) == [
        "N     X",
        "日本  a",
        "ab    b",
    ]

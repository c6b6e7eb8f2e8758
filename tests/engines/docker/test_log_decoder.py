"""From the engine's frames to lines."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.engines.docker.logs import LINE_BYTES_MAX, LogDecoder
from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.errors import EngineUnavailable

AT = "2023-11-14T22:13:20.000000001Z"
AT_NS = 1_700_000_000_000_000_001


def frame(text: str, *, stderr: bool = False, at: str = AT) -> bytes:
    message = f"{at} {text}".encode()
    return struct.pack(">BxxxL", 2 if stderr else 1, len(message)) + message


def decoded(*parts: bytes, terminal: bool = False) -> list[ContainerLogLine]:
    decoder = LogDecoder(terminal=terminal)
    lines = [line for part in parts for line in decoder.feed(part)]
    return [*lines, *decoder.end()]


def texts(*parts: bytes, terminal: bool = False) -> list[str]:
    return [line.text for line in decoded(*parts, terminal=terminal)]


def test_a_line_has_text_time_and_origin() -> None:
    assert decoded(frame("out\n"), frame("oh\n", stderr=True)) == [
        ContainerLogLine(text="out", stderr=False, time_ns=AT_NS),
        ContainerLogLine(text="oh", stderr=True, time_ns=AT_NS),
    ]


@given(st.lists(st.integers(min_value=1, max_value=60), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    data = b"".join(frame(f"line {n}\n", stderr=n % 2 == 0) for n in range(5))
    parts, rest = [], data
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]

    assert decoded(*parts, rest) == decoded(data)


def test_a_long_message_in_several_frames_is_one_line_with_its_first_time() -> None:
    later = "2023-11-14T22:13:21.000000001Z"

    (line,) = decoded(frame("a" * 16384), frame("b" * 10 + "\n", at=later))

    assert line.text == "a" * 16384 + "b" * 10
    assert line.time_ns == AT_NS


def test_a_long_message_is_not_mixed_with_the_other_stream() -> None:
    assert texts(frame("long "), frame("oops\n", stderr=True), frame("line\n")) == [
        "oops",
        "long line",
    ]


def test_a_line_longer_than_the_limit_comes_in_pieces() -> None:
    size = LINE_BYTES_MAX + 100

    assert [len(text) for text in texts(*[frame("x" * 10_000)] * 6, frame("x" * 5_636 + "\n"))] == [
        LINE_BYTES_MAX,
        size - LINE_BYTES_MAX,
    ]


def test_all_but_the_first_piece_of_a_line_are_said_to_be_its_rest() -> None:
    pieces = [frame("x" * 16384) for _ in range(10)]

    found = decoded(*pieces, frame("end\n"), frame("next\n"))

    assert [line.rest for line in found] == [False, True, True, False]
    assert {line.time_ns for line in found} == {AT_NS}


def test_what_ends_without_a_line_end_is_given_as_well() -> None:
    assert texts(frame("done\n"), frame("no end")) == ["done", "no end"]


def test_what_is_no_text_is_shown_as_far_as_it_is() -> None:
    message = AT.encode() + b" \xff\xfeok\n"

    assert texts(struct.pack(">BxxxL", 1, len(message)) + message) == ["\ufffd\ufffdok"]


def test_a_terminal_sends_plain_lines() -> None:
    data = f"{AT} one\r\n{AT} two\r\n{AT} thr".encode()

    assert texts(data[:20], data[20:], terminal=True) == ["one", "two", "thr"]


def test_a_line_without_a_time_keeps_its_text() -> None:
    (line,) = decoded(b"2023 was a year\n", terminal=True)

    assert (line.text, line.time_ns) == ("2023 was a year", 0)


@pytest.mark.parametrize("header", [b"\x07\0\0\0\0\0\0\x01x", b"\x01\0\0\0\xff\xff\xff\xffx"])
def test_a_broken_frame_is_no_answer(header: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        decoded(header)

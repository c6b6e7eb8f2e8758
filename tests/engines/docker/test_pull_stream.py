"""The lines of a pull."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotistic.engines.docker.pull import PullStream
from iotistic.model.errors import EngineUnavailable, Refused


def line(status: str, layer: str = "a", **fields: Any) -> bytes:
    return json.dumps({"status": status, "id": layer, **fields}).encode() + b"\r\n"


def downloading(layer: str, current: int, total: int) -> bytes:
    return line("Downloading", layer, progressDetail={"current": current, "total": total})


def shares(*lines: bytes) -> list[tuple[int, int]]:
    stream = PullStream("web:1")
    return [
        (now.done_bytes, now.total_bytes)
        for now in (stream.take(found) for found in lines)
        if now is not None
    ]


def test_progress_is_the_sum_over_layers() -> None:
    assert shares(
        line("Pulling from library/web", "1"),
        line("Pulling fs layer", "a", progressDetail={}),
        downloading("a", 10, 100),
        downloading("b", 50, 50),
        downloading("a", 100, 100),
    ) == [(10, 100), (60, 150), (150, 150)]


def test_unpacking_counts_as_downloaded() -> None:
    assert shares(
        downloading("a", 10, 100),
        line("Download complete", "a", progressDetail={}),
        line("Extracting", "a", progressDetail={"current": 1, "total": 100}),
        line("Pull complete", "a"),
    ) == [(10, 100), (100, 100)]


def test_layers_that_are_here_already_are_no_work() -> None:
    assert shares(line("Already exists", "a"), line("Status: Image is up to date", "")) == []


def test_a_layer_that_says_more_than_its_size_is_done_and_no_more() -> None:
    assert shares(downloading("a", 120, 100)) == [(100, 100)]


@pytest.mark.parametrize("size", [None, 0, -1])
def test_a_size_that_is_not_known_is_not_counted(size: int | None) -> None:
    assert shares(line("Downloading", "a", progressDetail={"current": 5, "total": size})) == []


@pytest.mark.parametrize(
    "error",
    [
        {"errorDetail": {"message": "manifest unknown"}, "error": "manifest unknown"},
        {"error": "manifest unknown"},
        {"errorDetail": {"code": 404, "message": "manifest unknown"}},
    ],
)
def test_an_error_inside_the_stream_is_raised(error: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        PullStream("web:1").take(json.dumps(error).encode())

    assert refused.value.code == "image-not-found"


@pytest.mark.parametrize("garbage", [b"<html>", b"[]", b'{"status": 7}', b"\xff\n"])
def test_what_is_no_line_of_a_pull_is_no_answer(garbage: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        PullStream("web:1").take(garbage)


def test_the_number_of_layers_is_bounded() -> None:
    found = shares(*(downloading(str(number), 1, 1) for number in range(3_000)))

    assert found[-1] == (2_000, 2_000)

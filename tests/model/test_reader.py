"""Everything from outside is bounded."""

from __future__ import annotations

import pytest

from iotistic.model.errors import InvalidField
from iotistic.model.reader import DEPTH_MAX, Fields, decode_json


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<html>", "JSON"),
        (b'{"half": ', "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[" * (DEPTH_MAX + 2) + b"]" * (DEPTH_MAX + 2), "levels"),
        (b'"' + b"x" * 200 + b'"', "at most 100 bytes"),
    ],
)
def test_what_is_not_a_modest_json_document_is_refused(data: bytes, expected: str) -> None:
    with pytest.raises(InvalidField, match=expected):
        decode_json(data, bytes_max=100 if expected.startswith("at most") else 1_000_000)


def test_a_document_as_deep_as_allowed_is_read() -> None:
    assert decode_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)


def test_an_odd_key_does_not_garble_the_path() -> None:
    fields = Fields({"a b": {"c.d": 1}}, "body")
    assert fields.child("a b").path("c.d") == "body['a b']['c.d']"


def test_a_boolean_is_not_a_number() -> None:
    with pytest.raises(InvalidField, match="an integer, found True"):
        Fields({"n": True}, "body").integer("n")

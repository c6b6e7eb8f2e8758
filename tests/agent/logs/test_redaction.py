from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.logs.redaction import (
    SECRETS_MAX,
    STACK_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    Redactor,
    masked,
)
from iotistic.model.secret import Secret

SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"apiKey": SECRET}, id="by name"),
        pytest.param({"body": {"auth": [{"password": SECRET}]}}, id="by name, deep inside"),
        pytest.param({"tokens": [SECRET]}, id="a list under such a name"),
        pytest.param({"password": {"value": SECRET}}, id="an object under such a name"),
        pytest.param({"value": Secret(SECRET)}, id="wrapped"),
        pytest.param({"values": {"x": [Secret(SECRET)]}}, id="wrapped, deep inside"),
        pytest.param({"why": f"got {SECRET}!"}, id="learned, inside a text"),
        pytest.param({f"x{SECRET}": 1, "y": {f"x{SECRET}": 1}}, id="learned, in a name"),
        pytest.param({"why": "Authorization: Bearer abcdefgh12345678"}, id="a bearer token"),
        pytest.param({"why": ValueError(f"bad {SECRET}")}, id="in another's exception"),
    ],
)
def test_no_secret_comes_through(fields: dict[str, object]) -> None:
    redactor = Redactor()
    redactor.learn(Secret(SECRET))

    shown = json.dumps(redactor.fields(fields))

    assert SECRET not in shown
    assert "abcdefgh12345678" not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtts://user:pa55@host:8883/x", "mqtts://user:***@host:8883/x"),
        ("https://host:8883/a@b", "https://host:8883/a@b"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIcut", "-----BEGIN PRIVATE KEY-----***-----END"),
        ("mount -o user=u,Password=hush,rw", "mount -o user=u,Password=***,rw"),
        ("host=h;token=hush;port=1", "host=h;token=***;port=1"),
        ("the bearer of news", "the bearer of news"),
        ("a token = a word", "a token = a word"),
    ],
)
def test_shapes_that_carry_secrets_are_masked(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


class Color(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (float("inf"), "inf"),
        (Color.RED, "red"),
        (b"abc", "3 bytes"),
        (Path("/a/b"), "/a/b"),
        ({"a": (1, {2})}, {"a": [1, [2]]}),
        (3 * ["x"], ["x", "x", "x"]),
    ],
)
def test_values_become_json(value: object, expected: Any) -> None:
    assert Redactor().fields({"value": value}) == {"value": expected}


def test_what_is_too_long_too_deep_or_too_many_is_cut() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]

    shown = Redactor().fields({"text": "x" * 10**6, "deep": deep, "many": list(range(10**4))})

    assert len(shown["text"]) == TEXT_LENGTH_MAX
    assert len(json.dumps(shown)) < 2 * TEXT_LENGTH_MAX


def test_short_texts_are_not_learned_and_the_number_is_bounded() -> None:
    redactor = Redactor()
    redactor.learn(Secret("info"))
    redactor.learn(*(Secret(f"secret-{number:06}") for number in range(SECRETS_MAX + 1)))

    assert redactor.text("info") == "info"
    assert redactor.text("secret-000000") == "secret-000000"
    assert redactor.text(f"secret-{SECRETS_MAX:06}") == "***"


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"environment": ["A=1", "B", "C=x=y"]}, {"environment": ["A=***", "B", "C=***"]}),
        ({"Environment": {"A": {"deep": 1}}}, {"Environment": {"A": "***"}}),
        ({"env": "A=1"}, {"env": "***"}),
        ({"environment": None}, {"environment": None}),
        ([{"password": "x", "port": 1}], [{"password": "***", "port": 1}]),
        ({"passwordLength": 8}, {"passwordLength": 8}),
        ({"tokens": ["hush"], "none": []}, {"tokens": "***", "none": []}),
        ({"credentials": {"user": "u", "pin": "hush"}}, {"credentials": "***"}),
        ({"secrets": {"db": {"value": "hush"}}}, {"secrets": "***"}),
        (
            {"volumes": {"share": {"driver_opts": {"o": "username=u,password=hush,rw"}}}},
            {"volumes": {"share": {"driver_opts": {"o": "username=u,password=***,rw"}}}},
        ),
        (["mqtts://u:hush@host/x"], ["mqtts://u:***@host/x"]),
        (
            {"secrets": [], "token": "", "apiKey": None},
            {"secrets": [], "token": "", "apiKey": None},
        ),
    ],
)
def test_a_document_is_shown_without_secrets(document: Any, shown: Any) -> None:
    assert masked(document) == shown


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_breaks_nothing() -> None:
    assert Redactor().fields({"value": Broken()}) == {"value": "<Broken>"}


@given(st.text(alphabet="ab", max_size=20), st.text(alphabet="ab", min_size=6, max_size=8))
def test_a_learned_text_is_gone_wherever_it_stood(around: str, secret: str) -> None:
    redactor = Redactor()
    redactor.learn(Secret(secret))

    assert secret not in redactor.text(around + secret + around)


def test_a_stack_is_bounded() -> None:
    def deeper(levels: int) -> None:
        if not levels:
            raise ValueError("x" * 10**5)
        deeper(levels - 1)

    with pytest.raises(ValueError, match="x") as raised:
        deeper(200)

    shown = Redactor().fields({"error": raised.value})["error"]
    assert len(shown["stack"]) <= STACK_LENGTH_MAX

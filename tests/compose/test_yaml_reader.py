"""What a document may do to its reader, and what its scalars mean."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iotistic.compose import read_yaml, yaml_reader, yaml_text
from iotistic.model.errors import InvalidField

SCANNERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


@pytest.fixture(params=SCANNERS, autouse=True)
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scanner that may be installed."""
    monkeypatch.setattr(yaml_reader, "_LOADER", request.param)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("no", "no", id="no is a text, as compose has it"),
        pytest.param("on", "on", id="on is a text"),
        pytest.param("true", True, id="true"),
        pytest.param("22:22", "22:22", id="a port is no number to the base of sixty"),
        pytest.param("0444", 0o444, id="permissions are octal"),
        pytest.param("0o17", 15, id="octal, spelled out"),
        pytest.param("08", 8.0, id="no octal digit"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("-5", -5, id="below nothing"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param("1e3", 1000.0, id="a power"),
        pytest.param("1e999", "1e999", id="beyond what a number can be"),
        pytest.param(".inf", ".inf", id="JSON has no infinity"),
        pytest.param("1_0", "1_0", id="no separators"),
        pytest.param("9" * 5000, "9" * 5000, id="digits without end"),
        pytest.param("2024-01-01", "2024-01-01", id="a date is a text"),
        pytest.param("~", None, id="nothing"),
        pytest.param("'1'", "1", id="quoted"),
        pytest.param("!!str 1", "1", id="said to be a text"),
        pytest.param("!!int '7'", 7, id="said to be a number"),
        pytest.param("", None, id="an empty document"),
    ],
)
def test_what_a_scalar_means(text: str, meaning: Any) -> None:
    found = read_yaml(text).value

    assert (type(found), found) == (type(meaning), meaning)


def test_merge_keys_fill_in_what_an_object_does_not_say_itself() -> None:
    document = read_yaml(
        """
        x-a: &a {restart: "no", user: a}
        x-b: &b {user: b, tty: true}
        web: {user: web, <<: *a}
        db: {<<: [*a, *b]}
        quoted: {"<<": text}
        """
    ).value

    assert document["web"] == {"user": "web", "restart": "no"}
    assert document["db"] == {"restart": "no", "user": "a", "tty": True}
    assert document["quoted"] == {"<<": "text"}


def test_everything_has_its_line() -> None:
    document = read_yaml("a:\n  b:\n    - 1\n    - c: 2\n'odd.name': 3\n")

    assert document.line_of("a.b[1].c") == 4
    assert document.line_of("['odd.name']") == 5
    assert document.line_of("a.b[7].unknown") == 2
    assert document.line_of("z") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: 1\nb:\n  c: 1\n  c: 2", "b.c: .* line 3.* line 4", id="a name twice"),
        pytest.param("a: [1\nb: 2", "line [23], column", id="not closed"),
        pytest.param("a:\n\tb: 1", "line 2.*spaces to indent with, found 'a tab'", id="a tab"),
        pytest.param("a:\n  b: 1\n\tc: 2", "line 3.*a tab", id="a tab after spaces"),
        pytest.param("a: &x [*x]", "line 1: .*no alias in itself", id="an alias in itself"),
        pytest.param("a: *x", "line 1", id="an alias of nothing"),
        pytest.param("a: !!python/object:os.system x", "line 1: .*tag", id="a tag of a language"),
        pytest.param("a: !reset null", "line 1: .*tag", id="a tag of somebody"),
        pytest.param("a: !!int x", "line 1: .*int", id="not what it is said to be"),
        pytest.param("a: 1\n---\nb: 2", "line 2: .*one document", id="two documents"),
        pytest.param("? [a, b]\n: 1", "texts as names", id="a list as a name"),
        pytest.param("? ~\n: 1", "texts as names", id="nothing as a name"),
        pytest.param("a: \x01", "YAML", id="a control character"),
        pytest.param("<<: 3", "an object to take from", id="a merge of a number"),
        pytest.param("[" * 40 + "]" * 40, "at most 32 levels", id="too deep"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidField, match=told):
        read_yaml(text)


LAUGHS = (
    "a: &a ["
    + "lol," * 9
    + "]\n"
    + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
)
LONG_TEXTS = f"a: &a {'x' * 500_000}\nb: [{','.join(['*a'] * 1000)}]"
MERGES = (
    "a: &a {"
    + ",".join(f"k{n}: 1" for n in range(200))
    + "}\n"
    + "".join(f"m{n}: {{<<: *a}}\n" for n in range(2000))
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LAUGHS, id="a billion laughs"),
        pytest.param(LONG_TEXTS, id="one long text a thousand times"),
        pytest.param(MERGES, id="merges"),
        pytest.param("[" * 200_000, id="brackets that only open"),
        pytest.param("- " * 200_000, id="lists in lists"),
        pytest.param("a: '" + "x" * 2_000_000 + "'", id="a large document"),
    ],
)
def test_a_document_that_would_swell_is_refused_before_it_does(text: str) -> None:
    began = time.process_time()

    with pytest.raises(InvalidField):
        read_yaml(text)

    assert time.process_time() - began < 10


@pytest.mark.parametrize("text", ["a: 'hush\nb: 1", "hush: [hush", "a: hush: hush", "%hush\n@hush"])
def test_no_value_of_a_broken_document_is_shown(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_yaml(text.replace("hush", "s3cret-value") + "\n: : :")

    assert "s3cret" not in str(refused.value)


texts = st.text(max_size=20) | st.sampled_from(
    ["no", "0444", "08", "1e3", "22:22", "~", "", "<<", "a\nb\n", " a\nb ", "0o17", "=", "1_0", "é"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**49), 2**49)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | texts
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.filter(bool), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents)
def test_what_is_written_is_read_as_it_was(document: Any) -> None:
    assert read_yaml(yaml_text(document)).value == document


@given(st.text(max_size=200) | st.text("ab:-&*<[]{}'\"|>#!?% \n\t", max_size=60))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    with suppress(InvalidField):
        found = read_yaml(text).value
        assert read_yaml(yaml_text(found)).value == found

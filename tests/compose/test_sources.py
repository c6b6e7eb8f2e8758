"""What stands elsewhere: beside the file, or in variables that were given."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.compose import read_yaml, resolved
from iotistic.model.errors import InvalidField
from tests.compose.builders import Shelf, one_service


def web(fields: str, files: Shelf | None = None, **variables: str) -> Any:
    document = resolved(read_yaml(one_service(fields)).value, variables=variables, files=files)
    return document.document["services"]["web"]


def test_a_file_of_variables_becomes_the_environment_below_what_the_service_says() -> None:
    shelf = Shelf(a_env="A=file\nB=file\nC=file", b_env="B=later")

    found = web("env_file: [a.env, b.env]\nenvironment: [A=own, C]", shelf)

    assert found["environment"] == {"A": "own", "B": "later", "C": "file"}
    assert "env_file" not in found


def test_files_of_variables_in_their_long_form() -> None:
    shelf = Shelf(a_env="A='x'")

    found = web("env_file: [{path: a.env, format: raw}, {path: none.env, required: false}]", shelf)

    assert found["environment"] == {"A": "'x'"}


def test_a_file_of_labels_becomes_labels() -> None:
    found = web("label_file: l.txt\nlabels: {b: own}", Shelf(l_txt="a=1\nb=2"))

    assert found["labels"] == {"a": "1", "b": "own"}


def test_names_alone_take_what_was_given() -> None:
    assert web("environment: [A, B]", A="1")["environment"] == ["A=1", "B"]
    assert web("environment: {A: , B: }", A="1")["environment"] == {"A": "1", "B": None}


def test_secrets_come_from_files_and_variables() -> None:
    text = "secrets: {a: {file: ./a.txt}, b: {environment: PW}, c: {value: x}}"
    shelf = Shelf()
    shelf._texts["./a.txt"] = "from a file\n"

    found = resolved(read_yaml(text).value, variables={"PW": "given"}, files=shelf)

    assert found.document["secrets"] == {
        "a": {"value": "from a file\n"},
        "b": {"value": "given"},
        "c": {"value": "x"},
    }
    assert found.notes == ("secrets.a: the content of ./a.txt is part of the target, sealed",)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param(one_service("env_file: .env"), "services.web.env_file", id="variables"),
        pytest.param(one_service("label_file: [a]"), "services.web.label_file[0]", id="labels"),
        pytest.param("secrets: {a: {file: a}}", "secrets.a.file", id="a secret"),
    ],
)
def test_where_there_are_no_files_their_names_are_refused(text: str, path: str) -> None:
    with pytest.raises(InvalidField, match="iotctl reads them") as refused:
        resolved(read_yaml(text).value, variables={})

    assert refused.value.path == path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(one_service("env_file: none.env"), "a file that exists", id="no such file"),
        pytest.param(one_service("env_file: [{path: a.env, format: x}]"), "format", id="format"),
        pytest.param(one_service("env_file: 5"), "the path of a file", id="no path"),
        pytest.param(
            "secrets: {a: {environment: NONE}}", "a value for NONE", id="no such variable"
        ),
        pytest.param(
            one_service(f"env_file: [{'a.env, ' * 101}]"), "at most 100 files", id="too many"
        ),
    ],
)
def test_what_cannot_be_resolved_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidField, match=told):
        resolved(read_yaml(text).value, variables={}, files=Shelf(a_env="A=1"))

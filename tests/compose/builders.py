"""Short words for compose files: a text, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.compose import FromCompose, from_compose, read_yaml, resolved
from iotistic.model.errors import InvalidField


class Shelf:
    """Files beside a compose file, by their names."""

    def __init__(self, **texts: str) -> None:
        self._texts = {name.replace("_", "."): text for name, text in texts.items()}
        self.asked: list[tuple[str, str]] = []

    def read(self, path: str, *, at: str) -> str | None:
        self.asked.append((path, at))
        return self._texts.get(path)


def app_of(
    text: str,
    variables: Mapping[str, str] | None = None,
    files: Shelf | None = None,
    **how: Any,
) -> FromCompose:
    """The app that a compose file describes."""
    document = resolved(read_yaml(text).value, variables=variables or {}, files=files).document
    return from_compose(document, **how)


def service_of(fields: str, variables: Mapping[str, str] | None = None, **how: Any) -> Any:
    """The one service of a file with these fields, as the wire has it."""
    return app_of(one_service(fields), variables, **how).app["services"][0]


def one_service(fields: str) -> str:
    lines = "".join(f"    {line}\n" for line in fields.strip("\n").split("\n"))
    return f"name: shop\nservices:\n  web:\n    image: nginx:1.27\n{lines}"


def refusal(text: str, variables: Mapping[str, str] | None = None, **how: Any) -> InvalidField:
    """What a file is refused with."""
    try:
        found = app_of(text, variables, **how)
    except InvalidField as error:
        return error
    raise AssertionError(f"it was taken: {found.app}")

"""Texts, lists of them and maps of them, in the short and the long forms that compose has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields, check_text, join
from iotistic.model.secret_names import is_secret_name
from iotistic.model.service import Pairs

ENTRIES_MAX = 1000
PATH_LENGTH_MAX = 4096
RESERVED_LABELS = "iotistic."
OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
OBJECT_EXPECTED = "a name of letters, digits, '_', '.' and '-', at most 63 long"
_LABEL_NAME = re.compile(r"[^=\s\0]{1,256}")


def pairs(
    fields: Fields,
    *names: str,
    secret: bool = False,
    high: int = ENTRIES_MAX,
    mark: str = "=",
) -> Iterator[tuple[str, str | None, str]]:
    """(name, value or None, path) of a mapping, or of a list of `name=value`.

    `mark` are the characters that may part the two in a list, the first of them that is there.
    """
    raw = fields.raw(*names)
    at = fields.path(names[0])
    if raw is None:
        return
    if not isinstance(raw, Mapping | list):
        raise InvalidField(at, expected="an object or a list", found=raw, secret=secret)
    if len(raw) > high:
        raise InvalidField(at, expected=f"at most {high} entries", found=len(raw))
    if isinstance(raw, Mapping):
        for name, value in raw.items():
            path = join(at, str(name))
            masked = secret or is_secret_name(str(name))
            yield str(name), scalar(value, path, secret=masked), path
        return
    for n, item in enumerate(raw):
        text = check_text(item, f"{at}[{n}]", secret=secret)
        sign = next((sign for sign in mark if sign in text), mark[0])
        name, found, value = text.partition(sign)
        yield name, value if found else None, f"{at}[{n}]"


def scalar(value: Any, at: str, *, secret: bool = False) -> str | None:
    """A text as it is, a number or boolean as compose writes it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return check_text(value, at, secret=secret)


def text_pairs(fields: Fields, *names: str, pattern: re.Pattern[str] = _LABEL_NAME) -> Pairs:
    """Names with values, sorted by name; a missing value is ""."""
    values: dict[str, str] = {}
    for name, value, at in pairs(fields, *names):
        check_text(name, at, pattern=pattern, expected="a name without blanks and '='")
        values[name] = value or ""
    return tuple(sorted(values.items()))


def labels(fields: Fields, name: str = "labels", *, high: int = ENTRIES_MAX) -> Pairs:
    """Labels, sorted; those of the agent itself are refused."""
    values: dict[str, str] = {}
    for label, value, at in pairs(fields, name, high=high):
        check_text(label, at, pattern=_LABEL_NAME, expected="a label name")
        if label.startswith(RESERVED_LABELS):
            raise InvalidField(
                at,
                expected=f"no label that starts with {RESERVED_LABELS!r}",
                found=label,
                remedy="these are the agent's own; use another prefix",
            )
        values[label] = value or ""
    return tuple(sorted(values.items()))


def texts(fields: Fields, *names: str, read: Callable[[Any, str], str]) -> tuple[str, ...]:
    """A list of texts, or one text alone, each read by `read(entry, path)`; in order, each once."""
    raw = fields.raw(*names)
    at = fields.path(names[0])
    if raw is None or raw == "":
        return ()
    if not isinstance(raw, list):
        return (read(raw, at),)
    if len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=f"at most {ENTRIES_MAX} entries", found=len(raw))
    return tuple(dict.fromkeys(read(item, f"{at}[{n}]") for n, item in enumerate(raw)))


def matching(
    pattern: re.Pattern[str], expected: str, *, length_max: int = 1024
) -> Callable[[Any, str], str]:
    """A reader of a text that matches `pattern` whole."""

    def read(raw: Any, at: str) -> str:
        return check_text(raw, at, length_max=length_max, pattern=pattern, expected=expected)

    return read


def unset(fields: Fields, *names: str) -> Any:
    """The value as it came; None also for "", which compose takes for not said."""
    raw = fields.raw(*names)
    return None if raw == "" else raw


def flag(fields: Fields, *names: str) -> bool | None:
    """True or false, None when not said."""
    return None if fields.raw(*names) is None else fields.boolean(*names, default=False)


def each(fields: Fields, *names: str) -> Iterator[tuple[Any, str]]:
    """(entry, path) of a list, or of the one entry that stands for a list of one."""
    raw = fields.raw(*names)
    at = fields.path(names[0])
    if raw is None:
        return
    if not isinstance(raw, list):
        yield raw, at
        return
    if len(raw) > ENTRIES_MAX:
        raise InvalidField(at, expected=f"at most {ENTRIES_MAX} entries", found=len(raw))
    yield from ((item, f"{at}[{n}]") for n, item in enumerate(raw))


def object_name(raw: Any, at: str) -> str:
    """The name of a network, volume, secret or service."""
    return check_text(raw, at, pattern=OBJECT_NAME, expected=OBJECT_EXPECTED)


def absolute(raw: Any, at: str) -> str:
    """An absolute path in its shortest form: no slash at the end, none doubled."""
    expected = "an absolute path without '..'"
    path = check_text(raw, at, length_max=PATH_LENGTH_MAX, expected=expected)
    if not path.startswith("/") or ".." in path.split("/"):
        raise InvalidField(at, expected=expected, found=path)
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))

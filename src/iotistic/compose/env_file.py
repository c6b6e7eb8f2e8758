"""Files of `NAME=VALUE` lines, as compose reads them (pure: the text comes in)."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping

from iotistic.compose.interpolation import Interpolation
from iotistic.model.errors import InvalidField

ENTRIES_MAX = 1000
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]{0,255})[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REST = re.compile(r"[^\r\n]*")
_COMMENT = re.compile(r"(?:^|[ \t])#.*", re.DOTALL)
_AFTER_QUOTES = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?=\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}


def parse_env_file(
    text: str, at: str, variables: Mapping[str, str], *, raw: bool = False
) -> dict[str, str]:
    """The variables of a file. `at` is what messages call it; no value is ever shown.

    A value in single quotes is taken as it is; others may hold expressions over `variables` and
    over what stands above them. A name alone takes its value from `variables`, or is left out.
    `raw`: each line is taken as it is behind the sign. Raises InvalidField.
    """
    found: dict[str, str] = {}
    reading = Interpolation(ChainMap({**variables}, found))
    place = 0
    while (place := _end(_BLANK, text, place)) < len(text):
        where = f"{at} line {text.count(chr(10), 0, place) + 1}"
        name_match = _NAME.match(text, place)
        if name_match is None or len(found) >= ENTRIES_MAX:
            raise InvalidField(
                where,
                expected="NAME=VALUE" if name_match is None else f"at most {ENTRIES_MAX} lines",
                secret=True,
            )
        name, place = name_match[1], name_match.end()
        if not text.startswith("=", place):
            rest = _REST.match(text, place)
            if rest is not None and _COMMENT.sub("", rest[0]).strip():
                raise InvalidField(where, expected="NAME=VALUE", secret=True)
            place = rest.end() if rest is not None else place
            if name in variables:
                found[name] = variables[name]
            continue
        value, place = _value(text, place + 1, where, reading, raw=raw)
        found[name] = value
    reading.finish()
    return found


def _value(
    text: str, place: int, where: str, reading: Interpolation, *, raw: bool
) -> tuple[str, int]:
    rest_end = _end(_REST, text, place)
    if raw:
        return text[place:rest_end], rest_end
    while place < len(text) and text[place] in " \t":
        place += 1
    for quote, pattern in (("'", _SINGLE), ('"', _DOUBLE)):
        if text.startswith(quote, place):
            match = pattern.match(text, place)
            if match is None or not _AFTER_QUOTES.match(text, match.end()):
                raise InvalidField(where, expected="a value with closed quotes", secret=True)
            if quote == "'":
                return match[1], _end(_REST, text, match.end())
            value = _ESCAPE.sub(_unescape, match[1])
            return reading.text(value, where), _end(_REST, text, match.end())
    value = _COMMENT.sub("", text[place:rest_end]).strip()
    return reading.text(value, where), rest_end


def _unescape(match: re.Match[str]) -> str:
    if match[1] == "$":
        return "$$"  # a dollar sign that begins no expression
    return _ESCAPES.get(match[1], match[0])


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match is not None else place

"""Reading YAML within limits, with the line of everything, the way compose reads it.

Plain scalars are resolved as compose resolves them, which is YAML 1.2 with the octal numbers of
1.1: `no` and `on` are texts, and so is `22:22`. What a document may do to its reader is bounded:
size, depth, and how much its aliases make of it. Names stand once in an object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from iotistic.model.errors import InvalidField
from iotistic.model.reader import DEPTH_MAX, join

YAML_BYTES_MAX = 1024 * 1024
NODES_MAX = 100_000
"""Values in a document, each alias counted as all it stands for."""
CHARACTERS_MAX = 10 * 1024 * 1024
"""Characters of all texts in a document, counted likewise."""

# libyaml, where the installed package has it, is ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "<<"
_OUR_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0x[0-9a-fA-F]{1,13}|0o?[0-7]{1,17}|0b[01]{1,52}|[0-9]{1,15})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """A document of mappings, lists and scalars; `lines` by the path that messages name."""

    value: Any = field(repr=False)
    lines: Mapping[str, int]

    def line_of(self, path: str) -> int | None:
        """The line where `path` stands, or else the nearest thing around it that has one."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


def read_yaml(text: str, *, bytes_max: int = YAML_BYTES_MAX) -> YamlDocument:
    """Read one document. Raises InvalidField, which names the line; never shows a value."""
    if len(text) > bytes_max or len(text.encode("utf-8", "replace")) > bytes_max:
        raise InvalidField("the document", expected=f"at most {bytes_max} bytes", found=len(text))
    try:
        return _Reading(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the document"
        if mark and _at(text, mark) == "\t":
            raise InvalidField(where, expected="spaces to indent with", found="a tab") from error
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise InvalidField(where, expected="YAML", found=problem) from error
    except yaml.YAMLError as error:
        raise InvalidField("the document", expected="YAML in UTF-8", secret=True) from error


def _at(text: str, mark: yaml.Mark) -> str:
    """The character that the mark points at."""
    lines = text.splitlines()
    return lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""


def resolved(text: str) -> Any:
    """What a plain scalar means: None, a boolean, a number, or the text that it is."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if len(text) <= 64 and _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _integer(text: str) -> int | float:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    if digits.startswith("0") and len(digits) > 1:
        # 0444 is how permissions are written; 08 is no octal number, and a float to compose.
        return sign * int(digits, 8) if set(digits) <= set("01234567") else float(text)
    return int(text)


@dataclass(frozen=True, slots=True)
class _Built:
    """A value, and how much of a document it is."""

    value: Any
    nodes: int
    characters: int


class _Reading:
    """One document while it is read: events of the scanner in, values out."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, _Built | None] = {}
        self._lines: dict[str, int] = {}
        self._nodes = 0
        self._characters = 0

    def document(self) -> YamlDocument:
        """All of it."""
        value: Any = None
        found = 0
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                found += 1
                if found > 1:
                    line = _line(event)
                    raise InvalidField(f"line {line}", expected="one document", found="another one")
                value = self._node(next(self._events), "", 0).value
        return YamlDocument(value=value, lines=self._lines)

    def _node(self, event: Any, at: str, depth: int) -> _Built:
        line = _line(event)
        self._lines.setdefault(at, line)
        if isinstance(event, events.AliasEvent):
            return self._alias(str(event.anchor), line)
        if depth > DEPTH_MAX:
            raise InvalidField(
                f"line {line}", expected=f"at most {DEPTH_MAX} levels", found="a deeper document"
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # an alias inside of it would never end
        if isinstance(event, events.ScalarEvent):
            built = self._count(_Built(_scalar(event, line), 1, len(event.value)), line)
        elif isinstance(event, events.SequenceStartEvent):
            _check_tag(event, "seq", line)
            built = self._sequence(at, depth, line)
        else:
            _check_tag(event, "map", line)
            built = self._mapping(at, depth, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = built
        return built

    def _count(self, built: _Built, line: int) -> _Built:
        self._nodes += built.nodes
        self._characters += built.characters
        for count, high, what in (
            (self._nodes, NODES_MAX, "values"),
            (self._characters, CHARACTERS_MAX, "characters"),
        ):
            if count > high:
                raise InvalidField(
                    f"line {line}",
                    expected=f"at most {high} {what}, with all that aliases stand for",
                    found="more",
                )
        return built

    def _alias(self, anchor: str, line: int) -> _Built:
        if anchor not in self._anchors:
            raise InvalidField(
                f"line {line}", expected="an anchor that stands before", found=anchor
            )
        built = self._anchors[anchor]
        if built is None:
            raise InvalidField(f"line {line}", expected="no alias in itself", found=anchor)
        return self._count(built, line)

    def _sequence(self, at: str, depth: int, line: int) -> _Built:
        before = (self._nodes, self._characters)
        self._count(_Built(None, 1, 0), line)
        items: list[Any] = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            items.append(self._node(event, f"{at}[{len(items)}]", depth + 1).value)
        return self._since(items, before)

    def _mapping(self, at: str, depth: int, line: int) -> _Built:
        before = (self._nodes, self._characters)
        self._count(_Built(None, 1, 0), line)
        own: dict[str, Any] = {}
        seen: dict[str, int] = {}
        merged: list[tuple[Mapping[str, Any], int]] = []
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            key_line = _line(event)
            is_merge = isinstance(event, events.ScalarEvent) and _is_merge(event)
            name = self._key(event, at, key_line)
            if name in seen:
                raise InvalidField(
                    join(at, name),
                    expected=f"each name once, and it stands on line {seen[name]}",
                    found=f"again on line {key_line}",
                )
            seen[name] = key_line
            path = join(at, name)
            self._lines[path] = key_line
            value = self._node(next(self._events), path, depth + 1).value
            if is_merge:
                merged += [(mapping, key_line) for mapping in _to_merge(value, path)]
            else:
                own[name] = value
        for mapping, merge_line in merged:
            for name, value in mapping.items():
                if name not in own:
                    own[name] = value
                    self._lines.setdefault(join(at, name), merge_line)
        return self._since(own, before)

    def _since(self, value: Any, before: tuple[int, int]) -> _Built:
        return _Built(value, self._nodes - before[0], self._characters - before[1])

    def _key(self, event: Any, at: str, line: int) -> str:
        if isinstance(event, events.AliasEvent):
            name = self._alias(str(event.anchor), line).value
        elif isinstance(event, events.ScalarEvent):
            self._count(_Built(None, 1, len(event.value)), line)
            # As it is written: 080 and 8080 are names of their own.
            name = None if _is_plain(event) and resolved(event.value) is None else event.value
        else:
            name = None
        if not isinstance(name, str) or not name:
            raise InvalidField(
                at or "the document", expected="texts as names", found=f"another on line {line}"
            )
        return name


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _is_plain(event: Any) -> bool:
    return not event.style  # None of the one scanner, "" of the other


def _is_merge(event: Any) -> bool:
    return event.value == _MERGE and _is_plain(event)


def _to_merge(value: Any, path: str) -> Iterator[Mapping[str, Any]]:
    found = value if isinstance(value, list) else [value]
    for item in found:
        if not isinstance(item, Mapping):
            raise InvalidField(path, expected="an object to take from, or a list of them")
        yield item


def _check_tag(event: Any, kind: str, line: int) -> None:
    if event.tag not in (None, "!", _OUR_TAG + kind):
        raise _foreign_tag(event.tag, line)


def _scalar(event: Any, line: int) -> Any:
    text: str = event.value
    tag: str | None = event.tag
    if tag is None:
        return resolved(text) if _is_plain(event) else text
    if tag in ("!", f"{_OUR_TAG}str"):
        return text
    wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}
    kind = wanted.get(tag.removeprefix(_OUR_TAG)) if tag.startswith(_OUR_TAG) else None
    if kind is None:
        raise _foreign_tag(tag, line)
    value = resolved(text)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise InvalidField(f"line {line}", expected=f"a value that is a {tag[len(_OUR_TAG) :]}")
    return value


def _foreign_tag(tag: str, line: int) -> InvalidField:
    return InvalidField(f"line {line}", expected="no tag but YAML's own plain ones", found=tag)

"""Reading what arrives: everything from outside is hostile until it went through here.

`decode_json` bounds size and depth; `Fields` reads one mapping, knows the path to it, refuses
what does not fit with `InvalidField`, and in the end names the fields nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import FAULTS_MAX, InvalidField, together

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=StrEnum)

BODY_BYTES_MAX = 10 * 1024 * 1024
DEPTH_MAX = 32
TEXT_LENGTH_MAX = 32 * 1024
ITEMS_MAX = 10_000
WARNINGS_MAX = 200
EXTENSION = "x-"
"""Fields whose name starts with it are their writer's own; nobody looks at them."""
_ALIKE = 0.82
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def decode_json(data: bytes, *, at: str = "body", bytes_max: int = BODY_BYTES_MAX) -> Any:
    """Decode JSON within limits of size and depth; raises InvalidField for `at` otherwise."""
    if len(data) > bytes_max:
        raise InvalidField(at, expected=f"at most {bytes_max} bytes", found=len(data))
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidField(at, expected="JSON", found=_excerpt(data)) from error
    if _deeper_than(value, DEPTH_MAX):
        raise InvalidField(at, expected=f"at most {DEPTH_MAX} levels", found="a deeper document")
    return value


def _excerpt(data: bytes) -> str:
    return data[:60].decode("utf-8", "replace")


def _deeper_than(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            child
            for item in layer
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


def read_each(
    paths: Iterable[str], items: Iterable[U], parse: Callable[[U, str], T]
) -> tuple[T, ...]:
    """`parse(item, path)` of each; what is wrong with several is one InvalidField with all."""
    found: list[T] = []
    faults: list[InvalidField] = []
    for path, item in zip(paths, items, strict=True):
        try:
            found.append(parse(item, path))
        except InvalidField as error:
            faults += error.all
            if len(faults) >= FAULTS_MAX:
                break
    if faults:
        raise together(faults)
    return tuple(found)


class Fields:
    """One mapping of a message, read field by field.

    Getters take the names under which the field may come; the first is the one errors name.
    `null` counts as absent. With `strict` nothing may come that is not applied: what would be a
    warning about a field is an error.
    """

    def __init__(
        self,
        value: object,
        at: str,
        *,
        warnings: list[str] | None = None,
        strict: bool = False,
    ) -> None:
        if not isinstance(value, Mapping):
            raise InvalidField(at, expected="an object", found=value)
        if len(value) > ITEMS_MAX:
            raise InvalidField(at, expected=f"at most {ITEMS_MAX} fields", found=len(value))
        self._value = value
        self._asked: set[str] = set()
        self.at = at
        self.warnings = warnings if warnings is not None else []
        self.strict = strict

    def path(self, name: str) -> str:
        """The path to a field of this mapping."""
        return join(self.at, name)

    def raw(self, *names: str) -> Any:
        """The value as it came, or None. Where several names are given the first present wins."""
        self._asked.update(names)
        for name in names:
            found = self._value.get(name)
            if found is not None:
                return found
        return None

    def required(self, *names: str, expected: str) -> Any:
        """The value as it came; raises InvalidField when absent."""
        found = self.raw(*names)
        if found is None:
            raise InvalidField(self.path(names[0]), expected=expected)
        return found

    def text(
        self,
        *names: str,
        length_max: int = TEXT_LENGTH_MAX,
        pattern: re.Pattern[str] | None = None,
        expected: str = "a text",
        secret: bool = False,
    ) -> str:
        """A required text."""
        return check_text(
            self.required(*names, expected=expected),
            self.path(names[0]),
            length_max=length_max,
            pattern=pattern,
            expected=expected,
            secret=secret,
        )

    def optional_text(
        self,
        *names: str,
        length_max: int = TEXT_LENGTH_MAX,
        pattern: re.Pattern[str] | None = None,
        expected: str = "a text",
        secret: bool = False,
    ) -> str | None:
        """A text, or None when absent."""
        found = self.raw(*names)
        if found is None:
            return None
        return check_text(
            found,
            self.path(names[0]),
            length_max=length_max,
            pattern=pattern,
            expected=expected,
            secret=secret,
        )

    def integer(
        self, *names: str, default: int | None = None, low: int = 0, high: int = INTEGER_MAX
    ) -> int:
        """An integer in [low, high]; required when there is no default."""
        found = self.raw(*names)
        if found is None:
            if default is None:
                raise InvalidField(self.path(names[0]), expected="an integer")
            return default
        return check_integer(found, self.path(names[0]), low=low, high=high)

    def optional_integer(self, *names: str) -> int | None:
        """An integer, not below 0, or None when absent."""
        found = self.raw(*names)
        return None if found is None else check_integer(found, self.path(names[0]))

    def boolean(self, *names: str, default: bool) -> bool:
        """A boolean; nothing else will do."""
        found = self.raw(*names)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise InvalidField(self.path(names[0]), expected="true or false", found=found)
        return found

    def choice(self, name: str, kind: type[E], *, default: E) -> E:
        """One of the values of an enum."""
        found = self.raw(name)
        if found is None:
            return default
        try:
            return kind(found)
        except ValueError as error:
            values = ", ".join(kind)
            raise InvalidField(self.path(name), expected=f"one of {values}", found=found) from error

    def mapping(self, *names: str) -> Mapping[str, Any]:
        """An object, empty when absent."""
        found = self.raw(*names)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise InvalidField(self.path(names[0]), expected="an object", found=found)
        if len(found) > ITEMS_MAX:
            raise InvalidField(
                self.path(names[0]), expected=f"at most {ITEMS_MAX} entries", found=len(found)
            )
        return found

    def items(self, *names: str, high: int = ITEMS_MAX) -> Sequence[Any]:
        """A list, empty when absent."""
        found = self.raw(*names)
        if found is None:
            return ()
        if not isinstance(found, list | tuple):
            raise InvalidField(self.path(names[0]), expected="a list", found=found)
        if len(found) > high:
            raise InvalidField(
                self.path(names[0]), expected=f"at most {high} entries", found=len(found)
            )
        return found

    def each(self, name: str, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Every entry of a list, read by `parse(entry, path)`; of several faults all are told."""
        at = self.path(name)
        items = self.items(name)
        return read_each((f"{at}[{n}]" for n in range(len(items))), items, parse)

    def child(self, name: str) -> Fields:
        """The object under `name`, empty when absent; its warnings join ours."""
        return self.nested(self.mapping(name), self.path(name))

    def nested(self, value: object, at: str) -> Fields:
        """Another mapping of the same message; its warnings join ours."""
        return Fields(value, at, warnings=self.warnings, strict=self.strict)

    def warn(self, at: str, text: str) -> None:
        """Add a warning about what stands at `at`; a message that goes wrong often is cut short."""
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(f"{at}: {text}")

    def ignore(self, name: str, reason: str, *, remedy: str | None = None) -> None:
        """Take note of a known field that is not applied: a warning, or an error when strict."""
        if self.raw(name) is None:
            return
        if self.strict:
            raise InvalidField(
                self.path(name), expected=f"nothing ({reason})", found="a value", remedy=remedy
            )
        self.warn(self.path(name), f"{reason}, ignored")

    def warn_unknown(self) -> None:
        """Add one warning for each field that nobody asked for; raises InvalidField when strict."""
        for name in sorted(str(name) for name in self._value if name not in self._asked):
            if name.startswith(EXTENSION):
                continue
            meant = self._meant_by(name)
            if self.strict:
                raise InvalidField(
                    self.path(name),
                    expected="a field of the reference",
                    found="an unknown one",
                    remedy=f"correct its name{meant}, or remove it",
                )
            self.warn(self.path(name), f"unknown field, ignored{meant}")

    def _meant_by(self, name: str) -> str:
        """The field that somebody misspelled, perhaps, for the end of a message."""
        if len(self.warnings) >= WARNINGS_MAX:  # nobody reads it, and it is not for nothing
            return ""
        alike = get_close_matches(name[:64], self._asked, n=1, cutoff=_ALIKE)
        return f" ({alike[0]}?)" if alike else ""


def join(at: str, name: str) -> str:
    """The path of a field `name` below `at`, readable for odd names as well."""
    part = name if _PLAIN_KEY.match(name) else f"[{name[:64]!r}]"
    if not at:
        return part
    return f"{at}{part}" if part.startswith("[") else f"{at}.{part}"


def check_text(
    value: object,
    at: str,
    *,
    length_max: int = TEXT_LENGTH_MAX,
    pattern: re.Pattern[str] | None = None,
    expected: str = "a text",
    secret: bool = False,
) -> str:
    """`value` as a text without NUL, not longer than `length_max`, that matches `pattern` whole."""
    if not isinstance(value, str):
        raise InvalidField(at, expected=expected, found=value, secret=secret)
    if len(value) > length_max:
        raise InvalidField(
            at, expected=f"at most {length_max} characters", found=len(value), secret=secret
        )
    if "\0" in value or (pattern is not None and not pattern.fullmatch(value)):
        raise InvalidField(at, expected=expected, found=value, secret=secret)
    return value


def check_integer(value: object, at: str, *, low: int = 0, high: int = INTEGER_MAX) -> int:
    """`value` as an integer in [low, high]; a boolean is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidField(at, expected="an integer", found=value)
    if not low <= value <= high:
        raise InvalidField(at, expected=f"an integer from {low} to {high}", found=value)
    return value

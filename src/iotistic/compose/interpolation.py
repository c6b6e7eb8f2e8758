"""`${NAME}` in a document's texts: from variables that somebody gave, never from where it runs.

    $NAME  ${NAME}               the value; an error without one
    ${NAME:-TEXT}  ${NAME-TEXT}  TEXT without a value (with the colon: or with an empty one)
    ${NAME:?TEXT}  ${NAME?TEXT}  an error that says TEXT, likewise
    ${NAME:+TEXT}  ${NAME+TEXT}  TEXT with a value, else nothing
    $$                           a dollar sign

TEXT may hold such expressions again. Values are taken as they are. No value is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import InvalidField
from iotistic.model.reader import join

EXPANDED_MAX = 10 * 1024 * 1024
"""Characters that all expressions of a document may become."""
NESTING_MAX = 8
_SHOWN_NAMES_MAX = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_OPERATOR = re.compile(r":?[-?+]")
_OURS = "x-iotistic"
# Booleans of compose: a text that comes out of an expression is none yet.
_FLAGS = frozenset(
    {
        "attachable", "disable", "enable_ipv6", "external", "init", "internal", "nocopy",
        "oom_kill_disable", "privileged", "read_only", "required", "restart", "stdin_open", "tty",
        "update_lock",
    }
)  # fmt: skip
_WORDS = {"true": True, "false": False}
_TAKEN_AS_TEXT = frozenset(
    {"annotations", "driver_opts", "environment", "labels", "options", "sysctls"}
)


def interpolated(document: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The document with every expression replaced; names of objects stay as they are.

    Extension fields at the top (`x-…`) are left alone: they count where they are used. Raises
    InvalidField, which names all variables that have no value.
    """
    reading = Interpolation(variables)
    done = {
        name: value
        if name.startswith("x-") and name != _OURS
        else reading.value(value, join("", name), is_flag=False)
        for name, value in document.items()
    }
    reading.finish()
    return done


class Interpolation:
    """Replaces expressions in texts, and keeps which variables were missing."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._missing: dict[str, str] = {}
        self._expanded = 0

    def value(self, value: Any, at: str, *, is_flag: bool) -> Any:
        """Any value of a document; `is_flag`: a text `true` or `false` that came out is one."""
        if isinstance(value, Mapping):
            as_text = at.rpartition(".")[2] in _TAKEN_AS_TEXT
            return {
                name: self.value(item, join(at, name), is_flag=not as_text and name in _FLAGS)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item, f"{at}[{n}]", is_flag=False) for n, item in enumerate(value)]
        if not isinstance(value, str) or "$" not in value:
            return value
        text = self.text(value, at)
        return _WORDS.get(text, text) if is_flag else text

    def text(self, text: str, at: str) -> str:
        """One text. Raises InvalidField for an expression that is none, and for too much."""
        return self._text(text, at, NESTING_MAX)

    def finish(self) -> None:
        """Raise InvalidField when a variable had no value."""
        if not self._missing:
            return
        names = sorted(set(self._missing.values()))
        more = ", …" if len(names) > _SHOWN_NAMES_MAX else ""
        raise InvalidField(
            next(iter(self._missing)),
            expected=f"a value for {', '.join(names[:_SHOWN_NAMES_MAX])}{more}",
            remedy=f"give it with --env {names[0]}=VALUE or --env-file FILE, or write a value to "
            f"take without one: ${{{names[0]}:-VALUE}}",
        )

    def _text(self, text: str, at: str, nesting: int) -> str:
        pieces: list[str] = []
        done = 0
        while (sign := text.find("$", done)) != -1:
            pieces.append(text[done:sign])
            if text.startswith("$$", sign):
                pieces.append("$")
                done = sign + 2
            elif text.startswith("${", sign):
                end = _end_of(text, sign, at)
                pieces.append(self._expression(text[sign + 2 : end], at, nesting))
                done = end + 1
            elif match := _NAME.match(text, sign + 1):
                pieces.append(self._known(match[0], at))
                done = match.end()
            else:
                raise _no_expression(at)
            self._expanded += len(pieces[-1])
            if self._expanded > EXPANDED_MAX:
                raise InvalidField(
                    at, expected=f"at most {EXPANDED_MAX} characters from variables", found="more"
                )
        pieces.append(text[done:])
        return "".join(pieces)

    def _expression(self, inner: str, at: str, nesting: int) -> str:
        match = _NAME.match(inner)
        if match is None or nesting == 0:
            raise _no_expression(at)
        name, rest = match[0], inner[match.end() :]
        if not rest:
            return self._known(name, at)
        operator = _OPERATOR.match(rest)
        if operator is None:
            raise _no_expression(at)
        found = self._variables.get(name)
        has_value = bool(found) if operator[0].startswith(":") else found is not None
        alternative = rest[operator.end() :]
        match operator[0][-1]:
            case "+":
                return self._text(alternative, at, nesting - 1) if has_value else ""
            case _ if has_value and found is not None:
                return found
            case "-":
                return self._text(alternative, at, nesting - 1)
            case _:
                why = f": {alternative[:200]}" if alternative else ""
                raise InvalidField(
                    at,
                    expected=f"a value for {name}{why}",
                    remedy=f"give it with --env {name}=VALUE or --env-file FILE",
                )

    def _known(self, name: str, at: str) -> str:
        found = self._variables.get(name)
        if found is None:
            self._missing.setdefault(at, name)
            return ""
        return found


def _end_of(text: str, start: int, at: str) -> int:
    """Where the brace closes that opens at `start` + 1."""
    open_braces = 0
    n = start
    while n < len(text):
        if text.startswith("${", n):
            open_braces += 1
            n += 2
        elif text[n] == "}":
            open_braces -= 1
            if open_braces == 0:
                return n
            n += 1
        else:
            n += 1
    raise _no_expression(at)


def _no_expression(at: str) -> InvalidField:
    # The text is not shown: what has a dollar sign in it is a password more often than not.
    return InvalidField(
        at,
        expected="${NAME}, with :-, :? or :+ and a text behind the name where that is meant",
        secret=True,
        remedy="a dollar sign itself is written $$",
    )

"""The one place where secrets are taken out of what is said.

Three nets, since each has holes: values of fields whose name sounds secret, `Secret` objects
wherever they stand, and every text that was once learned as a secret, inside any other text
(an error message of a library, say). Shapes that always carry one (bearer tokens, passwords in
addresses, private keys) are masked as well.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Mapping
from typing import Any

from iotistic.model.errors import MASK, IotisticError
from iotistic.model.secret import Secret
from iotistic.model.secret_names import is_secret_name

SECRET_LENGTH_MIN = 6
SECRETS_MAX = 1000
TEXT_LENGTH_MAX = 2000
STACK_LENGTH_MAX = 6000
ITEMS_MAX = 50
DEPTH_MAX = 5
_ENVIRONMENT = frozenset({"environment", "env"})

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer)\s+[\w+/=.~-]{16,}"), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,128}):[^\s/@]{1,256}@"),
        rf"\1:{MASK}@",
    ),
    # An option of a mount, a field of a connection string: `username=u,password=p`.
    (re.compile(r"(?i)\b(pass(?:word|wd|phrase)?|secret|token)=[^\s,;&\"']{1,256}"), rf"\1={MASK}"),
    (
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END|\Z)", re.DOTALL),
        f"-----BEGIN PRIVATE KEY-----{MASK}-----END",
    ),
)


class Redactor:
    """Makes anything into JSON values that may be shown."""

    def __init__(self) -> None:
        self._secrets: dict[str, None] = {}

    def learn(self, *secrets: Secret) -> None:
        """Mask these texts from now on, wherever they stand.

        Shorter ones than `SECRET_LENGTH_MIN` are not learned: they would blot out plain words.
        The oldest are forgotten beyond `SECRETS_MAX`.
        """
        known = dict(self._secrets)
        for secret in secrets:
            text = secret.reveal()
            if len(text) >= SECRET_LENGTH_MIN:
                known.pop(text, None)
                known[text] = None
        while len(known) > SECRETS_MAX:
            known.pop(next(iter(known)))
        self._secrets = known  # replaced whole: another thread may be reading the old one

    def mask(self, text: str) -> str:
        """`text` without what was learned."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def text(self, text: str, *, length_max: int = TEXT_LENGTH_MAX) -> str:
        """`text` without secrets, shortened."""
        # Shortened last, so that half a secret at the cut is not left standing; but not without
        # bound, since what is said may come from outside.
        text = _without_shapes(self.mask(text[: 4 * length_max]))
        return text if len(text) <= length_max else text[: length_max - 1] + "…"

    def fields(self, fields: Mapping[str, object]) -> dict[str, Any]:
        """Fields of a record as JSON values."""
        return {
            self.text(name): self._field(name, value, DEPTH_MAX) for name, value in fields.items()
        }

    def _field(self, name: str, value: object, depth: int) -> Any:
        return MASK if _is_secret(name, value) else self._value(value, depth)

    def _value(self, value: object, depth: int) -> Any:
        match value:
            case None | bool():
                return value
            case int():
                return int(value)
            case float():
                return float(value) if math.isfinite(value) else str(value)
            case str():
                return self.text(str(value))
            case bytes():
                return f"{len(value)} bytes"
            case BaseException():
                return self._error(value)
            case Mapping() | list() | tuple() | set() | frozenset():
                return self._items(value, depth - 1) if depth > 0 else "…"
            case _:
                return self.text(_said(value))

    def _items(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            entries = list(value.items())[:ITEMS_MAX]
            return {
                self.text(str(name)): self._field(str(name), item, depth) for name, item in entries
            }
        return [self._value(item, depth) for item in list(value)[:ITEMS_MAX]]

    def _error(self, error: BaseException) -> dict[str, Any]:
        if isinstance(error, IotisticError):
            shown = {"code": error.code, "message": self.text(_said(error))}
            if error.__cause__ is not None:
                shown["cause"] = self.text(
                    f"{type(error.__cause__).__name__}: {_said(error.__cause__)}"
                )
            return shown
        stack = "".join(traceback.format_exception(error, limit=-20))
        return {
            "type": type(error).__name__,
            "message": self.text(_said(error)),
            "stack": self.text(stack[-STACK_LENGTH_MAX:], length_max=STACK_LENGTH_MAX),
        }


def _without_shapes(text: str) -> str:
    for shape, shown in _SHAPES:
        text = shape.sub(shown, text)
    return text


def masked(value: Any) -> Any:
    """A JSON document without values of environments and of fields that sound secret.

    Secrets of an app go whole. In other texts what has the shape of a secret is masked.
    """
    if isinstance(value, Mapping):
        return {str(name): _masked_field(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return _without_shapes(value) if isinstance(value, str) else value


def _masked_field(name: str, value: Any) -> Any:
    if name.lower() in _ENVIRONMENT:
        return _masked_environment(value)
    return MASK if _is_secret(name, value) else masked(value)


def _masked_environment(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): MASK for name in value}
    if isinstance(value, list | tuple):
        return [_masked_entry(item) for item in value]
    return None if value is None else MASK


def _masked_entry(item: Any) -> str:
    name, equals, _ = str(item).partition("=")
    return f"{name}={MASK}" if equals else name


def _is_secret(name: str, value: object) -> bool:
    # A number or a flag says how much or whether, and nothing is nothing to hide. A list or an
    # object is hidden whole: what its own entries are called says nothing of what they hold.
    if isinstance(value, int | float | None) or (
        isinstance(value, str | list | dict) and not value
    ):
        return False
    return is_secret_name(name)


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ must not break the one who logs it
        return f"<{type(value).__name__}>"

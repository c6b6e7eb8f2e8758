"""A text that must not be shown."""

from __future__ import annotations

from iotistic.model.errors import MASK


class Secret:
    """Wraps a secret text so that printing, formatting and logging it show only a mask.

    `reveal()` is the one way to the text; search for it to see every place that uses one.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, _: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

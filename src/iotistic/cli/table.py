"""Lining up: columns for people, cut or wrapped to the width of their terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

GAP = "  "
_NARROWEST = 8
# A last column narrower than that is cut: wrapped, it would be a tower of single words.
_WRAPPED_FROM = 24
# Beside what a terminal obeys: what makes it show letters in another order than they stand.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Style(StrEnum):
    """What a cell means; the value is how a terminal shows it."""

    PLAIN = ""
    GOOD = "32"
    CAUTION = "33"
    BAD = "31"
    FAINT = "2"
    STRONG = "1"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with a meaning. Control characters are shown, never obeyed."""

    text: str
    style: Style = Style.PLAIN


CellLike = Cell | str | int | None


def cell(value: CellLike) -> Cell:
    """Any value as a cell; nothing is a dash."""
    if isinstance(value, Cell):
        return Cell(plain(value.text), value.style)
    return Cell("-") if value is None or value == "" else Cell(plain(str(value)))


def plain(text: str) -> str:
    """`text` on one line, harmless to a terminal: what comes from a device may be anything."""
    if _CONTROL.search(text) is None:
        return text
    return _CONTROL.sub(
        lambda found: " " if found[0] in "\n\t" else f"\\x{ord(found[0]):02x}", text
    )


def layout(
    headers: Sequence[str],
    rows: Sequence[Sequence[CellLike]],
    *,
    width: int | None,
    color: bool,
    wrap: bool = False,
) -> list[str]:
    """The lines of a table. `width` None: as wide as it needs (nobody reads it on a screen).

    With `wrap` the last column loses nothing: what does not fit goes on below.
    """
    cells = [[cell(value) for value in row] for row in rows]
    head = [Cell(text, Style.STRONG) for text in headers]
    everything = [head, *cells] if any(headers) else cells
    if not everything:
        return []
    widths = [max(columns(row[n].text) for row in everything) for n in range(len(everything[0]))]
    if width is not None:
        widths = _fit(widths, width)
    wrap = wrap and widths[-1] >= _WRAPPED_FROM
    return [
        _line(line, widths, color=color)
        for row in everything
        for line in (_wrapped(row, widths[-1]) if wrap else (row,))
    ]


def paint(text: str, style: Style, *, color: bool) -> str:
    """`text` in its style, if there is color."""
    return f"\x1b[{style}m{text}\x1b[0m" if color and style else text


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis where something is missing."""
    if columns(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken between words where that is possible."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if columns(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and columns(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def _wrapped(row: Sequence[Cell], width: int) -> list[list[Cell]]:
    """The row, and what of its last cell goes on below it."""
    *first, last = row
    head, *more = wrapped(last.text, width)
    below = [Cell("")] * len(first)
    return [[*first, Cell(head, last.style)], *([*below, Cell(text, last.style)] for text in more)]


def _fit(widths: Sequence[int], width: int) -> list[int]:
    """Narrow the widest column until all fit, but none below what can still be read."""
    fitted = list(widths)
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - width
    while excess > 0:
        widest = max(range(len(fitted)), key=lambda n: (fitted[n], n))
        if fitted[widest] <= _NARROWEST:
            break
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _line(row: Sequence[Cell], widths: Sequence[int], *, color: bool) -> str:
    parts = []
    for n, (entry, width) in enumerate(zip(row, widths, strict=True)):
        text = cut(entry.text, width)
        fill = "" if n == len(row) - 1 else " " * (width - columns(text))
        parts.append(paint(text, entry.style, color=color) + fill)
    return GAP.join(parts).rstrip()

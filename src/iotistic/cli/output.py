"""Data on stdout, messages on stderr."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from iotistic.cli.failure import Failure, ReaderGone
from iotistic.cli.http_client import Reply, unknown_form
from iotistic.cli.table import CellLike, Style, layout, paint, plain

# Colors of a program's own output may pass; everything else that a terminal would obey may not.
_UNSAFE = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


# What comes of reading a document that lacks a field or has something else in its place.
UNKNOWN_FORM = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)


class Output:
    """What one command says. With `as_json` the data is the API's own document."""

    def __init__(self, *, as_json: bool, quiet: bool, color: bool) -> None:
        self.as_json = as_json
        self._quiet = quiet
        self._terminal = sys.stdout.isatty()
        self._color = color and self._terminal
        self._width = shutil.get_terminal_size().columns if self._terminal else None

    def show(self, reply: Reply, render: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The reply as it came, or rendered for people; returns its document."""
        document = reply.json()
        if self.as_json:
            self.document(reply.body)
        else:
            try:
                render(document)
            except UNKNOWN_FORM as error:
                raise unknown_form() from error
        return document

    def document(self, body: bytes) -> None:
        """One JSON document, byte for byte."""
        self._write(body.decode("utf-8", "replace").strip() + "\n")

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[CellLike]], *, wrap: bool = False
    ) -> None:
        """Rows under headers. With `wrap` the last column goes on below instead of being cut."""
        for line in layout(headers, rows, width=self._width, color=self._color, wrap=wrap):
            self._write(line + "\n")

    def pairs(self, pairs: Sequence[tuple[str, CellLike]]) -> None:
        """Names and values below each other, none of them cut."""
        self.table((), [(name, value) for name, value in pairs], wrap=True)

    def line(self, text: str = "", style: Style = Style.PLAIN) -> None:
        """One line of data."""
        self._write(paint(plain(text), style, color=self._color) + "\n")

    def stream_line(self, text: str) -> None:
        """One line of a followed stream, visible at once."""
        self._write((self._harmless(text) if self._terminal else text) + "\n", flush=True)

    def text(self, text: str) -> None:
        """Lines of data as they are, for a file that is to be used again."""
        self._write(text)

    def message(self, text: str) -> None:
        """Something worth knowing that is not data."""
        if not self._quiet:
            sys.stderr.write(plain(text) + "\n")

    def styled(self, text: str, style: Style) -> str:
        """A piece of a stream line in its style."""
        return paint(text, style, color=self._color)

    @staticmethod
    def _write(text: str, *, flush: bool = False) -> None:
        try:
            sys.stdout.write(text)
            if flush:
                sys.stdout.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error

    @staticmethod
    def _harmless(text: str) -> str:
        return _UNSAFE.sub(
            lambda found: found[0] if found[0].endswith("m") else f"\\x{ord(found[0]):02x}", text
        )


def show_failure(failure: Failure, *, as_json: bool) -> None:
    """What went wrong and what to do next, a line each (or one JSON object)."""
    if as_json:
        sys.stderr.write(json.dumps(failure.as_json()) + "\n")
        return
    sys.stderr.write(f"iotctl: {plain(failure.message)}\n")
    for line in failure.also:
        sys.stderr.write(f"  also: {plain(line)}\n")
    if failure.remedy:
        sys.stderr.write(f"  next: {plain(failure.remedy)}\n")


def bare(mapping: Mapping[str, Any]) -> str:
    """A mapping as `name=value` pairs on one line."""
    return " ".join(f"{name}={value}" for name, value in mapping.items())

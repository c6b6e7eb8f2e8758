"""Runs the command line in this process and keeps what it said."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from iotistic.cli.__main__ import run


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Iotctl:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "") -> Said:
        self._capsys.readouterr()
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            code = run(arguments)
        finally:
            sys.stdin = before
        said = self._capsys.readouterr()
        return Said(int(code), said.out, said.err)

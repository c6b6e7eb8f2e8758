"""A target in a file, as the agent is asked about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from iotistic.cli.commands.target_text import TEXT_BYTES_MAX, parse_target_text
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.session import Session

_NOT_OF_THE_TARGET = ("etag", "comment", "newEpoch")


def read_target(session: Session, file: str) -> dict[str, Any]:
    """The target of a file (- for stdin), JSON as `fleet target get` prints it."""
    del session
    document = parse_target_text(_text(file))
    return {name: value for name, value in document.items() if name not in _NOT_OF_THE_TARGET}


def _text(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read(TEXT_BYTES_MAX)
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(TEXT_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{file} cannot be read as text",
            ExitCode.USAGE,
            code="file-unreadable",
            remedy="name a readable file",
        ) from error

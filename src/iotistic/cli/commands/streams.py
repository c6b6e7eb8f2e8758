"""Log streams: NDJSON as it comes for programs, lines for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iotistic.cli.failure import ExitCode, Failure, refusal
from iotistic.cli.http_client import unknown_form
from iotistic.cli.output import UNKNOWN_FORM, Output
from iotistic.cli.session import Session
from iotistic.model.errors import InvalidField
from iotistic.model.reader import decode_json

# Three signs of life, which come every 15 s, may be missing.
_IDLE_S = 45.0


def show_stream(
    session: Session,
    path: str,
    *,
    following: bool,
    render: Callable[[Output, dict[str, Any]], str],
) -> ExitCode:
    """Print a stream until it ends. A stream that breaks is a failure, not an end."""
    out = session.out
    idle_s = session.options.timeout_s or (_IDLE_S if following else session.timeout_s)
    for raw in session.device.lines(path, idle_s=idle_s):
        line = _decode(raw)
        if "requestId" in line:
            raise refusal(500, line, remedies={})
        if out.as_json:
            out.stream_line(raw.decode("utf-8", "replace"))
            continue
        try:
            text = render(out, line)
        except UNKNOWN_FORM as error:
            raise unknown_form() from error
        out.stream_line(text)
    return ExitCode.OK


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        line = decode_json(raw)
    except InvalidField as error:
        raise Failure("a line of the stream is not JSON", code="not-our-api") from error
    if not isinstance(line, dict):
        raise Failure("a line of the stream is not an object", code="not-our-api")
    return line

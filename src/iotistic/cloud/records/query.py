"""What an operator asks for, read from a query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from iotistic.cloud.records.log_lines import LEVELS
from iotistic.cloud.requests import AnyRequest, query_integer
from iotistic.model.canonical import INTEGER_MAX
from iotistic.model.errors import InvalidField

PAGE_MAX = 1000
_TEXT_LENGTH_MAX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From (inclusive) to (exclusive), in Unix ms; None is open."""

    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines are wanted: of a service, of a level and worse, of a span; one page of them."""

    service: str | None = None
    level: str | None = None
    span: Span = Span()
    limit: int = PAGE_MAX
    offset: int = 0

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that are wanted."""
        return LEVELS if self.level is None else LEVELS[LEVELS.index(self.level) :]


def log_query(request: AnyRequest) -> LogQuery:
    """Read `service`, `level`, `from`, `to`, `limit`, `offset`. Raises InvalidField."""
    level = request.query_params.get("level")
    if level is not None and level not in LEVELS:
        raise InvalidField("level", expected=f"one of {', '.join(LEVELS)}", found=level)
    return LogQuery(
        service=query_text(request, "service"),
        level=level,
        span=query_span(request),
        limit=query_integer(request, "limit", default=PAGE_MAX, high=PAGE_MAX),
        offset=query_integer(request, "offset", default=0, high=INTEGER_MAX),
    )


def query_span(request: AnyRequest) -> Span:
    """Read `from` and `to`. Raises InvalidField."""
    return Span(from_ms=query_time(request, "from"), to_ms=query_time(request, "to"))


def query_text(request: AnyRequest, name: str) -> str | None:
    """A short text of the query, or None. Raises InvalidField."""
    found: str | None = request.query_params.get(name)
    if found is not None and (len(found) > _TEXT_LENGTH_MAX or "\0" in found):
        raise InvalidField(name, expected=f"at most {_TEXT_LENGTH_MAX} letters", found=found)
    return found


def query_time(request: AnyRequest, name: str) -> int | None:
    """Unix ms, or a date and time with its zone. Raises InvalidField."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        # A plus sign of a zone is a space in a query.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        if found.tzinfo is not None:
            return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise InvalidField(name, expected="Unix ms, or a date and time with its zone", found=text)

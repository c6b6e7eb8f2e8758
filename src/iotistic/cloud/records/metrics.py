"""Metric points as curves: mean, lowest and highest of each step of time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select

from iotistic.cloud.clock import HOUR_MS, SECOND_MS, Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import metric_points
from iotistic.cloud.records.query import Span
from iotistic.model.errors import InvalidField

POINTS_MAX = 50_000
"""Of one answer; of more the newest are taken."""
CELLS_MAX = 100_000
SPAN_MS_DEFAULT = HOUR_MS
_POINTS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """Which figures (`names`; one that ends in `*` is a beginning; none: all) of which span.

    `step_ms` None: the span in `steps_max` parts.
    """

    span: Span
    steps_max: int
    step_ms: int | None = None
    names: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether a figure is asked for."""
        return not self.names or any(
            name.startswith(one[:-1]) if one.endswith("*") else name == one for one in self.names
        )


@dataclass(slots=True)
class _Cell:
    """One figure in one step. The mean is kept as such: a sum could grow beyond all numbers."""

    mean: float
    low: float
    high: float
    count: int = 1

    def add(self, value: float) -> None:
        self.count += 1
        self.mean += (value - self.mean) / self.count
        self.low, self.high = min(self.low, value), max(self.high, value)


class _Curves:
    def __init__(self, query: MetricQuery, from_ms: int, step_ms: int) -> None:
        self._query = query
        self._from_ms = from_ms
        self._step_ms = step_ms
        self._cells: dict[str, dict[int, _Cell]] = {}
        self._unwanted: set[str] = set()
        self._count = 0
        self.is_cut = False

    def add(self, points: Iterable[Any]) -> None:
        for at_ms, body in points:
            step = (at_ms - self._from_ms) // self._step_ms
            point = msgspec.json.decode(body)
            whose = _whose(point)
            for name, value in point["metrics"].items():
                self._add(whose + name, step, value)

    def _add(self, name: str, step: int, value: float) -> None:
        cells = self._cells.get(name)
        if cells is None:
            if name in self._unwanted or not self._query.wants(name):
                self._unwanted.add(name)
                return
            cells = self._cells[name] = {}
        if cell := cells.get(step):
            cell.add(value)
        elif self._count < CELLS_MAX:
            cells[step] = _Cell(value, value, value)
            self._count += 1
        else:
            self.is_cut = True

    def shown(self) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [
                {
                    "atMs": self._from_ms + step * self._step_ms,
                    "avg": cell.mean,
                    "min": cell.low,
                    "max": cell.high,
                    "count": cell.count,
                }
                for step, cell in sorted(cells.items())
            ]
            for name, cells in sorted(self._cells.items())
            if cells
        }


class Metrics:
    """Reads metric points of a device."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def curves(self, device_id: int, query: MetricQuery) -> dict[str, Any]:
        """The curves of the figures that are asked for, of the last hour where no span is given.

        Raises InvalidField for a span without length and for too many steps.
        """
        to_ms = self._clock() if query.span.to_ms is None else query.span.to_ms
        from_ms = to_ms - SPAN_MS_DEFAULT if query.span.from_ms is None else query.span.from_ms
        step_ms = _step(query, from_ms, to_ms)
        curves = _Curves(query, from_ms, step_ms)
        count = 0
        async for points in self._points(device_id, from_ms, to_ms):
            count += len(points)
            await asyncio.to_thread(curves.add, points)
        return {
            "fromMs": from_ms,
            "toMs": to_ms,
            "stepMs": step_ms,
            "points": count,
            "truncated": curves.is_cut or count >= POINTS_MAX,
            "series": curves.shown(),
        }

    async def _points(self, device_id: int, from_ms: int, to_ms: int) -> Any:
        """Pieces of the points, newest first."""
        table = metric_points.c
        query = (
            select(table.at, table.id, table.body)
            .where(table.device_id == device_id, table.at >= from_ms, table.at < to_ms)
            .order_by(table.at.desc(), table.id.desc())
            .limit(_POINTS_AT_ONCE)
        )
        piece: Sequence[Any] = ()
        for _ in range(POINTS_MAX // _POINTS_AT_ONCE):
            chosen = query
            if piece:
                at, last = piece[-1].at, piece[-1].id
                before = (table.at < at) | ((table.at == at) & (table.id < last))
                chosen = query.where(before)
            async with self._database.read() as connection:
                piece = (await connection.execute(chosen)).all()
            yield [(row.at, row.body) for row in piece]
            if len(piece) < _POINTS_AT_ONCE:
                return


def _whose(point: Mapping[str, Any]) -> str:
    """What stands before a figure's name: nothing for the host, `1001/web/` for a service."""
    labels = (point.get(name) for name in ("appId", "serviceName"))
    parts = [str(label) for label in labels if label is not None]
    if not parts and point["scope"] != "host":
        parts = [point["scope"]]
    return "".join(f"{part}/" for part in parts)


def _step(query: MetricQuery, from_ms: int, to_ms: int) -> int:
    length_ms = to_ms - from_ms
    if length_ms <= 0:
        raise InvalidField("from", expected="a time before `to`", found=from_ms)
    if query.step_ms is None:
        return max(SECOND_MS, -(-length_ms // query.steps_max))
    if -(-length_ms // query.step_ms) > query.steps_max:
        raise InvalidField(
            "step",
            expected=f"at least {-(-length_ms // query.steps_max) // SECOND_MS + 1} for this span",
            found=query.step_ms // SECOND_MS,
            remedy="ask for a longer step, a shorter span, or with a higher limit",
        )
    return query.step_ms

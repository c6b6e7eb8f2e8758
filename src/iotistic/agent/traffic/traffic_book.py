"""class TrafficBook: the account of what the link costs, over restarts, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.host.files import durable_write, read_small
from iotistic.agent.logs import AgentLogger
from iotistic.agent.traffic import days as counting
from iotistic.agent.traffic.budget import UNLIMITED, Allowance, Stage, allowance
from iotistic.agent.traffic.counting import Traffic
from iotistic.agent.traffic.days import Bytes, Days, decode_days, encode_days
from iotistic.model.errors import InvalidField, IotisticError
from iotistic.model.words import LogComponent

TRAFFIC_FILE = "traffic.json"
LOOK_EVERY_S = 60.0
WRITE_EVERY_S = 600.0
"""So that flash is not worn out. What was counted since is lost in a crash, and nothing else."""
MB = 1_000_000
_FILE_BYTES_MAX = 256 * 1024


def load_days(folder: Path, wall_ms: int) -> tuple[Days, IotisticError | None]:
    """What is stored in the state folder, and what is wrong with it. Blocks.

    What cannot be read begins anew: nothing depends on it but the operator's curiosity and, until
    the end of the month, the budget.
    """
    try:
        raw = read_small(folder / TRAFFIC_FILE, _FILE_BYTES_MAX)
        return (Days(wall_ms) if raw is None else decode_days(raw)), None
    except InvalidField as error:
        return Days(wall_ms), error
    except OSError as error:
        return Days(wall_ms), InvalidField("traffic", expected="a readable file", found=str(error))


class TrafficBook:
    """Counts by day what `traffic` counts since the start, and judges it by the budget.

    `budget_mb` is a month's, 0 for none; `on_change` is called when what it allows is another.
    """

    def __init__(
        self,
        *,
        folder: Path,
        days: Days,
        traffic: Traffic,
        budget_mb: Callable[[], int],
        on_change: Callable[[], None],
        clock: Clock,
        log: AgentLogger,
    ) -> None:
        self._path = folder / TRAFFIC_FILE
        self._days = days
        self._traffic = traffic
        self._budget_mb = budget_mb
        self._on_change = on_change
        self._clock = clock
        self._log = log.bind(component=LogComponent.CLOUD_SYNC)
        self._counted: dict[str, Bytes] = {}
        self._stored = days
        self._write_failed = False
        self.allowance: Allowance = self._judged(UNLIMITED)

    async def run(self) -> None:
        """Keep the account until cancelled, and write it at the end."""
        try:
            while True:
                for _ in range(round(WRITE_EVERY_S / LOOK_EVERY_S)):
                    await self._clock.sleep(LOOK_EVERY_S)
                    self.look()
                await self._write()
        finally:
            self.look()
            await self._write()

    def look(self) -> Days:
        """Count what went since the last look; all days up to now."""
        fresh: dict[str, Bytes] = {}
        for purpose in self._traffic.sent.keys() | self._traffic.received.keys():
            now = (self._traffic.sent.get(purpose, 0), self._traffic.received.get(purpose, 0))
            before = self._counted.get(purpose, (0, 0))
            if now != before:
                fresh[purpose] = (now[0] - before[0], now[1] - before[1])
                self._counted[purpose] = now
        if fresh:
            self._days = self._days.plus(counting.day_of(self._clock.wall_ms()), fresh)
        self._judge()
        return self._days

    def warnings(self) -> tuple[IotisticError, ...]:
        """What somebody should know: that the budget does not allow what is meant to be."""
        stage = self.allowance.stage
        if stage is Stage.FREE:
            return ()
        told = {
            Stage.TIGHT: "intervals are longer, and debug and info lines stay here",
            Stage.SCARCE: "intervals are longer, and metrics and log lines wait",
            Stage.EXHAUSTED: "it is used up: only events and signs of life go until its end",
        }
        return (
            IotisticError(
                f"of this month's budget of {self._budget_mb()} MB more is gone than of the month:"
                f" {told[stage]}",
                code="traffic-budget",
                remedy="see what costs most: iotctl traffic; or raise TRAFFIC_BUDGET_MB_MONTH",
            ),
        )

    def as_json(self, *, days: int) -> dict[str, Any]:
        """The account of the last days, of the month, and how it stands with the budget."""
        found, wall_ms = self.look(), self._clock.wall_ms()
        today = counting.day_of(wall_ms)
        budget_mb = self._budget_mb()
        month = found.of_month(today)
        return {
            "today": _account(found.of_day(today)),
            "month": {**_account(month), "elapsed": round(counting.elapsed_share(wall_ms), 4)},
            "projectedBytes": counting.projected_bytes(found, wall_ms),
            "budgetBytes": budget_mb * MB if budget_mb else None,
            "stage": str(self.allowance.stage),
            "stretch": self.allowance.stretch,
            "since": found.since_ms,
            "days": [
                {"day": day.isoformat(), **_account(found.of_day(day))}
                for day in counting.last_days(today, days)
                if day in found.days
            ],
        }

    def _judge(self) -> None:
        before = self.allowance
        self.allowance = self._judged(before)
        if self.allowance != before:
            say = self._log.info if self.allowance.stage is Stage.FREE else self._log.warning
            say(
                "traffic budget",
                stage=self.allowance.stage,
                stretch=self.allowance.stretch,
            )
            self._on_change()

    def _judged(self, before: Allowance) -> Allowance:
        wall_ms = self._clock.wall_ms()
        return allowance(
            self._budget_mb() * MB,
            self._days.used_bytes(counting.day_of(wall_ms)),
            elapsed=counting.elapsed_share(wall_ms),
            before=before,
        )

    async def _write(self) -> None:
        days = self._days
        if days == self._stored:
            return
        try:
            await asyncio.to_thread(durable_write, self._path, encode_days(days))
        except (IotisticError, OSError) as error:
            say = self._log.debug if self._write_failed else self._log.warning
            say("traffic not written down", error=str(error))
            self._write_failed = True
        else:
            self._stored, self._write_failed = days, False


def _account(counted: dict[str, Bytes]) -> dict[str, Any]:
    return {
        "bytes": counting.total(counted),
        "purposes": {
            purpose: {"sent": sent, "received": received}
            for purpose, (sent, received) in sorted(counted.items())
        },
    }

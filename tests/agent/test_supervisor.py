"""A service that fails is started again; the others, and the end of all, are not its business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from iotistic.agent.logs import LogBook
from iotistic.agent.supervisor import STABLE_S, ServiceHealth, Supervision, supervise
from iotistic.model.errors import EngineUnavailable
from tests.agent.virtual_clock import VirtualClock


class Service:
    """Does what it is told at each start."""

    name = "pump"

    def __init__(self, *deeds: Callable[[], None] | float) -> None:
        self._deeds = list(deeds)
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        deed = self._deeds.pop(0) if self._deeds else 0.0
        if callable(deed):
            deed()
        elif deed:
            await self.clock.sleep(deed)
            raise RuntimeError("after a while")

    clock: VirtualClock


def fail() -> None:
    raise EngineUnavailable("no engine", remedy="start it")


def fail_strangely() -> None:
    raise ValueError("text with a secret")


def fail_in_a_group() -> None:
    raise ExceptionGroup("several", [EngineUnavailable("no engine"), ValueError("x")])


class Fixture:
    def __init__(self, service: Service) -> None:
        self.clock = VirtualClock(sleepers=1)
        self.service = service
        service.clock = self.clock
        self.register = Supervision()
        self.book = LogBook(self.clock)
        self.task = asyncio.create_task(
            supervise(
                service,
                clock=self.clock,
                rng=Random(7),
                log=self.book.logger(),
                register=self.register,
            )
        )

    @property
    def health(self) -> ServiceHealth:
        return self.register.services["pump"]

    def healthy(self) -> bool:
        return self.register.healthy

    def state(self) -> str:
        return str(self.health.state)

    @property
    def code(self) -> str | None:
        return self.health.error.code if self.health.error else None


async def test_a_service_that_fails_is_started_again() -> None:
    found = Fixture(Service(fail, fail))
    await found.clock.settled()
    assert found.state() == "backing-off"
    assert not found.healthy()
    assert found.code == "engine-unavailable"

    found.clock.sleepers = 0
    await found.clock.advance(10)
    await found.task

    assert found.service.starts == 3
    assert found.state() == "done"
    assert found.health.restarts == 2
    assert found.healthy()
    assert [r["message"] for r in found.book.records()] == ["service failed"] * 2


@pytest.mark.parametrize(
    ("deed", "code", "shown"),
    [
        (fail, "engine-unavailable", "no engine"),
        (fail_in_a_group, "engine-unavailable", "no engine"),
        (fail_strangely, "internal", "unexpected ValueError"),
    ],
)
async def test_the_reason_is_kept_without_texts_of_strangers(
    deed: Callable[[], None], code: str, shown: str
) -> None:
    found = Fixture(Service(deed))
    await found.clock.settled()
    assert found.health.error is not None
    assert (found.code, found.health.error.message) == (code, shown)
    found.task.cancel()
    await asyncio.wait({found.task})


async def test_a_service_that_ran_well_for_long_begins_with_a_short_pause() -> None:
    found = Fixture(Service(fail, fail, STABLE_S + 1.0, 0.0))
    found.clock.sleepers = 0
    await found.clock.advance(STABLE_S + 20)
    await found.task
    said = [r["context"]["failures"] for r in found.book.records()]
    assert said == [1, 2, 1]


async def test_being_cancelled_is_no_failure() -> None:
    found = Fixture(Service(1000.0))
    await found.clock.settled()
    found.task.cancel()
    await asyncio.wait({found.task})
    assert found.task.cancelled()
    assert found.health.restarts == 0
    assert found.book.records() == []


def test_the_end_of_the_process_passes_through() -> None:
    def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        await Fixture(Service(leave)).task

    with pytest.raises(SystemExit) as caught:
        asyncio.run(main())
    assert caught.value.code == 3

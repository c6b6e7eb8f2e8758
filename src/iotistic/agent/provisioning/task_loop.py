"""One task at a time, the most urgent first, failures with backoff, and persons go first."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from iotistic.agent.clock import Clock, sleep_unless
from iotistic.agent.logs import AgentLogger
from iotistic.agent.provisioning.decisions import Task, retry_in_s
from iotistic.model.errors import IotisticError


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures in a row of one task; not tried before `not_before_s` on the boot clock."""

    attempts: int
    not_before_s: float
    error: IotisticError


class TaskLoop:
    """Does what there is to do, as `tasks` says anew before each attempt.

    `do` may be stopped at any await. `failed` is told of each failure and returns whether the
    task is to be tried again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rng: Random,
        log: AgentLogger,
        tasks: Callable[[], Sequence[Task]],
        do: Callable[[Task], Awaitable[None]],
        failed: Callable[[Task, IotisticError], Awaitable[bool]],
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._log = log
        self._tasks = tasks
        self._do = do
        self._failed = failed
        self._failures: dict[Task, Failure] = {}
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()
        self._attempt: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            async with self._busy:
                pause_s = await self._round()
            await sleep_unless(self._wake, pause_s, self._clock)

    def wake(self) -> None:
        """Look again at what there is to do."""
        self._wake.set()

    def forget_failures(self) -> None:
        """Everything may be tried at once."""
        self._failures.clear()

    @property
    def failure(self) -> Failure | None:
        """How the most urgent of the failing tasks stands."""
        return next((self._failures[task] for task in Task if task in self._failures), None)

    def has_failed(self, task: Task) -> bool:
        """Whether the last attempt at this task failed."""
        return task in self._failures

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep the tasks out while a person's wish is stored; an attempt under way ends."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.reschedule(asyncio.get_running_loop().time())
        async with self._busy:
            yield
        self._wake.set()

    async def _round(self) -> float:
        """Try the most urgent task that is due. Returns the seconds until the next one is."""
        due_in_s = math.inf
        for task in self._tasks():
            failure = self._failures.get(task)
            wait_s = failure.not_before_s - self._clock.now_s() if failure else 0.0
            if wait_s <= 0:
                await self._try(task)
                return 0.0
            due_in_s = min(due_in_s, wait_s)
        return due_in_s

    async def _try(self, task: Task) -> None:
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._attempt = scope
                try:
                    await self._do(task)
                finally:
                    self._attempt = None
        except TimeoutError:
            if not scope.expired():  # not the end that `alone` asked for
                raise
        except IotisticError as error:
            await self._note(task, error)
        else:
            self._failures.pop(task, None)

    async def _note(self, task: Task, error: IotisticError) -> None:
        before = self._failures.get(task)
        attempts = before.attempts + 1 if before else 1
        wait_s = retry_in_s(error, attempts, self._rng)
        self._failures[task] = Failure(attempts, self._clock.now_s() + wait_s, error)
        again = await self._failed(task, error)
        if not again:
            self._failures.pop(task, None)
        self._log.warning(
            "provisioning failed",
            task=task.value,
            error=error,
            attempts=attempts,
            retry_in_s=round(wait_s, 1) if again else None,
        )

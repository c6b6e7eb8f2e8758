"""Where records go: level, rate and redaction, the last ones in memory, and the output."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TextIO

from iotistic.agent.clock import Clock
from iotistic.agent.logs.file import LogFiles
from iotistic.agent.logs.logger import AgentLogger
from iotistic.agent.logs.output import LogFormat, LogOutput
from iotistic.agent.logs.rate import WINDOW_S, MessageRate
from iotistic.agent.logs.record import LogLevel, LogRecord
from iotistic.agent.logs.redaction import Redactor
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent

RECORDS_MAX = 1000
MESSAGE_LENGTH_MAX = 500


class LogBook:
    """Takes records from loggers, keeps the last `records_max`, writes them to `output`.

    Entered, it writes (on a thread) and also takes what libraries say by `logging`, from warnings
    on; not entered, it only keeps records. May be called from any thread.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        output: TextIO | None = None,
        form: LogFormat = LogFormat.JSON,
        level: LogLevel = LogLevel.INFO,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self._clock = clock
        self._output = LogOutput(output, form) if output is not None else None
        self._records: deque[LogRecord] = deque(maxlen=max(1, records_max))
        self._rate = MessageRate()
        self._redactor = Redactor()
        self._lock = threading.Lock()
        self._seq = 0
        self._followers: set[_Follower] = set()
        self._entered = ExitStack()
        self.level = level

    def __enter__(self) -> Self:
        if self._output is not None:
            self._entered.enter_context(self._output)
        handler = _FromLibraries(self)
        root = logging.getLogger()
        root.addHandler(handler)
        self._entered.callback(root.removeHandler, handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.close()

    @property
    def dropped(self) -> int:
        """Records that were not written because the output was too slow or gone."""
        return self._output.dropped if self._output is not None else 0

    def logger(self) -> AgentLogger:
        """A logger that writes here."""
        return AgentLogger(self)

    def learn(self, *secrets: Secret) -> None:
        """Mask these texts wherever they stand, from now on."""
        with self._lock:
            self._redactor.learn(*secrets)

    def mask(self, text: str) -> str:
        """`text` without the secrets that were learned; of whatever length."""
        return self._redactor.mask(text)

    def keep_files(self, files: LogFiles | None) -> None:
        """Write what is said to these files as well, from now on; None: to none."""
        if self._output is not None:
            self._output.files = files

    @property
    def file_error(self) -> OSError | None:
        """Why the last lines are not in the file where they should be."""
        return self._output.file_error if self._output is not None else None

    def add(
        self, level: LogLevel, component: str, message: str, fields: Mapping[str, object]
    ) -> None:
        """Take one record; below the level, or too many alike, it is left out."""
        if level.rank < self.level.rank:
            return
        now_s = self._clock.now_s()
        with self._lock:
            for held_component, held_message, count in self._rate.over(now_s):
                held = {"about": held_message, "more": count, "within_s": int(WINDOW_S)}
                self._keep(LogLevel.WARN, held_component, "more of the same, held back", held)
            # Debug is exempt: whoever switched it on wants all of it, and memory is bounded.
            if level is LogLevel.DEBUG or self._rate.allows(component, message, now_s):
                self._keep(level, component, message, fields)
        for follower in tuple(self._followers):
            follower.wake()

    def records(self, *, after_seq: int = 0) -> list[dict[str, Any]]:
        """The records still in memory, oldest first."""
        held = []
        with self._lock:
            for record in reversed(self._records):  # mostly it is the last ones that are asked for
                if record.seq <= after_seq:
                    break
                held.append(record)
        return [record.as_dict() for record in reversed(held)]

    async def follow(self, *, after_seq: int) -> AsyncGenerator[dict[str, Any], None]:
        """The records after `after_seq`, as they come, until closed.

        A reader too slow for the memory misses the oldest; the gap shows in `seq`.
        """
        follower = _Follower(asyncio.get_running_loop())
        seq = after_seq
        self._followers.add(follower)
        try:
            while True:
                for record in self.records(after_seq=seq):
                    seq = record["seq"]
                    yield record
                await follower.wait()
        finally:
            self._followers.discard(follower)

    def _keep(
        self, level: LogLevel, component: str, message: str, fields: Mapping[str, object]
    ) -> None:
        self._seq += 1
        fields = dict(fields)
        operation = fields.pop("operation", None)
        record = LogRecord(
            seq=self._seq,
            timestamp_ms=self._clock.wall_ms(),
            level=level,
            component=component,
            message=self._redactor.text(message, length_max=MESSAGE_LENGTH_MAX),
            operation=None if operation is None else self._redactor.text(str(operation)),
            fields=self._redactor.fields(fields),
        )
        self._records.append(record)
        if self._output is not None:
            self._output.put(record)


class _Follower:
    """Wakes one reader, from whatever thread a record came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._woken = False

    def wake(self) -> None:
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            return  # the reader's loop is closed; so is the reader

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()
        self._woken = False


class _FromLibraries(logging.Handler):
    """What aiohttp, asyncio and the like say, as records of ours."""

    def __init__(self, book: LogBook) -> None:
        super().__init__(logging.WARNING)
        self._book = book

    def emit(self, record: logging.LogRecord) -> None:
        level = LogLevel.ERROR if record.levelno >= logging.ERROR else LogLevel.WARN
        fields: dict[str, object] = {"library": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = record.exc_info[1]
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit their format
            message = str(record.msg)
        self._book.add(level, LogComponent.AGENT, message, fields)

"""The thread that writes records, so that a stuck terminal or pipe never stops the event loop."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Self, TextIO

from iotistic.agent.logs.file import LogFile, LogFiles
from iotistic.agent.logs.record import LogRecord, as_json_line, as_text_line

QUEUE_MAX = 2000
_LINES_AT_ONCE = 200
_FAREWELL_S = 2.0


class LogFormat(StrEnum):
    """How records are written."""

    TEXT = "text"
    JSON = "json"


class LogOutput:
    """Writes to `stream`, and to `files` while there are such, on a thread of its own.

    It does so while entered. The thread is a daemon: one that hangs in a write does not keep the
    agent from ending. `files` may be exchanged at any time.
    """

    def __init__(self, stream: TextIO, form: LogFormat) -> None:
        self._stream = stream
        self._line: Callable[[LogRecord], str] = (
            as_json_line if form is LogFormat.JSON else as_text_line
        )
        self._queue: queue.Queue[LogRecord | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._write_all, name="log-output", daemon=True)
        self._file: LogFile | None = None
        self.files: LogFiles | None = None
        self.dropped = 0
        self.file_error: OSError | None = None
        """Why the last lines are not in the file; None when they are."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._queue.put(None, timeout=_FAREWELL_S)
        except queue.Full:
            return
        self._thread.join(_FAREWELL_S)

    def put(self, record: LogRecord) -> None:
        """Hand over a record; drops and counts it when the thread cannot keep up."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def _write_all(self) -> None:
        told = 0
        while (records := self._take()) is not None:
            lines = [self._line(record) for record in records]
            if (dropped := self.dropped) > told:
                lines.append(f"... {dropped - told} log records dropped, output too slow")
                told = dropped
            text = "\n".join(lines) + "\n"
            self._write_file(text)
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads any more (closed terminal, full disk). There is no place left to
                # say so; the records are still in memory for the Device API.
                self.dropped += len(lines)

    def _write_file(self, text: str) -> None:
        files = self.files
        if self._file is not None and self._file.files != files:
            self._file.close()
            self._file = None
        if files is None:
            return
        if self._file is None:
            self._file = LogFile(files)
        try:
            self._file.write(text)
        except OSError as error:
            # Said nowhere here: what is said is written here. The Device API shows it.
            self.file_error = error
        else:
            self.file_error = None

    def _take(self) -> list[LogRecord] | None:
        """The next records, or None when all is written and the end was asked for."""
        first = self._queue.get()
        if first is None:
            return None
        records = [first]
        while len(records) < _LINES_AT_ONCE:
            try:
                record = self._queue.get_nowait()
            except queue.Empty:
                break
            if record is None:
                self._queue.put(None)
                break
            records.append(record)
        return records

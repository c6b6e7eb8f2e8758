"""class Outbox: what is to leave the device waits here, on the disk, until it was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.outbox import cursors, dead_letters, offers
from iotistic.agent.outbox.content import LINE_OVERHEAD_BYTES, Batch, Content, Draft
from iotistic.agent.outbox.ledger import ClassLedger, DeadLetter, DropReason
from iotistic.agent.outbox.offers import Offers
from iotistic.agent.outbox.outbox_file import Change, OutboxFile, Refusal
from iotistic.agent.outbox.quota import Quota
from iotistic.agent.store.database import Worker
from iotistic.agent.store.errors import DiskFull
from iotistic.agent.store.records import Finding
from iotistic.model.errors import IotisticError, Refused, Unavailable
from iotistic.model.records import RECORD_BYTES_MAX, RecordClass, RecordId
from iotistic.model.words import LogComponent

T = TypeVar("T")

FLUSH_S = 3.0
"""How long what was offered may be in memory alone."""
URGENT = frozenset({RecordClass.EVENT, RecordClass.ANOMALY})
"""Of these, what is offered goes to the disk at once."""
TRY_AGAIN_S = 10.0
CHANGES_MAX = 1000
"""In one commit, so that nobody waits long for its end."""
_DATA_BYTES_MAX = RECORD_BYTES_MAX - LINE_OVERHEAD_BYTES
_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class RecordTooLarge(Refused):
    """Longer than a record may be; nothing was stored."""

    code: str = "record-too-large"


class Outbox:
    """The durable queue of everything that leaves the device, by class.

    `put` and `put_all` return when on the disk. Whatever arrives while a commit is on its way
    goes into the next one, all together: many producers cost no more syncs than one. What is
    `offer`ed has been promised to nobody until then.

    Everything that writes may raise DiskFull, DatabaseUnavailable, DatabaseUnusable: nothing
    changed then. A file that breaks is replaced meanwhile, and told in `findings`.
    """

    def __init__(
        self,
        file: OutboxFile,
        worker: Worker,
        clock: Clock,
        log: AgentLogger,
        clock_synced: Callable[[], bool],
        on_found: Callable[[Finding], None] | None = None,
    ) -> None:
        self._file = file
        self._worker = worker
        self._clock = clock
        self._log = log.bind(component=LogComponent.OUTBOX)
        self._clock_synced = clock_synced
        self._on_found = on_found or self._log_finding
        self._offers = Offers()
        self._changes: list[tuple[Change, asyncio.Future[Any]]] = []
        self._flush = False
        self._committing: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._closed = False
        self._news = asyncio.Event()
        self._ledger = dict.fromkeys(RecordClass, ClassLedger())
        self.findings: tuple[Finding, ...] = ()
        """What was broken and dealt with."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        clock: Clock,
        log: AgentLogger,
        *,
        quotas: Mapping[RecordClass, Quota],
        clock_synced: Callable[[], bool],
        on_found: Callable[[Finding], None] | None = None,
    ) -> AsyncIterator[Outbox]:
        """Open the file at `path`, or a new one, for as long as the block lasts.

        Always succeeds: what cannot be opened now is tried again with everything that is asked.
        At the end what was offered is stored. `on_found` hears of what was broken and dealt
        with; without it the log does.
        """
        worker = Worker(path)
        file = OutboxFile(path, clock, quotas)
        outbox = cls(file, worker, clock, log, clock_synced, on_found)
        try:
            await outbox._open()
            yield outbox
        finally:
            await worker.finish(outbox._close())
            await worker.settle()
            worker.close()

    # -- bringing records

    async def put(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> RecordId:
        """Store a record; on the disk when this returns. Raises OutboxFull, RecordTooLarge."""
        draft = self._draft(data, at_ms)
        if draft is None:
            raise RecordTooLarge(f"a record may have at most {_DATA_BYTES_MAX} bytes")

        def put(content: Content) -> RecordId | None:
            content.check_room(record_class, (draft,))
            return content.append(record_class, (draft,))

        stored: RecordId = await self._change(put)
        return stored

    async def put_all(
        self,
        record_class: RecordClass,
        items: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        cursor: tuple[str, str] | None = None,
    ) -> None:
        """Store records of (at_ms, data), all or none; raises OutboxFull.

        With a `cursor`, (name, value), how far their source is read is stored in the same
        transaction. What is too large for a record is counted as dropped.
        """
        drafts = [self._draft(data, at_ms) for at_ms, data in items]
        fitting = [draft for draft in drafts if draft is not None]

        def put(content: Content) -> None:
            content.check_room(record_class, fitting)
            content.append(record_class, fitting)
            content.count_lost(record_class, DropReason.INVALID, len(drafts) - len(fitting))
            if cursor is not None:
                content.change_rest(lambda db: cursors.write(db, *cursor))

        await self._change(put)

    def offer(
        self, record_class: RecordClass, data: Mapping[str, Any], *, at_ms: int | None = None
    ) -> None:
        """Take a record without waiting for the disk; never blocks, never raises.

        Stored with the next commit, at once if its class is urgent, or after FLUSH_S. What is
        more than memory is given for is counted as dropped. To be called on the event loop.
        """
        if self._closed:
            return
        offered = self._offers.of(record_class)
        try:
            draft = self._draft(data, at_ms)
        except _NO_JSON:
            draft = None
        if draft is None:
            offered.lose(DropReason.INVALID)
        else:
            offered.add(draft)
        if record_class in URGENT:
            self._flush_now()
        elif self._timer is None:
            self._timer = asyncio.create_task(self._flush_later(FLUSH_S))

    async def cursors(self, prefix: str) -> Mapping[str, str]:
        """How far sources were read, by name, those that begin so."""
        return await self._read(
            lambda content: content.look_up(lambda db: cursors.read(db, prefix))
        )

    async def forget_cursors(self, names: Collection[str]) -> None:
        """Sources that are no more."""
        gone = tuple(names)
        await self._change(lambda content: content.change_rest(lambda db: cursors.forget(db, gone)))

    # -- taking them away

    async def take(
        self, classes: Collection[RecordClass], *, records_max: int, bytes_max: int
    ) -> Batch | None:
        """The oldest of the most urgent class among `classes` in which something waits.

        They wait on until they are acknowledged. At least one, however small `bytes_max` is.
        """
        asked = frozenset(classes)
        batch = await self._read(lambda content: content.take(asked, records_max, bytes_max))
        self._publish()
        return batch

    async def acknowledge(self, record_class: RecordClass, watermarks: Mapping[str, int]) -> None:
        """Everything up to `{epoch: seq}` is the far side's now."""
        upto = dict(watermarks)
        await self._change(lambda content: content.acknowledge(record_class, upto))

    async def reject(self, refused: RecordId, code: str, message: str) -> None:
        """The far side will never take this one: it becomes a dead letter."""
        await self._change(lambda content: content.reject(refused, code, message))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What the far side refused, newest first."""
        return await self._read(lambda content: content.look_up(dead_letters.read))

    async def clear(self, record_class: RecordClass | None, reason: DropReason) -> int:
        """Drop what waits, of one class or of all; how many there were.

        Works on a full disk too, where all classes are meant.
        """
        kinds = tuple(RecordClass) if record_class is None else (record_class,)
        try:
            number: int = await self._change(
                lambda content: sum(content.clear(kind, reason) for kind in kinds)
            )
        except DiskFull:
            if record_class is not None:
                raise
            number = await self._worker.run(lambda: self._file.start_over(reason))
            self._publish()
        return number

    def waiting(self, record_class: RecordClass) -> int:
        """How many wait on the disk."""
        return self._ledger[record_class].waiting

    async def wait(self) -> None:
        """Return when something came since the last time this returned."""
        await self._news.wait()
        self._news.clear()

    def ledger(self) -> Mapping[RecordClass, ClassLedger]:
        """What became of all records, as of the last commit."""
        return dict(self._ledger)

    # -- committing

    def _draft(self, data: Mapping[str, Any], at_ms: int | None) -> Draft | None:
        encoded = msgspec.json.encode(data)
        if len(encoded) > _DATA_BYTES_MAX:
            return None
        when_ms = self._clock.wall_ms() if at_ms is None else at_ms
        return Draft(when_ms, self._clock_synced(), encoded)

    async def _change(self, change: Change) -> Any:
        if self._closed:
            raise Unavailable("the outbox is closed", code="outbox-closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._changes.append((change, future))
        self._commit_soon()
        result = await future
        if isinstance(result, Refusal):
            raise result.error
        return result

    async def _read(self, read: Callable[[Content], T]) -> T:
        try:
            return await self._worker.run(lambda: self._file.read(read))
        finally:
            self._tell_findings()

    def _commit_soon(self) -> None:
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())

    async def _commit_all(self) -> None:
        while self._changes or self._flush:
            changes = self._changes[:CHANGES_MAX]
            del self._changes[:CHANGES_MAX]
            await self._commit(changes)

    async def _commit(self, changes: Sequence[tuple[Change, asyncio.Future[Any]]]) -> None:
        self._flush = False
        offered = self._offers.withdraw()
        work: list[Change] = [lambda content: offers.store(offered, content)]
        work += [change for change, _ in changes]
        right_ms = self._clock.wall_ms() if self._clock_synced() else None
        try:
            results = await self._worker.run(lambda: self._file.change(work, right_ms))
        except Exception as error:  # noqa: BLE001  # each of those who wait is told
            self._offers.put_back(offered)
            if self._offers:
                self._try_again(error)
            for _, future in changes:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), result in zip(changes, results[1:], strict=True):
                if not future.done():
                    future.set_result(result)
        self._publish()

    def _publish(self) -> None:
        """Make the figures known, and tell who waits for news."""
        self._tell_findings()
        before = self._ledger
        self._ledger = before | {
            kind: figures.shown() for kind, figures in self._file.accounts().items()
        }
        if any(
            found.written > before[kind].written and found.waiting
            for kind, found in self._ledger.items()
        ):
            self._news.set()

    def _tell_findings(self) -> None:
        for finding in (found := self._file.take_findings()):
            self._on_found(finding)
        self.findings += found

    def _log_finding(self, finding: Finding) -> None:
        self._log.warning("outbox healed", code=finding.code, finding=finding.message)

    # -- what was offered

    def _flush_now(self) -> None:
        self._flush = True
        self._commit_soon()

    async def _flush_later(self, span_s: float) -> None:
        await self._clock.sleep(span_s)
        self._timer = None
        if self._offers:
            self._flush_now()

    def _try_again(self, error: Exception) -> None:
        if self._timer is None and not self._closed:
            self._log.warning("what was offered waits in memory", error=error)
            self._timer = asyncio.create_task(self._flush_later(TRY_AGAIN_S))

    # -- beginning and end

    async def _open(self) -> None:
        try:
            await self._worker.run(self._file.open)
        except IotisticError as error:
            self._log.error("outbox not available", error=error)
        self._publish()

    async def _close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._offers:
            self._flush_now()
        if self._committing is not None:
            await self._committing
        await self._worker.run(self._file.close)

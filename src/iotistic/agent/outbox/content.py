"""class Content: what is in the file, and how it changes. On the thread, inside a transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from iotistic.agent.clock import Clock
from iotistic.agent.outbox import account as accounts
from iotistic.agent.outbox import dead_letters, rows
from iotistic.agent.outbox.account import Account
from iotistic.agent.outbox.ages import LivedTime
from iotistic.agent.outbox.layout import EPOCH_NO_MAX, SEQ_MAX, pack, rows_of, unpack
from iotistic.agent.outbox.ledger import DropReason
from iotistic.agent.outbox.quota import OutboxFull, Overflow, Quota
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.records import Record, RecordClass, RecordId

T = TypeVar("T")

LINE_OVERHEAD_BYTES = 160
"""What a line takes beside its data, at most."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record without an id yet; `data` is JSON."""

    at_ms: int
    synced: bool
    data: bytes

    @property
    def size_bytes(self) -> int:
        """What it counts against the quota."""
        return len(self.data) + rows.RECORD_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The oldest records of one class that wait, in their order. They wait on until acknowledged.

    `bytes_bound` is what they take as lines, at most.
    """

    record_class: RecordClass
    records: tuple[Record, ...]
    bytes_bound: int


class Content:
    """Records, ledger, cursors and dead letters through one connection."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        quotas: Mapping[RecordClass, Quota],
    ) -> None:
        self._connection = connection
        self._quotas = quotas
        self._clock = clock
        self._words: dict[int, str] = dict(connection.execute("SELECT no, word FROM epoch"))
        self._epoch_no = max(self._words, default=0) + 1
        if self._epoch_no > EPOCH_NO_MAX:
            raise DatabaseCorrupt("the numbers for epochs are used up")
        self._epoch = secrets.token_hex(8)
        self._lived = LivedTime(clock, connection)
        self.accounts = accounts.read(connection, clock.wall_ms())
        self._dirty: set[RecordClass] = set()
        self._gone: set[RecordClass] = set()
        for kind, found in self.accounts.items():
            found.waiting, found.waiting_bytes = rows.measure(connection, rows_of(kind))
            self._find_oldest(kind)

    # -- a transaction's frame

    def begin(self) -> tuple[dict[RecordClass, Account], bool]:
        """What `undo` needs."""
        saved = {kind: found.copy() for kind, found in self.accounts.items()}
        return saved, self._epoch_no in self._words

    def undo(self, saved: tuple[dict[RecordClass, Account], bool]) -> None:
        """The transaction did not happen."""
        self.accounts, epoch_stored = saved
        if not epoch_stored:
            self._words.pop(self._epoch_no, None)
        self._dirty.clear()
        self._gone.clear()

    def complete(self, right_ms: int | None) -> None:
        """Drop what is too much or too old, and store the figures that changed.

        `right_ms` is the wall clock's time where it is known to be right.
        """
        due = self._lived.is_due()
        if due and right_ms is not None:
            self._age_by_gap(right_ms)
        for kind in RecordClass if due else tuple(self._dirty):
            self._shed(kind)
        for kind in self._gone:
            self._find_oldest(kind)
        for kind in self._dirty:
            accounts.write(self._connection, kind, self.accounts[kind])
        if due:
            self._lived.write(self._connection, right_ms, self._epoch_no)
        self._dirty.clear()
        self._gone.clear()

    # -- records

    def check_room(self, kind: RecordClass, drafts: Collection[Draft]) -> None:
        """Raises OutboxFull where they would be too much for a class that drops nothing."""
        quota = self._quotas[kind]
        wanted = sum(draft.size_bytes for draft in drafts)
        waiting_bytes = self.accounts[kind].waiting_bytes
        if quota.overflow is Overflow.NEVER and waiting_bytes + wanted > quota.bytes_max:
            raise OutboxFull(
                f"{waiting_bytes} of {quota.bytes_max} bytes wait in the outbox's class {kind}",
                remedy="they go when the cloud can be reached; or give it more with OUTBOX_MAX_MB",
            )

    def append(self, kind: RecordClass, drafts: Iterable[Draft]) -> RecordId | None:
        """Add records; the last one's id."""
        account, quota = self.accounts[kind], self._quotas[kind]
        seq = None
        stored = []
        made_s = int(self._lived.now_s())
        for draft in drafts:
            seq = self._next_seq(account)
            if (
                quota.overflow in (Overflow.DROP_NEWEST, Overflow.NEVER)
                and account.waiting_bytes + draft.size_bytes > quota.bytes_max
            ):
                account.drop(DropReason.QUOTA, 1)
                continue
            packed = pack(kind, self._epoch_no, seq)
            stored.append((packed, draft.at_ms, draft.synced, made_s, draft.data))
            account.waiting += 1
            account.waiting_bytes += draft.size_bytes
        if seq is None:
            return None
        self._dirty.add(kind)
        if stored:
            self._store_epoch()
            self._connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", stored)
            if account.oldest_made_s is None:
                account.oldest_at_ms, account.oldest_made_s = stored[0][1], float(made_s)
        return RecordId(record_class=kind, epoch=self._epoch, seq=seq)

    def count_lost(self, kind: RecordClass, reason: DropReason, number: int) -> None:
        """Records that were dropped before they could be stored. Their numbers are used up."""
        account = self.accounts[kind]
        account.next_seq += number
        account.written += number
        account.drop(reason, number)
        self._dirty.add(kind)

    def take(
        self, classes: Collection[RecordClass], records_max: int, bytes_max: int
    ) -> Batch | None:
        """The oldest of the most urgent class in which something waits."""
        for kind in RecordClass:
            if kind in classes and self.accounts[kind].waiting:
                batch = self._batch(kind, records_max, bytes_max)
                # Written down with the next change, which sending sets off.
                self.accounts[kind].sent += len(batch.records)
                return batch
        return None

    def acknowledge(self, kind: RecordClass, watermarks: Mapping[str, int]) -> None:
        """Everything up to `{epoch: seq}` goes."""
        numbers = {word: no for no, word in self._words.items()}
        for word, seq in watermarks.items():
            no = numbers.get(word)
            if no is not None:
                upto = pack(kind, no, min(max(seq, 0), SEQ_MAX))
                gone = self._delete(kind, (pack(kind, no, 0), upto))
                self.accounts[kind].acknowledged += gone

    def reject(self, refused: RecordId, code: str, message: str) -> bool:
        """Make it a dead letter; False if it does not wait (any more)."""
        no = next((no for no, word in self._words.items() if word == refused.epoch), None)
        if no is None or not 1 <= refused.seq <= SEQ_MAX:
            return False
        kind, db = refused.record_class, self._connection
        packed = pack(kind, no, refused.seq)
        row = db.execute("SELECT data FROM record WHERE id = ?", (packed,)).fetchone()
        if row is None:
            return False
        dead_letters.add(db, refused, self._clock.wall_ms(), code, message, row[0])
        self.accounts[kind].drop(DropReason.REJECTED, self._delete(kind, (packed, packed)))
        return True

    def clear(self, kind: RecordClass, reason: DropReason) -> int:
        """Drop all that waits of a class."""
        number = self._delete(kind, rows_of(kind))
        self.accounts[kind].drop(reason, number)
        return number

    # -- the other tables

    def change_rest(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Change cursors."""
        change(self._connection)

    def look_up(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Look into cursors or dead letters."""
        return read(self._connection)

    # -- inside

    def _next_seq(self, account: Account) -> int:
        seq = account.next_seq
        account.next_seq += 1
        account.written += 1
        return seq

    def _store_epoch(self) -> None:
        if self._epoch_no not in self._words:
            self._connection.execute(
                "INSERT INTO epoch (no, word) VALUES (?, ?)", (self._epoch_no, self._epoch)
            )
            self._words[self._epoch_no] = self._epoch

    def _batch(self, kind: RecordClass, records_max: int, bytes_max: int) -> Batch:
        found: list[Record] = []
        bound = 0
        for packed, at_ms, synced, data in self._connection.execute(
            "SELECT id, at_ms, synced, data FROM record WHERE id BETWEEN ? AND ?"
            " ORDER BY id LIMIT ?",
            (*rows_of(kind), records_max),
        ):
            size = len(data) + LINE_OVERHEAD_BYTES
            if found and bound + size > bytes_max:
                break
            found.append(self._record(packed, at_ms, synced, data))
            bound += size
        return Batch(record_class=kind, records=tuple(found), bytes_bound=bound)

    def _record(self, packed: int, at_ms: int, synced: int, data: bytes) -> Record:
        try:
            kind, epoch_no, seq = unpack(packed)
            return Record(
                id=RecordId(record_class=kind, epoch=self._words[epoch_no], seq=seq),
                at_ms=at_ms,
                clock_synced=bool(synced),
                data=msgspec.json.decode(data),
            )
        except (KeyError, ValueError, msgspec.DecodeError) as error:
            raise DatabaseCorrupt(f"record {packed} makes no sense") from error

    def _delete(self, kind: RecordClass, span: tuple[int, int]) -> int:
        number, size_bytes = rows.delete(self._connection, span)
        self._left(kind, number, size_bytes)
        return number

    def _left(self, kind: RecordClass, number: int, size_bytes: int) -> None:
        if number:
            account = self.accounts[kind]
            account.waiting -= number
            account.waiting_bytes -= size_bytes
            self._dirty.add(kind)
            self._gone.add(kind)

    def _find_oldest(self, kind: RecordClass) -> None:
        account = self.accounts[kind]
        found = rows.oldest(self._connection, rows_of(kind))
        account.oldest_at_ms, account.oldest_made_s = found or (None, None)

    # -- what has to give way

    def _shed(self, kind: RecordClass) -> None:
        account, quota = self.accounts[kind], self._quotas[kind]
        if kind in self._gone:
            self._find_oldest(kind)
        keep_from_s = self._lived.now_s() - quota.age_max_s
        if account.oldest_made_s is not None and account.oldest_made_s < keep_from_s:
            number, size_bytes = rows.delete_older(self._connection, rows_of(kind), keep_from_s)
            account.drop(DropReason.AGE, number)
            self._left(kind, number, size_bytes)
        if quota.overflow is Overflow.SAMPLE:
            self._thin(kind)
        if quota.overflow in (Overflow.SAMPLE, Overflow.DROP_OLDEST):
            self._drop_oldest(kind)

    def _thin(self, kind: RecordClass) -> None:
        account, quota = self.accounts[kind], self._quotas[kind]
        while account.waiting_bytes > quota.bytes_max:
            number, size_bytes = rows.thin(self._connection, rows_of(kind), account.waiting // 2)
            if not number:
                return
            account.drop(DropReason.SAMPLED, number)
            self._left(kind, number, size_bytes)

    def _drop_oldest(self, kind: RecordClass) -> None:
        account, quota = self.accounts[kind], self._quotas[kind]
        excess = account.waiting_bytes - quota.bytes_max
        if excess > 0:
            # Some more than need be, so that not every commit of a full class has to.
            first, _ = rows_of(kind)
            last = rows.end_of(self._connection, rows_of(kind), excess + quota.bytes_max // 16)
            account.drop(DropReason.QUOTA, self._delete(kind, (first, last)))

    def _age_by_gap(self, right_ms: int) -> None:
        gap_s, last = self._lived.gap_s(right_ms)
        if gap_s:
            self._connection.execute(
                "UPDATE epoch SET older_s = older_s + ? WHERE no <= ?", (gap_s, last)
            )
            self._gone.update(RecordClass)  # what is the oldest, and how old, is to be asked again

"""Makes the planner's notes: a release begins, is good, is taken back; locks come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.folders import HostFolders
from iotistic.agent.reconciler.journal import Journaling
from iotistic.agent.store import Store
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.planner.step import Step
from iotistic.planner.world import (
    Candidate,
    GoodRelease,
    Lock,
    LockOwner,
    Rejection,
    StepKind,
    Subject,
)

HOLDER = "iotistic-agent"
_EVENTS = {
    StepKind.VERIFY: JournalEvent.RELEASE_VERIFYING,
    StepKind.COMMIT: JournalEvent.RELEASE_GOOD,
    StepKind.REJECT: JournalEvent.RELEASE_REJECTED,
    StepKind.TAKE_LOCKS: JournalEvent.LOCKED,
    StepKind.RELEASE_LOCKS: JournalEvent.UNLOCKED,
}


class Keeper:
    """Does the steps that are notes in the store and nothing to the engine.

    Each is one transaction: killed before it, the note is planned again; after it, it counts.
    Lock files that a kill leaves without their entry in the store are for `Observer.tidy`.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        folders: HostFolders,
        journal: Journaling,
        last_words: Callable[[Subject, str], Any],
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._folders = folders
        self._journal = journal
        self._last_words = last_words

    async def note(self, step: Step, document: Mapping[str, Any] | None) -> bool:
        """Make the note; whether there is something new to plan with.

        `document` is the app as it is wanted, None when the store has another target by now.
        """
        app_id, now_ms = step.subject.app_id, self._clock.wall_ms()
        match step.kind:
            case StepKind.VERIFY:
                candidate = Candidate(
                    app_id=app_id,
                    release_hash=step.release_hash,
                    release=step.release,
                    deadline_s=step.until_s or self._clock.now_s(),
                    began_ms=now_ms,
                )
                await self._store.releases.begin(candidate)
            case StepKind.COMMIT:
                if document is None:
                    return False
                good = GoodRelease(
                    app_id=app_id,
                    release_hash=step.release_hash,
                    release=step.release,
                    at_ms=now_ms,
                )
                await self._store.releases.commit(good, document)
            case StepKind.REJECT:
                await self._reject(step, now_ms)
            case StepKind.TAKE_LOCKS:
                if not await self._take_locks(app_id, step, now_ms):
                    return True  # a lock in the way, which the next look sees
            case _:
                # The entry first: without the files it would be a lock that is none.
                await self._store.locks.remove(app_id, LockOwner.AGENT)
                await self._folders.release(app_id)
        self._tell(step, now_ms)
        return True

    async def _reject(self, step: Step, now_ms: int) -> None:
        words: Sequence[str] = await self._last_words(step.served, step.target)
        await self._store.releases.reject(
            Rejection(
                app_id=step.subject.app_id,
                release_hash=step.release_hash,
                release=step.release,
                reason=step.reason,
                service_name=step.service_name,
                last_words=tuple(words),
                at_ms=now_ms,
            )
        )

    async def _take_locks(self, app_id: int, step: Step, now_ms: int) -> bool:
        # The files first, for the same reason.
        if await self._folders.take(app_id, force=step.force) is not None:
            return False
        await self._store.locks.save(
            Lock(
                app_id=app_id,
                owner=LockOwner.AGENT,
                holder=HOLDER,
                reason=step.reason,
                at_ms=now_ms,
                boot_id=self._clock.boot_id,
            )
        )
        return True

    def _tell(self, step: Step, now_ms: int) -> None:
        event = _EVENTS[step.kind]
        is_bad = step.kind is StepKind.REJECT
        tell = self._log.warning if is_bad else self._log.info
        tell(
            str(event).replace("-", " "),
            app_id=step.subject.app_id,
            release=step.release,
            service=step.service_name,
            reason=step.reason,
        )
        self._journal.add(
            JournalEntry(
                at_ms=now_ms,
                app_id=step.subject.app_id,
                event=event,
                service_name=step.service_name,
                service_id=step.owner.name if step.owner else "",
                release=step.release,
                reason=step.reason,
            )
        )

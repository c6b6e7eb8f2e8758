"""The journal as it is written: gathered in a round, stored at its end."""

from __future__ import annotations

from iotistic.agent.clock import Clock
from iotistic.agent.store import Store
from iotistic.agent.store.records import JournalEntry, JournalEvent
from iotistic.planner.step import Step

_ENTRIES_MAX = 500


class Journaling:
    """What was done and why, for people. One write a round, however much was done in it.

    Killed before the write, the entries of a round are lost: the journal explains, nothing
    depends on it.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[JournalEntry] = []

    def add(self, entry: JournalEntry) -> None:
        """Remember until the end of the round; the oldest go if that does not come."""
        self._waiting.append(entry)
        del self._waiting[:-_ENTRIES_MAX]

    def step(self, step: Step, *, failure: str = "", took_s: float | None = None) -> None:
        """Tell of a step that was done, in which time, or failed."""
        served = step.served
        if not served.app_id:
            return
        detail: dict[str, object] = {"step": str(step.kind)}
        if step.differences:
            detail["differences"] = [
                {"field": d.field, "wanted": d.wanted, "found": d.found}
                for d in step.differences[:20]
            ]
        if took_s is not None:
            detail["tookMs"] = round(took_s * 1000)
        if failure:
            detail["why"] = step.reason
        self.add(
            JournalEntry(
                at_ms=self._clock.wall_ms(),
                app_id=served.app_id,
                event=JournalEvent.STEP_FAILED if failure else JournalEvent.STEP_DONE,
                service_id=served.name if served.kind == "service" else "",
                service_name=step.service_name,
                release=step.release,
                reason=failure or step.reason,
                detail=detail,
            )
        )

    async def flush(self) -> None:
        """Store what was gathered."""
        entries, self._waiting = self._waiting, []
        try:
            await self._store.journal.add(entries)
        except BaseException:
            self._waiting = [*entries, *self._waiting][-_ENTRIES_MAX:]
            raise

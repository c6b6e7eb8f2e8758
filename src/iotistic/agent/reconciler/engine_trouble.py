"""What a round does when it could not look: tell of it once, and wait before the next one."""

from __future__ import annotations

from collections.abc import Mapping

from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.snapshot import Snapshot
from iotistic.agent.store.errors import DatabaseCorrupt
from iotistic.model.errors import EngineUnavailable, IotisticError, Unavailable
from iotistic.planner import attempts

_BASE_S = 0.5
_DOUBLINGS_MAX = 5


class EngineTrouble:
    """Rounds in a row that could not look.

    What was seen last stands meanwhile, and nothing is decided: that something cannot be seen is
    no reason to make or remove anything.
    """

    def __init__(self, log: AgentLogger) -> None:
        self._log = log
        self._failures = 0

    def met(self, error: IotisticError, snapshot: Snapshot) -> tuple[float, Mapping[str, object]]:
        """How long to wait in seconds, and what is new of the snapshot.

        Raises DatabaseCorrupt again: only opening the store anew mends that.
        """
        if isinstance(error, DatabaseCorrupt):
            raise error
        self._failures += 1
        is_engine = isinstance(error, EngineUnavailable)
        held = snapshot.engine_error if is_engine else snapshot.look_error
        news: dict[str, object] = {}
        if held is None or held.code != error.code:
            what = "engine unavailable" if is_engine else "no look possible"
            self._log.warning(what, code=error.code, error=str(error))
            news = {"engine_error" if is_engine else "look_error": error}
        wait_s = attempts.retry_delay_s(min(self._failures, _DOUBLINGS_MAX), base_s=_BASE_S)
        asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
        return max(wait_s, asked_s or 0.0), news

    def over(self, snapshot: Snapshot) -> Mapping[str, object]:
        """A look was answered: what is new of the snapshot."""
        self._failures = 0
        if snapshot.engine_error is not None:
            self._log.info("engine is back")
        return {"engine_error": None, "look_error": None}

"""What a low bandwidth and a tight budget make of the intervals. Pure."""

from __future__ import annotations

from dataclasses import replace

from iotistic.agent.sync.cadence import SyncIntervals
from iotistic.agent.sync.turns import CourierPace
from iotistic.agent.traffic.budget import Stage
from iotistic.agent.traffic.link_use import LinkUse
from iotistic.model.records import RecordClass

LOW_POLL_S = 3600.0
LOW_REPORT_S = 900.0
LOW_ALIVE_S = 7200.0
LOW_METRICS_S = 6 * 3600.0
"""An idle device comes to less than a megabyte a month with these: `scripts/bench traffic`."""
SLOW_POLL_S = 3600.0
"""However little is left: the target is asked for as often as this, or as it was meant to be."""
SLOW_ALIVE_S = 6 * 3600.0
SLOW_METRICS_S = 24 * 3600.0
STRETCHED_LOG_S = 3600.0


def intervals_for(asked: SyncIntervals, use: LinkUse) -> SyncIntervals:
    """The intervals in force: never shorter than asked for, and polls never stop."""
    found = asked
    if use.is_low:
        found = SyncIntervals(
            poll_s=max(asked.poll_s, LOW_POLL_S),
            report_s=max(asked.report_s, LOW_REPORT_S),
            metrics_s=max(asked.metrics_s, LOW_METRICS_S),
            alive_s=max(asked.alive_s, LOW_ALIVE_S),
            in_detail=False,
        )
    if use.allowance.is_exhausted:
        return SyncIntervals(
            poll_s=max(found.poll_s, SLOW_POLL_S),
            report_s=max(found.report_s, SLOW_ALIVE_S),
            metrics_s=max(found.metrics_s, SLOW_METRICS_S),
            alive_s=max(found.alive_s, SLOW_ALIVE_S),
            in_detail=False,
        )
    stretch = use.allowance.stretch
    return SyncIntervals(
        poll_s=_stretched(found.poll_s, stretch, SLOW_POLL_S),
        report_s=_stretched(found.report_s, stretch, SLOW_ALIVE_S),
        metrics_s=_stretched(found.metrics_s, stretch, SLOW_METRICS_S),
        alive_s=_stretched(found.alive_s, stretch, SLOW_ALIVE_S),
        in_detail=found.in_detail and use.allowance.stage is Stage.FREE,
    )


def pace_for(asked: CourierPace, use: LinkUse) -> CourierPace:
    """How soon records go, and which of them stay here for now. Events always go."""
    stage = use.allowance.stage
    held: set[RecordClass] = set()
    if stage is Stage.SCARCE:
        held = {RecordClass.METRIC, RecordClass.LOG}
    elif stage is Stage.EXHAUSTED:
        held = set(RecordClass) - {RecordClass.EVENT}
    return replace(
        asked,
        log_s=_stretched(asked.log_s, use.allowance.stretch, STRETCHED_LOG_S),
        other_s=max(asked.other_s, LOW_REPORT_S) if use.is_low else asked.other_s,
        with_reports=use.is_low,
        held=asked.held | held,
    )


def _stretched(span_s: float, stretch: float, longest_s: float) -> float:
    return max(span_s, min(span_s * stretch, longest_s))

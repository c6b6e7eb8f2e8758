"""How long the engine may take for each class of call, in seconds."""

from __future__ import annotations

LIST_S = 15.0
MUTATE_S = 60.0
STOP_MARGIN_S = 30.0
"""On top of the grace period: killing, unmounting and restart rules take their time."""
STATS_S = 10.0
PULL_IDLE_S = 120.0
"""Without any sign of progress. A pull as a whole may take hours on a poor link."""

"""How long to wait after failures in a row."""

from __future__ import annotations

from random import Random

BASE_S = 1.0
CAP_S = 60.0
_DOUBLINGS_MAX = 30  # beyond any cap; keeps the power of two small for ever


def backoff_s(attempt: int, rng: Random) -> float:
    """Seconds to wait after `attempt` failures in a row, exponential with full jitter.

    A uniform draw from [0, min(CAP_S, BASE_S * 2**(attempt - 1))]. The whole range, because a
    fleet that lost its cloud together must not come back together.

    Raises ValueError if attempt < 1 (our mistake, never the user's).
    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    if attempt < 1:
        raise ValueError(f"attempt must be at least 1, not {attempt}")
    ceiling_s = min(CAP_S, BASE_S * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
    return rng.uniform(0.0, ceiling_s)

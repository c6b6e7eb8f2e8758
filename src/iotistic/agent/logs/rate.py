"""How often the same message may come: a loop gone wild must not drown the rest."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

BURST = 50
WINDOW_S = 60.0
KEYS_MAX = 500


@dataclass(slots=True)
class _Window:
    began_s: float
    said: int = 0
    held_back: int = 0


class MessageRate:
    """At most `BURST` records per `WINDOW_S` of one component's message; the rest is counted."""

    def __init__(self) -> None:
        # In the order in which they began, so the ones that are over stand first.
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    def allows(self, component: str, message: str, now_s: float) -> bool:
        """Whether to say it; counts it either way."""
        window = self._windows.get((component, message))
        if window is None:
            window = self._windows[component, message] = _Window(now_s)
        if window.said < BURST:
            window.said += 1
            return True
        window.held_back += 1
        return False

    def over(self, now_s: float) -> list[tuple[str, str, int]]:
        """(component, message, records held back) of windows that ended; each is told once."""
        told = []
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if now_s - window.began_s < WINDOW_S and len(self._windows) <= KEYS_MAX:
                break
            del self._windows[key]
            if window.held_back:
                told.append((*key, window.held_back))
        return told

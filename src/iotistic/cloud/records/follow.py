"""Waking those who follow a device's log: a bell for each device that somebody listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from iotistic.cloud.errors import TooManyAttempts

FOLLOWERS_MAX = 200


class Bells:
    """Rings for whoever waits. A ring carries nothing: what is new is read from the database, so
    a lost one costs a wait and no line.
    """

    def __init__(self, *, followers_max: int = FOLLOWERS_MAX) -> None:
        self._followers_max = followers_max
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self.is_closed = False
        self.rings = 0
        """How often any of them rang: a look that began later sees what was told of."""

    def ring(self, device_id: int) -> None:
        """Something is new of this device, and committed."""
        self.rings += 1
        for event in self._waiting.get(device_id, ()):
            event.set()

    def close(self) -> None:
        """The cloud stops: nobody is to wait any longer."""
        self.is_closed = True
        for device_id in self._waiting:
            self.ring(device_id)

    def check(self) -> None:
        """Raises TooManyAttempts (`too-many-followers`) when nobody else can be let in."""
        if sum(map(len, self._waiting.values())) >= self._followers_max:
            raise TooManyAttempts(
                "too many follow logs at this moment",
                code="too-many-followers",
                remedy="end another one, or ask without follow",
                retry_after_s=10,
            )

    @contextmanager
    def listening(self, device_id: int) -> Iterator[asyncio.Event]:
        """An event that is set by each ring."""
        event = asyncio.Event()
        self._waiting.setdefault(device_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[device_id].discard(event)
            if not self._waiting[device_id]:
                del self._waiting[device_id]

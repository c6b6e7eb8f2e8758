"""What the store asks of whoever watches over the room on the disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from iotistic.agent.host.files import DiskFull
from iotistic.model.errors import Unavailable

T = TypeVar("T")


class Space(Protocol):
    """Makes room when there is none, and hears how writing goes."""

    @property
    def is_tight(self) -> bool:
        """Only what matters should be written now."""
        ...

    async def make_room(self) -> bool:
        """Give up the next thing that takes room; False when there is nothing more."""
        ...

    def told(self, error: Unavailable | None) -> None:
        """A write came to this; None: it is on the disk."""
        ...


class NoSpace:
    """Nothing is in reserve."""

    is_tight = False

    async def make_room(self) -> bool:
        """There is nothing to give up."""
        return False

    def told(self, error: Unavailable | None) -> None:
        """Nobody listens."""


async def with_room(work: Callable[[], Awaitable[T]], space: Space) -> T:
    """Do the work, again for as long as there is no room and some can be made."""
    while True:
        try:
            return await work()
        except DiskFull:
            if not await space.make_room():
                raise

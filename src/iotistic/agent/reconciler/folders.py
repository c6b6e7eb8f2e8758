"""What the reconciler needs of the host's folders in memory: secrets, and the control folders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from iotistic.model.container import ContainerRequest
from iotistic.planner.world import Lock


class HostFolders(Protocol):
    """Files and folders that are bound into containers. Raises IotisticError where it cannot."""

    async def prepare(self, request: ContainerRequest, *, is_new: bool) -> None:
        """Put there what the container needs; with `is_new` an old word of a take-over goes."""
        ...

    async def check(self, request: ContainerRequest) -> None:
        """Raise what `prepare` would, as far as it can be told without changing anything."""
        ...

    async def locks(self) -> tuple[Lock, ...]:
        """The locks that services hold."""
        ...

    async def drop(self, lock: Lock) -> None:
        """Remove a service's lock that is left over, unless there is another one by now."""
        ...

    async def handed_over(self) -> frozenset[tuple[int, str]]:
        """The services (app id, key) whose newest container said that it has taken over."""
        ...

    async def take(self, app_id: int, *, force: bool = False) -> Lock | None:
        """Take the locks of all services of an app, or none: then whose is in the way.

        With `force` nobody's is.
        """
        ...

    async def release(self, app_id: int) -> None:
        """Let go of what is ours."""
        ...

    async def held(self) -> frozenset[int]:
        """Apps with a lock file of ours, by whichever life of the agent."""
        ...

    async def remove_unused(self, keep: Collection[tuple[int, str]]) -> None:
        """Remove what belongs to other services than these (app id, key)."""
        ...

"""Kills the agent's loop at a chosen change to engine, store or folders: nothing answers then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.agent.store import Store
from iotistic.agent.store.container_table import ContainerTable
from iotistic.agent.store.image_table import ImageTable
from iotistic.agent.store.journal_table import Journal
from iotistic.agent.store.lock_table import LockTable
from iotistic.agent.store.release_table import ReleaseTable
from iotistic.engines.simulated import SimulatedEngine

_ENGINE = (
    "pull", "remove_image", "create_network", "remove_network", "create_volume", "remove_volume",
    "create_container", "start", "stop", "restart", "pause", "unpause", "rename", "remove",
)  # fmt: skip
_REST: dict[type, tuple[str, ...]] = {
    ReleaseTable: ("begin", "commit", "reject", "clear_rejections", "drop_candidate"),
    LockTable: ("save", "remove"),
    ContainerTable: ("save_born", "save_completed"),
    ImageTable: ("save", "forget"),
    Journal: ("add",),
    Store: ("save_attempt", "clear_attempts", "mark_applied", "save_target"),
    RuntimeFolders: ("prepare", "take", "release", "remove_unused"),
}


class PowerCut:
    """Armed with `at` and `after`, it cuts at the n-th change, before or after that is made.

    `met` names the changes that came since it was armed, in order.
    """

    def __init__(self) -> None:
        self._left = 0
        self._after = False
        self._armed = False
        self.happened = asyncio.Event()
        self.met: list[str] = []

    def arm(self, at: int, *, after: bool) -> None:
        self._left, self._after, self._armed = at, after, True

    def disarm(self) -> None:
        self._armed = False

    def wire(self, patch: pytest.MonkeyPatch) -> None:
        """Stand before what the agent keeps in its store and in folders."""
        for owner, names in _REST.items():
            for name in names:
                patch.setattr(owner, name, self._wired(f"{owner.__name__}.{name}", owner, name))

    def before(self, engine: SimulatedEngine) -> Any:
        """The engine, with this before all that changes it."""
        return _CutEngine(engine, self)

    def _wired(self, what: str, owner: type, name: str) -> Callable[..., Awaitable[Any]]:
        original = getattr(owner, name)

        async def call(this: Any, *args: Any, **options: Any) -> Any:
            return await self.reach(what, lambda: original(this, *args, **options))

        return call

    async def reach(self, what: str, change: Callable[[], Awaitable[Any]]) -> Any:
        """Make a change, unless the power is gone by then."""
        if not self._armed:
            return await change()
        self._left -= 1
        if self._left > 0:
            self.met.append(what)
            return await change()
        if self._left == 0:
            self.met.append(what)
            if self._after:
                await change()
        self.happened.set()
        return await asyncio.get_running_loop().create_future()


class _CutEngine:
    def __init__(self, engine: SimulatedEngine, power: PowerCut) -> None:
        self._engine = engine
        self._power = power

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)
        if name not in _ENGINE:
            return call

        async def cut(*args: Any, **options: Any) -> Any:
            return await self._power.reach(f"Engine.{name}", lambda: call(*args, **options))

        return cut

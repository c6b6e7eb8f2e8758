"""Takes targets in: judged, stored, and only then handed on to be acted upon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler import offer
from iotistic.agent.store import Store, StoredTarget
from iotistic.agent.store.records import target_hash
from iotistic.model.earlier import as_first_read
from iotistic.model.errors import InvalidField
from iotistic.model.target import TargetState, parse_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A target that is in the store. `is_new`: it differs from the one held before.

    `fault`: this version refuses it; it was taken by an earlier one, and is read as that did.
    """

    target: TargetState
    state_hash: str
    is_new: bool
    fault: InvalidField | None = None


class TargetIntake:
    """The one way for a target into the store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        *,
        forgiven: Callable[[TargetState], Awaitable[Collection[int]]],
    ) -> None:
        """`forgiven`: the apps whose rejected releases count as new ones with a target."""
        self._store = store
        self._forgiven = forgiven
        self._clock = clock
        self._log = log
        self._one_at_a_time = asyncio.Lock()

    async def stored(self) -> Taken | None:
        """The target that was taken in an earlier life. Raises InvalidField if it fits no more."""
        held = await self._store.target()
        if held is None:
            return None
        document = {
            "apps": held.apps,
            "config": held.config,
            "version": held.version,
            "target_epoch": held.epoch,
        }
        fault: InvalidField | None = None
        try:
            target = await asyncio.to_thread(parse_target, document)
        except InvalidField as error:
            fault = error
            try:
                target = await asyncio.to_thread(parse_target, as_first_read(document))
            except InvalidField:
                raise error from None
        return Taken(target=target, state_hash=held.state_hash, is_new=False, fault=fault)

    async def take(self, document: Any, etag: str | None) -> Taken | None:
        """Judge and store what the cloud offers; None when it has no opinion.

        Raises InvalidField or Refused, and then the store is as it was.
        """
        async with self._one_at_a_time:
            # In a thread: a large target takes longer than the event loop may be held up.
            target = await asyncio.to_thread(parse_target, document)
            held = await self._store.target()
            offer.judge(held, target)
            if offer.is_no_opinion(target):
                return None
            apps, config = _by_id(document), document.get("config") or {}
            state_hash = target_hash(apps, config)
            is_new = held is None or held.state_hash != state_hash
            await self._store.save_target(
                StoredTarget(
                    apps=apps,
                    config=config,
                    version=target.version,
                    epoch=target.epoch,
                    etag=etag,
                    state_hash=state_hash,
                    received_at_ms=self._clock.wall_ms(),
                    applied_at_ms=None if held is None or is_new else held.applied_at_ms,
                ),
                forgiven=await self._forgiven(target) if is_new else (),
            )
        self._log.info("target accepted", version=target.version, apps=len(target.apps))
        return Taken(target=target, state_hash=state_hash, is_new=is_new)


def _by_id(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The apps as a map, in whichever of the two forms they came; every id has been read."""
    apps = document.get("apps") or {}
    return apps if isinstance(apps, Mapping) else {str(int(app["appId"])): app for app in apps}

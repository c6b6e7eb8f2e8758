"""Gathers everything the planner may know, at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace

import psutil

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.folders import HostFolders
from iotistic.agent.store import DatabaseUnavailable, DiskFull, Store
from iotistic.engines.protocol import Engine
from iotistic.model.errors import IotisticError
from iotistic.model.observation import Container, Resources
from iotistic.model.words import ContainerState
from iotistic.planner import normalize, pairing
from iotistic.planner.compare import is_made_for, speaks_another_version
from iotistic.planner.wanted import Wanted, WantedService
from iotistic.planner.world import (
    Attempt,
    CloseLook,
    Host,
    Lock,
    LockOwner,
    StepKind,
    Subject,
    World,
)

CLOSE_LOOKS_A_ROUND = 25
_CLOSE_LOOKS_AT_ONCE = 4
_ENDED = (ContainerState.EXITED, ContainerState.DEAD)
CHANGES_RESOURCES = (
    StepKind.PULL,
    StepKind.CREATE_NETWORK,
    StepKind.REMOVE_NETWORK,
    StepKind.CREATE_VOLUME,
    StepKind.REMOVE_VOLUME,
    StepKind.REMOVE_IMAGE,
    StepKind.REMOVE,
)
"""After these a full look is due."""


class Observer:
    """Looks at the engine, the host and the store.

    Images, networks and volumes are kept from the last full look. Containers are looked at
    closely once after a start, and when the engine says that one was changed; the planner asks
    for more where it cannot decide.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        folders: HostFolders,
        pulling: Callable[[], Mapping[str, float]],
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._log = log
        self._folders = folders
        self._pulling = pulling
        self._resources: Resources | None = None
        self._host = Host()
        self._looks: dict[str, CloseLook] = {}
        self._to_inspect: set[str] = set()
        self._inspect_all = True
        self.full_look_at_s = 0.0

    def inspect_soon(self, container_id: str) -> None:
        """Somebody changed a container: it is compared anew."""
        self._looks.pop(container_id, None)
        self._to_inspect.add(container_id)

    def inspect_all_soon(self) -> None:
        """Nobody has listened to what was done to containers: all of them are compared anew."""
        self._inspect_all = True

    async def look(
        self,
        *,
        full: bool,
        in_flight: frozenset[Subject],
        attempts: Iterable[Attempt],
        wanted: Wanted,
    ) -> World:
        """The world now. `in_flight` is what was under way before looking. Raises what engine and
        store may.
        """
        # The locks first: who made one lived until then, and is in the listing or has ended.
        locks = await self._folders.locks()
        containers = await self._engine.containers()
        held = await self._without_left_over(locks, containers)
        if full:
            self._resources = await self._engine.resources()
            self._host = await self._read_host()
            self.full_look_at_s = self._clock.now_s()
        await self._inspect_some(containers, wanted)
        store = self._store
        return World(
            now_s=self._clock.now_s(),
            containers=containers,
            resources=self._resources,
            resources_fresh=full,
            in_flight=in_flight,
            pulling=self._pulling(),
            attempts=tuple(attempts),
            intents=await store.intents(),
            locks=(*await store.locks.all(), *held),
            releases=await store.releases.all(),
            completed=await store.containers.completed(),
            pulled=await store.images.pulled(),
            host=self._host,
            inspected=dict(self._looks),
            handed_over=_newest(containers, await self._folders.handed_over()),
        )

    async def noted(self, world: World) -> World:
        """The same world after notes were made in the store."""
        store = self._store
        return replace(
            world,
            locks=(*await store.locks.all(), *await self._folders.locks()),
            releases=await store.releases.all(),
        )

    async def inspect(self, ids: Collection[str], world: World, wanted: Wanted) -> World:
        """The same world, with close looks at these containers."""
        services = _services(wanted)
        chosen = [c for c in world.containers if c.id in ids]
        gate = asyncio.Semaphore(_CLOSE_LOOKS_AT_ONCE)

        async def one(container: Container) -> None:
            async with gate:
                service = services.get((container.app_id, container.service_id))
                if service is not None:
                    await self._look_closely(container, service)

        async with asyncio.TaskGroup() as group:
            for container in chosen:
                group.create_task(one(container))
        return replace(world, inspected=dict(self._looks))

    async def _without_left_over(
        self, locks: Iterable[Lock], containers: Iterable[Container]
    ) -> list[Lock]:
        """The locks whose services have a container that has not ended; the others are removed."""
        living = {(c.app_id, c.service_id) for c in containers if c.state not in _ENDED}
        kept = []
        for lock in locks:
            if (lock.app_id, lock.holder) in living:
                kept.append(lock)
            else:
                self._log.info("lock left over", app_id=lock.app_id, service=lock.holder)
                await self._folders.drop(lock)
        return kept

    async def _inspect_some(self, containers: Collection[Container], wanted: Wanted) -> None:
        here = {c.id: c for c in containers}
        for gone in self._looks.keys() - here.keys():
            del self._looks[gone]
        if not wanted.apps:
            return
        if self._inspect_all:
            self._inspect_all, self._to_inspect = False, set(here)
        services = _services(wanted)
        self._to_inspect &= here.keys()
        due = [
            (here[container_id], service)
            for container_id in sorted(self._to_inspect)
            if (service := services.get(_service_of(here[container_id]))) is not None
            and is_made_for(service, here[container_id])
        ]
        for container, service in due[:CLOSE_LOOKS_A_ROUND]:
            # Before the look: who changes it meanwhile puts it in again.
            self._to_inspect.discard(container.id)
            if not await self._look_closely(container, service):
                self.inspect_soon(container.id)

    async def _look_closely(self, container: Container, service: WantedService) -> bool:
        """Compare it; whether that could be done."""
        try:
            seen = await self._engine.inspect(container.id, service.request)
        except IotisticError as error:
            # The hash on its label still says whether it is the one that is wanted.
            self._log.debug("close look failed", container=container.id, code=error.code)
            return False
        if seen is None:
            return True
        key = bytes.fromhex(self._store.identity.hash_key.reveal())
        born = (await self._store.containers.born()).get(container.id)
        if born is None and not speaks_another_version(container):
            # Made by an agent that did not note how: what it is like now counts as that.
            form = normalize.normal_form(seen.spec, service_name=service.name, key=key)
            born = normalize.short_hashes(form)
            await self._remember(self._store.containers.save_born(container.id, born))
        self._looks[container.id] = CloseLook(
            compared_with=service.spec_hash,
            differences=normalize.drift(
                service.target.spec, seen.spec, service_name=service.name, key=key, born=born
            ),
        )
        return True

    async def tidy(self, world: World, wanted: Wanted) -> None:
        """Forget and remove what is left of things that are not there any more.

        Only from within a round, between its looks and its notes: beside it, what a step has just
        made for a container would be taken for left over, and a lock half taken as well.
        """
        containers = world.containers
        if not world.in_flight:  # or a container would be forgotten that was made since we looked
            await self._remember(self._store.containers.forget_born([c.id for c in containers]))
        keep = {(c.app_id, c.service_id) for c in containers}
        keep |= {(s.app_id, s.key) for app in wanted.apps for s in app.services}
        keep |= {(s.app_id, s.key) for app in wanted.good.values() for s in app.services}
        ours = {lock.app_id for lock in world.locks if lock.owner is LockOwner.AGENT}
        try:
            for app_id in await self._folders.held() - ours:
                self._log.info("own lock left over", app_id=app_id)
                await self._folders.release(app_id)
            await self._folders.remove_unused(keep)
        except IotisticError as error:
            self._log.warning("left over files stay", code=error.code, error=str(error))
        if wanted.may_remove:
            apps = {app.app_id for app in wanted.apps} | {c.app_id for c in containers}
            await self._remember(self._store.forget_apps(apps))

    async def _remember(self, write: Awaitable[None]) -> None:
        """Write what the next full look finds again: without room for it, looking goes on."""
        try:
            await write
        except (DiskFull, DatabaseUnavailable) as error:
            self._log.debug("not remembered", code=error.code)

    async def _read_host(self) -> Host:
        try:
            space = await self._engine.space()
            memory = await asyncio.to_thread(psutil.virtual_memory)
        except (IotisticError, OSError) as error:
            self._log.debug("room on this machine unknown", error=str(error))
            return Host()
        return Host(
            disk_free_bytes=space.free_bytes if space else None,
            memory_free_bytes=int(memory.available),
        )


def _service_of(container: Container) -> tuple[int, str]:
    return container.app_id, container.service_id


def _services(wanted: Wanted) -> dict[tuple[int, str], WantedService]:
    return {(s.app_id, s.key): s for app in wanted.apps for s in app.services}


def _newest(
    containers: Iterable[Container], services: Collection[tuple[int, str]]
) -> frozenset[str]:
    """The ids of the newest containers of these services: whose word it must have been."""
    found: dict[tuple[int, str], Container] = {}
    for container in containers:
        key = (container.app_id, container.service_id)
        held = found.get(key)
        if key in services and (held is None or pairing.is_newer(container, held)):
            found[key] = container
    return frozenset(container.id for container in found.values())

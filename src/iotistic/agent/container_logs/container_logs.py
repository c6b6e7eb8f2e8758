"""class ContainerLogs: which containers are followed, and when their lines are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.container_logs import follower
from iotistic.agent.container_logs.follower import (
    PREFIX,
    ContainerLogSettings,
    Engine,
    Follower,
    Site,
    Tally,
)
from iotistic.agent.container_logs.place import Place, decode_place
from iotistic.agent.logs import AgentLogger
from iotistic.agent.logs.redaction import Redactor
from iotistic.model.errors import IotisticError
from iotistic.model.observation import Container
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from iotistic.model.words import ContainerState, LogComponent

STORE_EVERY_S = 1.0
SWITCHED_ON = "container-logs-on"
"""A cursor of that name is there while lines are taken: whether what was said before is wanted."""


class Outbox(follower.Outbox, Protocol):
    """Where lines and places are stored."""

    async def cursors(self, prefix: str) -> Mapping[str, str]:
        """What is stored of places, by name."""
        ...

    async def forget_cursors(self, names: Collection[str]) -> None:
        """These are needed no more."""
        ...


class ContainerLogs:
    """Follows every container of ours, each line once and in order.

    `containers` is the last listing, None before there was one; `hidden_in(app_id)` are the secrets
    of an app; `mask` takes out those of the agent; `on_error` is called when an error was stored.
    Level-triggered: `changed` may be called as often as one likes.

    What a container said before this was first switched on (or since it was switched off) is not
    taken; what it said while the agent was away is.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        outbox: Outbox,
        containers: Callable[[], Sequence[Container] | None],
        hidden_in: Callable[[int], Iterable[Secret]],
        mask: Callable[[str], str],
        settings: Callable[[], ContainerLogSettings],
        on_error: Callable[[], None],
        clock: Clock,
        rng: Random,
        log: AgentLogger,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._containers = containers
        self._hidden_in = hidden_in
        self._mask = mask
        self._read_settings = settings
        self._settings = settings()
        self._clock = clock
        self._log = log.bind(component=LogComponent.CONTAINER_LOGS)
        self._tally = Tally()
        self._bell = asyncio.Event()
        self._unstored = asyncio.Event()
        self._site = Site(
            engine=engine,
            outbox=outbox,
            clock=clock,
            rng=rng,
            log=self._log,
            settings=lambda: self._settings,
            mask=self._masked,
            touched=self._unstored.set,
            on_error=on_error,
            tally=self._tally,
        )
        self._followers: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        self._redactors: dict[int, Redactor] = {}
        self._stale: set[int] = set()
        self._began_s = clock.wall_ms() // 1000

    def changed(self) -> None:
        """Containers, secrets or settings may be others than before."""
        self._settings = self._read_settings()
        self._stale = set(self._redactors)
        self._bell.set()

    def counts(self) -> dict[str, Any]:
        """What became of the lines since the start."""
        return {
            "followed": len(self._followers),
            "stored": self._tally.stored,
            "dropped": self._tally.dropped,
            "sampledOut": {str(level): n for level, n in self._tally.sampled_out.items()},
        }

    async def run(self) -> None:
        """Follow until cancelled. May be cancelled or killed at any `await`."""
        while True:
            await self._until(lambda: not self._settings.enabled or self._listing() is not None)
            if self._settings.enabled:
                await self._follow_all()
            await self._switch_off()
            await self._until(lambda: self._settings.enabled)
            self._began_s = self._clock.wall_ms() // 1000

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._bell.wait()
            self._bell.clear()

    def _listing(self) -> list[Container] | None:
        """The containers that have been started; None before there was a look at the engine."""
        found = self._containers()
        if found is None:
            return None
        return [c for c in found if c.state is not ContainerState.CREATED]

    async def _follow_all(self) -> None:
        """Follow until it is switched off."""
        self._followers.clear()
        places = await self._stored_places()
        async with asyncio.TaskGroup() as group:
            storing = group.create_task(self._store_all(), name="container-logs-storing")
            while self._settings.enabled:
                self._bell.clear()
                for container in self._listing() or ():
                    if container.id in self._followers:
                        self._followers[container.id][0].seen(container)
                    else:
                        place = places.pop(container.id, None) or Place()
                        one = Follower(container, place, self._site)
                        task = group.create_task(
                            self._follow(container.id, one), name=f"logs {container.service_name}"
                        )
                        self._followers[container.id] = (one, task)
                for container_id in self._followers.keys() - self._ids():
                    self._followers[container_id][0].gone()
                await self._bell.wait()
            storing.cancel()
            for _, task in self._followers.values():
                task.cancel()

    def _ids(self) -> set[str]:
        return {container.id for container in self._containers() or ()}

    async def _follow(self, container_id: str, one: Follower) -> None:
        try:
            await one.run()
        finally:
            self._followers.pop(container_id, None)
        # It is gone, and with it all that could be read again from there.
        await self._forget([PREFIX + container_id])

    async def _store_all(self) -> None:
        """Store what was read once a second: all containers' lines go to the disk together."""
        while True:
            await self._unstored.wait()
            await self._clock.sleep(STORE_EVERY_S)
            self._unstored.clear()
            followers = [one for one, _ in self._followers.values()]
            await asyncio.gather(*(one.store() for one in followers if one.has_work))
            if any(one.in_flood for one in followers):
                self._unstored.set()

    async def _stored_places(self) -> dict[str, Place]:
        """Where to go on, by container id; places of containers that are gone are forgotten."""
        cursors = await self._outbox.cursors("container-log")
        stored = {
            name.removeprefix(PREFIX): place
            for name, text in cursors.items()
            if name.startswith(PREFIX) and (place := decode_place(text)) is not None
        }
        here = {container.id: container for container in self._containers() or ()}
        for container_id in stored.keys() - here.keys():
            if await self._is_gone(container_id):
                await self._forget([PREFIX + container_id])
        if SWITCHED_ON in cursors:
            return stored
        # What was there before is followed from now on. It goes to the disk before anything is
        # read: killed in between, the next start must not take the whole of it.
        now = Place(since_s=self._began_s)
        places = {c.id: now for c in here.values() if c.created_s < self._began_s}
        for container_id, place in places.items():
            await self._outbox.put_all(
                RecordClass.LOG, (), cursor=(PREFIX + container_id, place.encode())
            )
        await self._outbox.put_all(RecordClass.LOG, (), cursor=(SWITCHED_ON, "1"))
        return places

    async def _is_gone(self, container_id: str) -> bool:
        """Whether the engine says so as well: a listing may have left it out by mistake."""
        try:
            return await self._engine.started_at(container_id) is None
        except IotisticError:
            return False

    async def _switch_off(self) -> None:
        await self._forget(list(await self._outbox.cursors("container-log")))

    async def _forget(self, names: Collection[str]) -> None:
        if not names:
            return
        try:
            await self._outbox.forget_cursors(names)
        except IotisticError as error:
            self._log.debug("places not forgotten", code=error.code)  # the next start does

    def _masked(self, app_id: int, text: str) -> str:
        redactor = self._redactors.get(app_id)
        if redactor is None or app_id in self._stale:
            # What was a secret once stays one: a container may still be the one before.
            redactor = self._redactors.setdefault(app_id, Redactor())
            redactor.learn(*_pieces(self._hidden_in(app_id)))
            self._stale.discard(app_id)
        return redactor.text(self._mask(text), length_max=len(text) + 64)


def _pieces(secrets: Iterable[Secret]) -> Iterable[Secret]:
    """The secrets and their lines: a container's output comes line by line."""
    for secret in secrets:
        lines = [line.strip() for line in secret.reveal().splitlines()]
        yield from (Secret(line) for line in lines if line)

"""A device without its agent: a clock that jumps, a store in memory, and a life that can end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from iotistic.agent.host.crypto_child import CryptoRefused
from iotistic.agent.host.crypto_operations import OPERATIONS
from iotistic.agent.logs import LogBook
from iotistic.agent.provisioning import DeviceManager, ProvisioningSettings
from iotistic.agent.store.records import CloudLink, Identity, ProvisioningPhase, ResetOptions
from iotistic.engines.simulated import SimulatedEngine
from iotistic.model.errors import IotisticError
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect

UUID = "9f0c1f2e-1111-4222-8333-444455556666"
OTHER_UUID = "0a0b0c0d-1111-4222-8333-444455556666"
KEY = "5e" * 32
OTHER_KEY = "7a" * 32
NOW_MS = 1_760_000_000_000
PRIVATE_KEY_PEM: str = OPERATIONS["generate-keypair"]({})["private_key_pem"]


class JumpingClock:
    """Time passes only in `sleep`, and then at once."""

    boot_id = "boot-1"

    def __init__(self, wall_ms: int = NOW_MS) -> None:
        self._now_s = 1000.0
        self._wall_ms = wall_ms

    def now_s(self) -> float:
        return self._now_s

    def wall_ms(self) -> int:
        return self._wall_ms

    def pass_s(self, span_s: float) -> None:
        self._now_s += span_s
        self._wall_ms += round(span_s * 1000)

    async def sleep(self, span_s: float) -> None:
        await asyncio.sleep(0)
        self.pass_s(span_s)


class MemoryStore:
    """What a real store keeps, with a moment before and one after each write to be killed in."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.reset_pending: ResetOptions | None = None
        self.database_was_missing = False
        self.alive = True
        self.history: list[ProvisioningPhase] = []

    @property
    def identity(self) -> Identity:
        return self._identity

    def files(self) -> tuple[str, ...]:
        return ("device.sqlite", "identity.json")

    async def save_identity(self, identity: Identity) -> None:
        await asyncio.sleep(0)
        if self.alive:
            self._identity = identity
            self.history.append(identity.phase)
        await asyncio.sleep(0)

    async def begin_reset(self, options: ResetOptions) -> None:
        await asyncio.sleep(0)
        self.reset_pending = options
        await asyncio.sleep(0)

    async def wipe(self, *, keep_identity: bool, spent_key_hash: str | None) -> None:
        await asyncio.sleep(0)
        if self.alive:
            kept = identity() if keep_identity else identity(uuid=OTHER_UUID)
            self._identity = replace(kept, spent_key_hash=spent_key_hash)
            self.reset_pending = None
        await asyncio.sleep(0)


async def crypto(operation: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The crypto child's work, in this process: the child itself is tested in its own room."""
    await asyncio.sleep(0)
    try:
        result: Mapping[str, Any] = OPERATIONS[operation](payload)
    except Exception as error:
        raise CryptoRefused(str(error)) from error
    return result


class Device:
    """A disk, and as many lives of the agent on it as a test wants."""

    def __init__(
        self,
        settings: ProvisioningSettings | None = None,
        *,
        found: Identity | None = None,
        clock: JumpingClock | None = None,
    ) -> None:
        self.clock = clock or JumpingClock()
        self.store = MemoryStore(found or identity())
        self.engine = SimulatedEngine(self.store.identity.uuid, self.clock)
        self.book = LogBook(self.clock)
        self.settings = settings or ProvisioningSettings()
        self.resets = 0
        self._changed = asyncio.Event()
        self.manager = self.restart()

    @property
    def identity(self) -> Identity:
        return self.store.identity

    @property
    def error(self) -> IotisticError:
        """What the status says is wrong."""
        found = self.manager.status().error
        assert found is not None
        return found

    @property
    def link(self) -> CloudLink:
        """What the disk holds, in use or not."""
        assert self.identity.cloud is not None
        return self.identity.cloud

    @property
    def api_key(self) -> str:
        return self.link.api_key.reveal()

    def restart(
        self,
        settings: ProvisioningSettings | None = None,
        *,
        database_was_missing: bool = False,
    ) -> DeviceManager:
        """A new life of the agent on the same disk."""
        self.settings = settings or self.settings
        self.store.alive = True
        self.store.database_was_missing = database_was_missing
        self.manager = DeviceManager(
            store=self.store,
            engine=self.engine,
            clock=self.clock,
            log=self.book.logger(),
            rng=Random(7),
            settings=self.settings,
            on_change=self._changed.set,
            on_reset=self._was_reset,
            access_file=Path(tempfile.gettempdir()) / "no-such-token",
            crypto=crypto,
        )
        return self.manager

    async def runs_until(self, holds: Callable[[], bool]) -> None:
        """Let the agent run until something is true; fails when it does not come true."""
        await self._run(self.manager.run(), holds)
        assert holds()

    async def runs_until_provisioned(self) -> None:
        await self.runs_until(lambda: self.identity.phase is ProvisioningPhase.PROVISIONED)

    async def lives_for(self, awaits: int, holds: Callable[[], bool]) -> bool:
        """Run, and be killed at the n-th await. Returns whether it came that far."""
        mortal = Mortal(self.manager.run(), dies_at=awaits, at_death=self._dies)
        await self._run(mortal.live(), holds)
        return mortal.dead

    async def is_asked_and_killed(self, asked: Coroutine[Any, Any, Any], awaits: int) -> bool:
        """Do what a person asks for, and be killed at its n-th await; whether it came that far."""
        mortal = Mortal(asked, dies_at=awaits, at_death=self._dies)
        await self._run(mortal.live(), lambda: False)
        return mortal.dead

    async def _run(self, life: Coroutine[Any, Any, None], holds: Callable[[], bool]) -> None:
        living = asyncio.ensure_future(life)
        try:
            async with asyncio.timeout(20):
                while not holds() and not living.done():
                    self._changed.clear()
                    waiter = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait((waiter, living), return_when=asyncio.FIRST_COMPLETED)
                    waiter.cancel()
        finally:
            living.cancel()
            await asyncio.wait((living,))
        if not living.cancelled():
            living.result()

    def _dies(self) -> None:
        self.store.alive = False

    def _was_reset(self) -> None:
        self.resets += 1
        self._changed.set()


class Mortal:
    """Drives a coroutine, and ends it at its n-th await; from then on nothing it does counts."""

    def __init__(
        self, life: Coroutine[Any, Any, Any], *, dies_at: int, at_death: Callable[[], None]
    ) -> None:
        self._life = life
        self._dies_at = dies_at
        self._at_death = at_death
        self.dead = False

    async def live(self) -> None:
        await self

    def __await__(self) -> Generator[Any, None, None]:
        steps = self._life.__await__()
        count = 0
        thrown: BaseException | None = None
        while True:
            count += 1
            if count == self._dies_at:
                self.dead = True
                self._at_death()
                thrown = asyncio.CancelledError()
            try:
                future = steps.throw(thrown) if thrown else next(steps)
            except StopIteration:
                return
            thrown = None
            try:
                yield future
            except asyncio.CancelledError as error:
                thrown = error


def identity(
    *, uuid: str = UUID, phase: ProvisioningPhase = ProvisioningPhase.NEW, **changes: Any
) -> Identity:
    return Identity(
        uuid=uuid,
        creation_id="c1",
        private_key_pem=Secret(PRIVATE_KEY_PEM),
        hash_key=Secret("ab" * 32),
        created_at_ms=NOW_MS,
        phase=phase,
        **changes,
    )


def link(endpoint: str = "https://cloud.example.com/api", **changes: Any) -> CloudLink:
    found = CloudLink(
        endpoint=endpoint, dialect=Dialect.V2, device_id="17", api_key=Secret("ef" * 32)
    )
    return replace(found, **changes)


def provisioned(endpoint: str = "https://cloud.example.com/api", **changes: Any) -> Identity:
    found = identity(
        phase=ProvisioningPhase.PROVISIONED, cloud=link(endpoint), registered_at_ms=NOW_MS
    )
    return replace(found, **changes)


def wants(endpoint: str, key: str = KEY, **changes: Any) -> ProvisioningSettings:
    """The environment of a device that is to join."""
    return replace(ProvisioningSettings(endpoint=endpoint, api_key=Secret(key)), **changes)

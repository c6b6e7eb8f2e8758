"""Does one step with the engine, and keeps the account of what failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from iotistic.agent.clock import Clock
from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.folders import HostFolders
from iotistic.agent.reconciler.journal import Journaling
from iotistic.agent.reconciler.last_words import LastWords
from iotistic.agent.reconciler.layers import Layers
from iotistic.agent.store import Store
from iotistic.engines.protocol import Engine, PullProgress
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import IotisticError, Unavailable
from iotistic.model.words import LogComponent
from iotistic.planner import attempts, normalize
from iotistic.planner.step import Step
from iotistic.planner.world import Attempt, IntentKind, PulledImage, StepKind

CONCURRENT_CALLS = 8


class ContainerManager:
    """Carries out steps: several at once, each with one outcome, none of which stops the others.

    Every call of the engine is idempotent, so a step that was interrupted is simply planned again.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        log: AgentLogger,
        *,
        folders: HostFolders,
        journal: Journaling,
        words: LastWords,
        on_change: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._folders = folders
        self._journal = journal
        self._words = words
        self._clock = clock
        self._log = log.bind(component=LogComponent.CONTAINER_MANAGER)
        self._layers = Layers(engine, store, self._log)
        self._on_change = on_change
        # Dockerd works on a few containers at once and queues the rest; more calls under way
        # would only bring their deadlines nearer. Measured on two cores, 50 services took 0.5 of
        # the time of a shell loop with 2 to 25 calls alike; more cores want more than 2.
        self._slots = asyncio.Semaphore(CONCURRENT_CALLS)
        self._pulling: dict[str, float] = {}

    @property
    def pulling(self) -> Mapping[str, float]:
        """The share done (0..1) of every image being pulled, by canonical reference."""
        return dict(self._pulling)

    async def execute(self, step: Step, before: Attempt | None) -> Attempt | None:
        """Do the step. Returns the record of failures it leaves, None for none.

        Only cancellation and a corrupt store come out of it: a step's failure is an outcome, kept
        in the store if there is room.
        """
        started_s = self._clock.now_s()
        try:
            async with self._slots:
                await self._do(step, before)
        except IotisticError as error:
            return await self._failed(step, before, error)
        took_s = self._clock.now_s() - started_s
        self._log.info(
            "step done",
            step=step.kind,
            subject=str(step.served),
            service=step.service_name,
            reason=step.reason,
            took_s=round(took_s, 3),
        )
        self._journal.step(step, took_s=took_s)
        return await self._succeeded(step, before)

    async def _do(self, step: Step, before: Attempt | None) -> None:
        match step.kind:
            case StepKind.PULL:
                await self._pull(step)
            case StepKind.CREATE_NETWORK if step.network is not None:
                await self._engine.create_network(step.network)
            case StepKind.REMOVE_NETWORK:
                await self._engine.remove_network(step.target)
            case StepKind.CREATE_VOLUME if step.volume is not None:
                await self._engine.create_volume(step.volume)
            case StepKind.REMOVE_VOLUME:
                await self._engine.remove_volume(step.target)
            case StepKind.REMOVE_IMAGE:
                await self._engine.remove_image(step.target)
                await self._store.images.forget([step.target])
            case StepKind.HEAL:
                await self._words.keep(step.subject, step.target)
                await self._engine.remove(step.target)
            case _:
                await self._do_with_container(step, before)

    async def _do_with_container(self, step: Step, before: Attempt | None) -> None:
        engine, container_id = self._engine, step.target
        match step.kind:
            case StepKind.CREATE_CONTAINER if step.container is not None:
                await self._create(step, step.container, before)
            case StepKind.START:
                await self._prepare(step)
                await self._layers.start(container_id)
            case StepKind.STOP:
                if step.container is not None:
                    # What runs is not stopped for what could not be made in its place.
                    await self._folders.check(step.container)
                await engine.stop(container_id, grace_s=step.grace_s)
            case StepKind.RENAME:
                await engine.rename(container_id, step.name)
            case StepKind.RESTART:
                await self._prepare(step)
                await engine.restart(container_id, grace_s=step.grace_s, seen_start=step.seen_start)
            case StepKind.PAUSE:
                await engine.pause(container_id)
            case StepKind.UNPAUSE:
                await engine.unpause(container_id)
            case StepKind.REMOVE:
                await engine.remove(container_id)
            case _:
                raise AssertionError(step)  # a plan with a step nobody knows: our own mistake

    async def _prepare(self, step: Step) -> None:
        if step.container is not None:
            await self._folders.prepare(step.container, is_new=False)

    async def _create(self, step: Step, request: ContainerRequest, before: Attempt | None) -> None:
        await self._folders.prepare(request, is_new=True)
        container_id = await self._layers.create(request, before)
        try:
            seen = await self._engine.inspect(container_id, request)
        except IotisticError as error:
            # The first close look will count as how it was made.
            self._log.debug("how it was made is unknown", code=error.code, container=container_id)
            return
        if seen is not None:
            key = bytes.fromhex(self._store.identity.hash_key.reveal())
            form = normalize.normal_form(seen.spec, service_name=step.service_name, key=key)
            born = normalize.short_hashes(form)
            await self._remember(self._store.containers.save_born(container_id, born))

    async def _pull(self, step: Step) -> None:
        if step.image is None:
            raise ValueError("a pull step without an image")
        name = step.target
        self._pulling[name] = 0.0

        def progressed(progress: PullProgress) -> None:
            if progress.total_bytes > 0:
                self._pulling[name] = min(1.0, progress.done_bytes / progress.total_bytes)
                self._on_change()

        try:
            await self._engine.pull(step.image, progressed, platform=step.platform)
        finally:
            del self._pulling[name]
        for image in (await self._engine.resources()).images:
            if name in image.references:
                await self._store.images.save(
                    PulledImage(
                        reference=name,
                        image_id=image.id,
                        app_id=step.served.app_id,
                        release_hash=step.release_hash,
                        at_ms=self._clock.wall_ms(),
                    )
                )

    async def _succeeded(self, step: Step, before: Attempt | None) -> Attempt | None:
        if step.kind is StepKind.HEAL:
            clock = self._clock
            record = attempts.healed(step, before, now_s=clock.now_s(), now_ms=clock.wall_ms())
            await self._remember(self._store.save_attempt(record))
            return record
        if before is not None:
            await self._remember(self._store.clear_attempts(step.subject, step.kind))
        if step.kind is StepKind.RESTART:
            for intent in await self._store.intents():
                if (intent.kind, intent.container_id) == (IntentKind.RESTART, step.target):
                    await self._remember(self._store.remove_intent(intent))
        return None

    async def _failed(self, step: Step, before: Attempt | None, error: IotisticError) -> Attempt:
        record = attempts.failed(
            step,
            before,
            now_s=self._clock.now_s(),
            now_ms=self._clock.wall_ms(),
            code=error.code,
            message=str(error),
            wait_s=error.retry_after_s if isinstance(error, Unavailable) else None,
        )
        self._log.warning(
            "step failed",
            step=step.kind,
            subject=str(step.served),
            service=step.service_name,
            code=error.code,
            error=str(error),
            attempt=record.count,
            retry_in_s=round(record.not_before_s - self._clock.now_s(), 1),
        )
        self._journal.step(step, failure=str(error))
        await self._remember(self._store.save_attempt(record))
        return record

    async def _remember(self, write: Awaitable[None]) -> None:
        """Write for the next start; without room for it this one goes on, with what it knows."""
        try:
            await write
        except Unavailable as error:
            self._log.warning("step not remembered", code=error.code, error=str(error))

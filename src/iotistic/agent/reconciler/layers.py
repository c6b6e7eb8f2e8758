"""An image or a container whose layers are not all there, as a power cut may leave them."""

from __future__ import annotations

from iotistic.agent.logs import AgentLogger
from iotistic.agent.store import Store
from iotistic.engines.protocol import Engine
from iotistic.model.container import ContainerRequest
from iotistic.model.errors import IotisticError, LayersMissing, Refused
from iotistic.planner.world import Attempt


class Layers:
    """Brings an image's layers back: by a pull, then by removing it and a pull, then not again.

    Removed is only what this agent has pulled and no container is made of. Volumes are nothing
    that this could be about.
    """

    def __init__(self, engine: Engine, store: Store, log: AgentLogger) -> None:
        self._engine = engine
        self._store = store
        self._log = log

    async def create(self, request: ContainerRequest, before: Attempt | None) -> str:
        """Make the container, of an image that is mended for it if need be. Returns its id."""
        try:
            return await self._engine.create_container(request)
        except Refused as error:
            if error.code != LayersMissing.code:
                raise
            failures = before.count if before and before.code == LayersMissing.code else 0
            if not await self._mend(request, failures):
                raise
        return await self._engine.create_container(request)

    async def start(self, container_id: str) -> None:
        """Start the container; one that never can since its layers are gone is removed."""
        try:
            await self._engine.start(container_id)
        except Refused as error:
            if error.code == LayersMissing.code:
                self._log.warning("layers missing, made anew", container=container_id[:12])
                await self._engine.remove(container_id)
            raise

    async def _mend(self, request: ContainerRequest, failures: int) -> bool:
        """Bring the image again; whether that was done."""
        image, platform = request.spec.image, request.spec.platform
        if failures > 1:
            return False  # it did not help: now it is for people
        self._log.warning("layers missing, pulled again", image=image.familiar, before=failures)
        try:
            if failures == 1:
                # As long as the engine believes to have the layers, it does not fetch them.
                for pulled in await self._store.images.pulled():
                    if pulled.reference == image.canonical:
                        await self._engine.remove_image(pulled.image_id)
            await self._engine.pull(image, lambda _: None, platform=platform or "")
        except IotisticError as error:
            self._log.warning("image not mended", image=image.familiar, code=error.code)
            return False
        return True

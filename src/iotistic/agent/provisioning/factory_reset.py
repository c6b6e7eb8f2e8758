"""Starting over: what would go, and a removal that goes on after any crash.

The order is its own journal. The wish is stored first; then containers, networks and volumes
go, each call of which is idempotent and which a look at the engine tells apart from done; last,
in one step of the store, everything it knows. Killed in between, the next start finds the wish
and looks again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from iotistic.agent.store.records import Identity, ResetOptions
from iotistic.engines.protocol import Engine
from iotistic.model.errors import EngineUnavailable
from iotistic.model.observation import Container
from iotistic.model.words import ContainerState

STOP_GRACE_S = 10.0
_ROUNDS_MAX = 10
_ENDED = frozenset({ContainerState.EXITED, ContainerState.CREATED, ContainerState.DEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPlan:
    """Everything that a factory reset would remove. `identity`: uuid and keys go too."""

    uuid: str
    containers: tuple[Container, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    files: tuple[str, ...]
    identity: bool
    provisioned: bool

    def as_json(self) -> dict[str, Any]:
        """The document of the Device API."""
        return {
            "uuid": self.uuid,
            "containers": [
                {"name": c.name, "appId": c.app_id, "serviceName": c.service_name}
                for c in self.containers
            ],
            "networks": list(self.networks),
            "volumes": list(self.volumes),
            "files": list(self.files),
            "identity": self.identity,
            "provisioned": self.provisioned,
        }


class ResetStore(Protocol):
    """The store's part of a reset."""

    @property
    def identity(self) -> Identity:
        """Who this device is."""
        ...

    @property
    def reset_pending(self) -> ResetOptions | None:
        """A reset that was begun and is not done."""
        ...

    def files(self) -> tuple[str, ...]:
        """The files a wipe removes."""
        ...

    async def begin_reset(self, options: ResetOptions) -> None:
        """Store the wish, durably; the target goes with it, so that nothing is started anew."""
        ...

    async def wipe(self, *, keep_identity: bool, spent_key_hash: str | None) -> None:
        """Forget everything, and with it that a reset was pending; in one durable step."""
        ...


async def remove_everything(engine: Engine, *, keep_volumes: bool) -> None:
    """Remove all containers, networks and volumes of this device.

    Raises EngineUnavailable or Refused; what is gone by then stays gone.
    """
    # Looked at again until none is left: a step that was under way may have made one meanwhile.
    for _ in range(_ROUNDS_MAX):
        containers = await engine.containers()
        if not containers:
            break
        gone = await asyncio.gather(
            *(_remove_container(engine, container) for container in containers),
            return_exceptions=True,
        )
        for failure in gone:
            if failure is not None:
                raise failure
    else:
        raise EngineUnavailable("containers keep coming back while they are removed")
    resources = await engine.resources()
    for network in resources.networks:
        await engine.remove_network(network.name)
    if not keep_volumes:
        for volume in resources.volumes:
            await engine.remove_volume(volume.name)


async def _remove_container(engine: Engine, container: Container) -> None:
    if container.state not in _ENDED:
        await engine.stop(container.id, grace_s=STOP_GRACE_S)
    await engine.remove(container.id)


async def describe(
    engine: Engine, store: ResetStore, options: ResetOptions, *, provisioned: bool
) -> ResetPlan:
    """List what would go. Raises EngineUnavailable: half a list would be a false promise."""
    resources = await engine.resources()
    return ResetPlan(
        uuid=store.identity.uuid,
        containers=await engine.containers(),
        networks=tuple(network.name for network in resources.networks),
        volumes=() if options.keep_volumes else tuple(v.name for v in resources.volumes),
        files=await asyncio.to_thread(store.files),
        identity=not options.keep_identity,
        provisioned=provisioned,
    )

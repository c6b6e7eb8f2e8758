"""What others do to a simulated engine: people, programs, the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iotistic.engines.simulated import stock
from iotistic.engines.simulated.access import Access
from iotistic.engines.simulated.daemon import KILLED, Daemon
from iotistic.engines.simulated.images import SimulatedImage
from iotistic.engines.simulated.inspection import without_secrets
from iotistic.engines.simulated.state import SimulatedNetwork, SimulatedVolume
from iotistic.model.container import ContainerRequest
from iotistic.model.image import parse_image
from iotistic.model.objects import NetworkSpec, VolumeSpec
from iotistic.model.service import PortBinding, ServiceSpec


class Outside:
    """Everything that is not the agent's doing. Containers are named by their ids."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def kill(self, container_id: str) -> None:
        """As `docker kill` does: it is gone at once, and no restart policy brings it back."""

        def kill(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            if found.active:
                daemon.end(found, KILLED, by_hand=True)

        await self._access.apply(kill)

    async def crash(self, container_id: str, *, exit_code: int = 1) -> None:
        """Its program ends by itself; the restart policy says what happens next."""

        def crash(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            if found.active:
                daemon.end(found, exit_code)

        await self._access.apply(crash)

    async def remove(self, container_id: str) -> None:
        """As `docker rm -f` does."""

        def remove(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            daemon.stop(found)
            daemon.remove(found)

        await self._access.apply(remove)

    async def say(self, container_id: str, text: str, *, stderr: bool = False) -> None:
        """Its program writes a line."""
        await self._access.apply(
            lambda daemon: daemon.say(daemon.find(container_id), text, stderr=stderr)
        )

    async def load_image(self, image: SimulatedImage) -> None:
        """As `docker load` does: an image is here without a registry."""
        await self._access.apply(lambda daemon: stock.add_image(daemon.state, image))

    async def tag_image(self, image_id: str, reference: str) -> None:
        """As `docker tag` does: an image has one more name."""
        name = parse_image(reference, at="reference").canonical

        def tag(daemon: Daemon) -> None:
            daemon.state.names[name] = image_id

        await self._access.apply(tag)

    async def remove_image(self, reference: str) -> None:
        """As `docker rmi -f` does, by canonical reference; nothing when it is not here."""

        def remove(daemon: Daemon) -> None:
            image = daemon.state.image(reference)
            if image is not None:
                stock.forget_image(daemon.state, image.id)

        await self._access.apply(remove)

    async def set_health(self, container_id: str, health: str) -> None:
        """Its health check says `healthy` or `unhealthy`, now and from now on."""

        def say(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            found.health_due_s = found.health_left_s = None
            daemon.tell_health(found, health)

        await self._access.apply(say)

    async def update(self, container_id: str, **fields: Any) -> None:
        """As `docker update` does: fields of its specification are not what they were."""

        def update(daemon: Daemon) -> None:
            found = daemon.find(container_id)
            kept = found.spec.environment
            changed = without_secrets(replace(found.spec, **fields))
            found.spec = changed if "environment" in fields else replace(changed, environment=kept)
            daemon.tell_update(found)

        await self._access.apply(update)

    async def fill_disk(self, *, free_bytes: int) -> None:
        """Others write, or delete, until so much is free."""

        def fill(daemon: Daemon) -> None:
            state = daemon.state
            state.taken_bytes = 0
            state.taken_bytes = max(0, state.free_bytes - free_bytes)

        await self._access.apply(fill)

    async def add_container(self, name: str, reference: str, *ports: PortBinding) -> str:
        """As `docker run` does, by a person: started, with no label of ours. Returns its id."""
        image = parse_image(reference, at="reference")
        spec = ServiceSpec(image=image, ports=ports)
        request = ContainerRequest(name=name, labels=(), spec=spec)

        def add(daemon: Daemon) -> str:
            container_id = daemon.create(request, {}, networks=0)
            daemon.start(daemon.find(container_id))
            return container_id

        return await self._access.apply(add)

    async def add_network(self, name: str) -> None:
        """As `docker network create` does."""

        def add(daemon: Daemon) -> None:
            plain = NetworkSpec(short_name=name)
            daemon.state.networks[name] = SimulatedNetwork(daemon.state.new_id(), {}, plain)

        await self._access.apply(add)

    async def add_volume(self, name: str) -> None:
        """As `docker volume create` does."""

        def add(daemon: Daemon) -> None:
            daemon.state.volumes[name] = SimulatedVolume({}, VolumeSpec(short_name=name))

        await self._access.apply(add)

    async def disconnect(self, container_id: str, network: str) -> None:
        """As `docker network disconnect` does, by the engine's name."""
        await self._access.apply(lambda daemon: daemon.find(container_id).networks.pop(network))

    async def go_down(self) -> None:
        """Its API does not answer any more; what runs goes on."""
        await self._access.apply(lambda daemon: daemon.set_down(down=True))

    async def come_back(self) -> None:
        """Its API answers again."""
        await self._access.apply(lambda daemon: daemon.set_down(down=False))

    async def restart_engine(self) -> None:
        """All programs end; those come back that their restart policy wants."""
        await self._access.apply(lambda daemon: daemon.restart_engine())

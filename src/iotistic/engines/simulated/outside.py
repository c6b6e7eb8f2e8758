"""What others do to a simulated engine: people, programs, the machine."""

from __future__ import annotations

from iotistic.engines.simulated.access import Access
from iotistic.engines.simulated.daemon import KILLED, Daemon
from iotistic.engines.simulated.images import SimulatedImage


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
        await self._access.apply(lambda daemon: daemon.add_image(image))

    async def remove_image(self, reference: str) -> None:
        """As `docker rmi` does, by canonical reference; nothing when it is not here."""
        await self._access.apply(lambda daemon: daemon.remove_image(reference))

    async def go_down(self) -> None:
        """Its API does not answer any more; what runs goes on."""
        await self._access.apply(lambda daemon: daemon.set_down(down=True))

    async def come_back(self) -> None:
        """Its API answers again."""
        await self._access.apply(lambda daemon: daemon.set_down(down=False))

    async def restart_engine(self) -> None:
        """All programs end; those come back that their restart policy wants."""
        await self._access.apply(lambda daemon: daemon.restart_engine())

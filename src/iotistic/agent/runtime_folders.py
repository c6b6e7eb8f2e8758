"""Secrets and control folders together, as the reconciler wants them: off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from iotistic.agent.clock import Clock
from iotistic.agent.host.runtime_dir import check_usable
from iotistic.agent.locks import ControlFolders
from iotistic.agent.secrets import SecretFile, SecretFiles
from iotistic.model.container import ContainerRequest
from iotistic.model.naming import LABEL_APP_ID, LABEL_SERVICE_ID
from iotistic.model.runtime_folder import control_folder, secret_file
from iotistic.planner.world import Lock

T = TypeVar("T")


class RuntimeFolders:
    """Files and folders of this device that are bound into containers."""

    def __init__(
        self, runtime_dir: Path, uuid: str, clock: Clock, *, allow_disk: bool = False
    ) -> None:
        self._runtime_dir = runtime_dir
        self._uuid = uuid
        self._secrets = SecretFiles(runtime_dir, uuid, allow_disk=allow_disk)
        self._control = ControlFolders(runtime_dir, uuid, clock)
        self._one_at_a_time = asyncio.Lock()

    async def prepare(self, request: ContainerRequest, *, is_new: bool) -> None:
        """Put there what the container needs; with `is_new` an old word of a take-over goes.

        Raises SecretsNotInMemory, SecretOwner, RuntimeDirUnusable or DiskFull.
        """
        await self._do(lambda: self._prepare(request, is_new=is_new))

    async def check(self, request: ContainerRequest) -> None:
        """Raise what `prepare` would, as far as it can be told without changing anything."""
        await self._do(lambda: self._check(request))

    def _check(self, request: ContainerRequest) -> None:
        files, has_control = self._parts(request)
        if has_control:
            check_usable(self._runtime_dir / self._uuid)
        self._secrets.check(files)

    def _prepare(self, request: ContainerRequest, *, is_new: bool) -> None:
        app_id, key = _service_of(request)
        files, has_control = self._parts(request)
        if has_control:
            self._control.ensure(app_id, key)
            if is_new:
                self._control.forget_handover(app_id, key)
        self._secrets.write(app_id, key, files)

    def _parts(self, request: ContainerRequest) -> tuple[dict[str, SecretFile], bool]:
        """The files of its secrets by name, and whether it has a control folder."""
        app_id, key = _service_of(request)
        place = (str(self._runtime_dir), self._uuid, app_id, key)
        files: dict[str, SecretFile] = {}
        has_control = False
        for folder in request.folders:
            name = Path(folder.source).name
            if folder.content is not None and folder.source == secret_file(*place, name):
                files[name] = SecretFile(
                    value=folder.content, uid=folder.uid, gid=folder.gid, mode=folder.mode
                )
            elif folder.content is None and folder.source == control_folder(*place):
                has_control = True
            else:
                raise ValueError(f"{folder.source} is not where this device keeps such things")
        return files, has_control

    async def locks(self) -> tuple[Lock, ...]:
        """The locks that services hold."""
        return await self._do(self._control.locks)

    async def drop(self, lock: Lock) -> None:
        """Remove a service's lock that is left over, unless there is another one by now."""
        await self._do(lambda: self._control.drop(lock))

    async def handed_over(self) -> frozenset[tuple[int, str]]:
        """The services (app id, key) whose newest container said that it has taken over."""
        return await self._do(self._control.handed_over)

    async def take(self, app_id: int, *, force: bool = False) -> Lock | None:
        """Take the locks of all services of an app, or none: then whose is in the way."""
        return await self._do(lambda: self._control.take(app_id, force=force))

    async def release(self, app_id: int) -> None:
        """Let go of what is ours."""
        await self._do(lambda: self._control.release(app_id))

    async def held(self) -> frozenset[int]:
        """Apps with a lock file of ours, by whichever life of the agent."""
        return await self._do(self._control.held)

    async def remove_unused(self, keep: Collection[tuple[int, str]]) -> None:
        """Remove what belongs to other services than these (app id, key)."""
        kept = frozenset(keep)

        def remove() -> None:
            self._secrets.remove_unused(kept)
            self._control.remove_unused(kept)

        await self._do(remove)

    async def _do(self, work: Callable[[], T]) -> T:
        async with self._one_at_a_time:
            return await asyncio.to_thread(work)


def _service_of(request: ContainerRequest) -> tuple[int, str]:
    labels = dict(request.labels)
    return int(labels[LABEL_APP_ID]), labels[LABEL_SERVICE_ID]

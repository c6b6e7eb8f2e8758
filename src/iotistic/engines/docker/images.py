"""Removing images, and the room there is for them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from iotistic.engines.docker.connection import Connection, decode
from iotistic.engines.docker.deadlines import LIST_S, MUTATE_S
from iotistic.engines.docker.errors import EngineAnswer, general
from iotistic.engines.docker.listing import read_images_in_use
from iotistic.engines.protocol import Space
from iotistic.model.errors import Conflict

_SEVERAL_NAMES = "must be forced"
_NO_NAME = "<none>"
IN_A_CONTAINER = Path("/.dockerenv")
"""The engine puts this file into each of its containers."""


class _Names(msgspec.Struct):
    RepoTags: list[str] | None = None
    RepoDigests: list[str] | None = None


class _Info(msgspec.Struct):
    DockerRootDir: str = ""


async def remove_image(connection: Connection, image_id: str) -> None:
    """Remove it with all its names, never by force: an image in use keeps them all."""
    what = f"remove image {image_id[:19]}"
    try:
        try:
            await _delete(connection, image_id)
        except EngineAnswer as answer:
            if _SEVERAL_NAMES not in answer.text:
                raise
            await _remove_names(connection, image_id, what)
    except EngineAnswer as answer:
        raise general(answer, what) from answer


async def _remove_names(connection: Connection, image_id: str, what: str) -> None:
    # The engine takes single names from an image that is in use, and says no only at the last.
    made = await connection.fetch("GET", "containers/json", params={"all": "1"}, within_s=LIST_S)
    if image_id in read_images_in_use(made):
        raise Conflict(f"{what}: a container is made of it")
    path = f"images/{image_id}/json"
    found = decode(await connection.fetch("GET", path, within_s=LIST_S), _Names, what="an image")
    for name in (*(found.RepoTags or ()), *(found.RepoDigests or ())):
        if _NO_NAME not in name:
            await _delete(connection, name)
    await _delete(connection, image_id)


async def _delete(connection: Connection, name: str) -> None:
    try:
        await connection.fetch("DELETE", f"images/{quote(name, safe='/:@')}", within_s=MUTATE_S)
    except EngineAnswer as answer:
        if answer.status != 404:
            raise


async def read_space(connection: Connection) -> Space | None:
    """The room in the engine's folder; None when the engine is not on this machine."""
    if not connection.is_local:
        return None
    content = await connection.fetch("GET", "info", within_s=LIST_S)
    folder = decode(content, _Info, what="itself").DockerRootDir
    return await asyncio.to_thread(_room, Path(folder or "/"))


def _room(folder: Path) -> Space | None:
    try:
        if not folder.is_dir() and IN_A_CONTAINER.exists():
            # A container of that very engine, since its socket was given to us: the root here is
            # a layer in the engine's folder, and so has the same room.
            folder = Path("/")
        room = os.statvfs(folder)
    except (OSError, ValueError):
        return None
    return Space(
        free_bytes=room.f_bavail * room.f_frsize, total_bytes=room.f_blocks * room.f_frsize
    )

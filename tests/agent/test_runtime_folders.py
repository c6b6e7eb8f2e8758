"""A container's files and folders are there before it is made and before it is started."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from iotistic.agent.runtime_folders import RuntimeFolders
from iotistic.model.container import ContainerRequest, HostFolder
from iotistic.model.image import parse_image
from iotistic.model.naming import LABEL_APP_ID, LABEL_SERVICE_ID
from iotistic.model.runtime_folder import (
    CONTROL_TARGET,
    HANDOVER_COMPLETE,
    UPDATE_LOCK,
    control_folder,
    secret_file,
)
from iotistic.model.secret import Secret
from iotistic.model.service import ServiceSpec
from tests.agent.store.builders import BootClock

UUID = "11111111-2222-4333-8444-555555555555"


def request(root: Path, *names: str, control: bool = False) -> ContainerRequest:
    folders = [
        HostFolder(
            source=secret_file(str(root), UUID, 1001, "1", name),
            target=f"/run/secrets/{name}",
            read_only=True,
            content=Secret(f"value of {name}"),
            uid=os.geteuid(),
            gid=os.getegid(),
            mode=0o440,
        )
        for name in names
    ]
    if control:
        source = control_folder(str(root), UUID, 1001, "1")
        folders.append(HostFolder(source=source, target=CONTROL_TARGET, read_only=False))
    return ContainerRequest(
        name="shop_web_1",
        labels=((LABEL_APP_ID, "1001"), (LABEL_SERVICE_ID, "1")),
        spec=ServiceSpec(image=parse_image("web:1", at="image")),
        folders=tuple(folders),
    )


@pytest.fixture
def folders(tmp_path: Path) -> RuntimeFolders:
    return RuntimeFolders(tmp_path, UUID, BootClock(), allow_disk=True)


async def test_what_a_request_asks_for_is_there(folders: RuntimeFolders, tmp_path: Path) -> None:
    asked = request(tmp_path, "db", "key", control=True)
    await folders.prepare(asked, is_new=True)
    for folder in asked.folders:
        assert is_there(folder), folder.target


def is_there(folder: HostFolder) -> bool:
    path = Path(folder.source)
    if folder.content is None:
        return path.is_dir()
    return (path.read_text(), path.stat().st_mode & 0o777) == (folder.content.reveal(), folder.mode)


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_only_a_new_container_makes_an_old_take_over_forgotten(
    folders: RuntimeFolders, tmp_path: Path
) -> None:
    asked = request(tmp_path, control=True)
    await folders.prepare(asked, is_new=True)
    (Path(asked.folders[0].source) / HANDOVER_COMPLETE).touch()
    await folders.prepare(asked, is_new=False)
    assert await folders.handed_over() == {(1001, "1")}
    await folders.prepare(asked, is_new=True)
    assert await folders.handed_over() == frozenset()


async def test_what_a_service_has_no_use_for_any_more_goes(
    folders: RuntimeFolders, tmp_path: Path
) -> None:
    await folders.prepare(request(tmp_path, "db", "key"), is_new=True)
    await folders.prepare(request(tmp_path, "db"), is_new=True)
    await folders.remove_unused([(1001, "1")])
    assert files(tmp_path) == ["db"]
    await folders.prepare(request(tmp_path), is_new=True)
    await folders.remove_unused([(1001, "1")])
    assert files(tmp_path) == []


async def test_a_folder_elsewhere_is_our_mistake(folders: RuntimeFolders, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not where this device keeps such things"):
        await folders.prepare(request(tmp_path / "other", "db"), is_new=True)
    with pytest.raises(ValueError, match="not where this device keeps such things"):
        await folders.prepare(request(tmp_path / "other", control=True), is_new=True)


async def test_locks_are_taken_by_one_at_a_time(folders: RuntimeFolders, tmp_path: Path) -> None:
    asked = request(tmp_path, control=True)
    await folders.prepare(asked, is_new=True)
    taken = await asyncio.gather(*(folders.take(1001) for _ in range(5)))
    assert taken == [None] * 5
    await folders.release(1001)
    (Path(asked.folders[0].source) / UPDATE_LOCK).touch()
    (lock,) = await folders.locks()
    assert await folders.take(1001) == lock
    assert await folders.take(1001, force=True) is None
    await folders.drop(lock)
    assert await folders.locks() == ()

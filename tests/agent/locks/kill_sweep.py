"""Kills a process at every line that writes into folders in memory, and looks what is left.

A program of its own, see `tests.agent.killing`:

    python -m tests.agent.locks.kill_sweep SCENARIO FOLDER
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from iotistic.agent.locks import ControlFolders
from iotistic.agent.secrets import SecretFile, SecretFiles
from iotistic.model.runtime_folder import UPDATE_LOCK, control_folder, secret_file
from iotistic.model.secret import Secret
from tests.agent.killing import Scenario, sweep
from tests.agent.store.builders import BootClock

UUID = "11111111-2222-4333-8444-555555555555"
WATCHED = (
    "agent/host/files.py",
    "agent/host/runtime_dir.py",
    "agent/locks/control_folders.py",
    "agent/secrets/secret_files.py",
)
OLD = {
    "db": SecretFile(value=Secret("old"), uid=os.geteuid(), gid=os.getegid()),
    "key": SecretFile(value=Secret("same"), uid=os.geteuid(), gid=os.getegid(), mode=0o400),
}
NEW = {"db": replace(OLD["db"], value=Secret("new")), "key": OLD["key"]}


def control(folder: Path) -> ControlFolders:
    return ControlFolders(folder, UUID, BootClock())


def secrets(folder: Path) -> SecretFiles:
    return SecretFiles(folder, UUID, allow_disk=True)


def lock(folder: Path, key: str) -> Path:
    return Path(control_folder(str(folder), UUID, 1001, key)) / UPDATE_LOCK


async def three_services(folder: Path) -> None:
    for key in ("1", "2", "3"):
        control(folder).ensure(1001, key)


async def held(folder: Path) -> None:
    await three_services(folder)
    control(folder).take(1001)


async def run_out(folder: Path) -> None:
    await three_services(folder)
    lock(folder, "2").write_text('{"until_s": 1}')


async def one_in_the_way(folder: Path) -> None:
    await three_services(folder)
    lock(folder, "3").touch()


async def take(folder: Path) -> None:
    control(folder).take(1001)


async def release(folder: Path) -> None:
    control(folder).release(1001)


async def is_no_trap(folder: Path) -> None:
    """What is left is nobody's but ours, so it can be taken whole and let go whole."""
    assert control(folder).locks() == ()
    assert control(folder).take(1001) is None
    assert control(folder).held() == {1001}
    control(folder).release(1001)
    for key in ("1", "2", "3"):
        lock(folder, key).touch(exist_ok=False)  # every service can have its own again


async def the_services_lock_stands(folder: Path) -> None:
    assert [found.holder for found in control(folder).locks()] == ["3"]
    control(folder).release(1001)
    assert not lock(folder, "1").exists()
    assert not lock(folder, "2").exists()


async def old_secrets(folder: Path) -> None:
    secrets(folder).write(1001, "1", OLD)


async def write_new_secrets(folder: Path) -> None:
    secrets(folder).write(1001, "1", NEW)


async def each_secret_is_old_or_new(folder: Path) -> None:
    place = Path(secret_file(str(folder), UUID, 1001, "1", ""))
    for name, old in OLD.items():
        wanted = [(file.value.reveal(), file.mode) for file in (old, NEW[name])]
        assert content(place / name) in wanted, name
    again = secrets(folder)
    again.write(1001, "1", NEW)
    again.remove_unused({(1001, "1")})
    assert everything_in(place) == {"db": ("new", 0o444), "key": ("same", 0o400)}


def content(path: Path) -> tuple[str, int]:
    return path.read_text(), path.stat().st_mode & 0o7777


def everything_in(folder: Path) -> dict[str, tuple[str, int]]:
    return {path.name: content(path) for path in folder.iterdir()}


async def nothing(_: Path) -> None:
    """An empty folder."""


async def new_secrets_can_be_written(folder: Path) -> None:
    again = secrets(folder)
    again.write(1001, "1", NEW)
    again.remove_unused({(1001, "1")})
    await each_secret_is_old_or_new(folder)


async def remove_all(folder: Path) -> None:
    secrets(folder).remove_unused(set())
    control(folder).remove_unused(set())


async def everything_is_there(folder: Path) -> None:
    await old_secrets(folder)
    await held(folder)


async def all_can_be_removed(folder: Path) -> None:
    await remove_all(folder)
    assert files_in(folder / UUID) == []


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


SCENARIOS = {
    "take": Scenario(three_services, take, is_no_trap),
    "take-again": Scenario(held, take, is_no_trap),
    "take-after-one-ran-out": Scenario(run_out, take, is_no_trap),
    "take-with-one-in-the-way": Scenario(one_in_the_way, take, the_services_lock_stands),
    "release": Scenario(held, release, is_no_trap),
    "write-secrets": Scenario(old_secrets, write_new_secrets, each_secret_is_old_or_new),
    "first-secrets": Scenario(nothing, write_new_secrets, new_secrets_can_be_written),
    "remove": Scenario(everything_is_there, remove_all, all_can_be_removed),
}

if __name__ == "__main__":
    name, where, every = sys.argv[1:4]
    sys.stdout.write(str(sweep(SCENARIOS[name], Path(where), int(every), WATCHED)))

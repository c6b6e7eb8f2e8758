"""A secret is there as asked for, in memory, and nobody else can get at it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from iotistic.agent.host import runtime_dir
from iotistic.agent.host.files import DiskFull
from iotistic.agent.host.runtime_dir import RuntimeDirUnusable
from iotistic.agent.secrets import SecretFile, SecretFiles, SecretOwner, SecretsNotInMemory
from iotistic.model.runtime_folder import secret_file
from iotistic.model.secret import Secret

UUID = "11111111-2222-4333-8444-555555555555"
ME = (os.geteuid(), os.getegid())


def file(value: str = "hunter2", mode: int = 0o444) -> SecretFile:
    return SecretFile(value=Secret(value), uid=ME[0], gid=ME[1], mode=mode)


def secrets(folder: Path) -> SecretFiles:
    return SecretFiles(folder, UUID, allow_disk=True)


def path(folder: Path, name: str, app_id: int = 1001, key: str = "1") -> Path:
    return Path(secret_file(str(folder), UUID, app_id, key, name))


def names(folder: Path) -> list[str]:
    return sorted(
        str(found.relative_to(folder / UUID / "secrets"))
        for found in folder.rglob("*")
        if found.is_file()
    )


def test_a_secret_is_where_the_planner_says_with_the_mode_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        secrets(tmp_path).write(1001, "1", {"db": file(), "key": file("k" * 100_000, 0o400)})
    finally:
        os.umask(before)
    assert path(tmp_path, "db").read_text() == "hunter2"
    assert path(tmp_path, "key").read_text() == "k" * 100_000
    assert path(tmp_path, "db").stat().st_mode & 0o7777 == 0o444
    assert path(tmp_path, "key").stat().st_mode & 0o7777 == 0o400


def test_every_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    root = tmp_path / "run"
    secrets(root).write(1001, "1", {"db": file()})
    (root / UUID / "secrets").chmod(0o755)
    secrets(root).write(1001, "1", {"db": file()})
    for folder in [root, *(found for found in root.rglob("*") if found.is_dir())]:
        assert folder.stat().st_mode & 0o7777 == 0o700, folder


def test_a_secret_belongs_to_whom_it_is_for(tmp_path: Path) -> None:
    wanted = SecretFile(value=Secret("x"), uid=1234, gid=4321, mode=0o400)
    if os.geteuid() != 0:
        with pytest.raises(SecretOwner):
            secrets(tmp_path).write(1001, "1", {"db": wanted})
        return
    secrets(tmp_path).write(1001, "1", {"db": wanted})
    found = path(tmp_path, "db").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 4321, 0o400)


def test_without_the_right_to_give_files_away_only_what_all_may_read_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", denied)
    monkeypatch.setattr(os, "geteuid", lambda: ME[0])
    open_to_all = SecretFile(value=Secret("open"), uid=1234, mode=0o444)
    secrets(tmp_path).write(1001, "1", {"db": open_to_all})
    assert path(tmp_path, "db").read_text() == "open"
    with pytest.raises(SecretOwner, match="run the agent as root") as caught:
        secrets(tmp_path).write(
            1001, "1", {"key": SecretFile(value=Secret("hunter2"), uid=1234, mode=0o400)}
        )
    assert "hunter2" not in str(caught.value)
    assert names(tmp_path) == ["1001/1/db"]


def test_what_is_as_it_should_be_is_not_touched(tmp_path: Path) -> None:
    secrets(tmp_path).write(1001, "1", {"db": file(), "other": file("old")})
    before = path(tmp_path, "db").stat(), path(tmp_path, "other").stat()
    secrets(tmp_path).write(1001, "1", {"db": file(), "other": file("new")})
    after = path(tmp_path, "db").stat(), path(tmp_path, "other").stat()
    assert after[0].st_ino == before[0].st_ino
    assert after[0].st_mtime_ns == before[0].st_mtime_ns
    assert after[1].st_ino != before[1].st_ino


@pytest.mark.parametrize("change", ["mode", "value", "longer"])
def test_what_was_changed_is_put_right(tmp_path: Path, change: str) -> None:
    secrets(tmp_path).write(1001, "1", {"db": file()})
    found = path(tmp_path, "db")
    if change == "mode":
        found.chmod(0o666)
    else:
        found.chmod(0o644)
        found.write_text("xunter2" if change == "value" else "hunter22")
        found.chmod(0o444)
    secrets(tmp_path).write(1001, "1", {"db": file()})
    assert found.read_text() == "hunter2"
    assert found.stat().st_mode & 0o777 == 0o444


def test_a_container_that_runs_keeps_the_value_it_was_started_with(tmp_path: Path) -> None:
    secrets(tmp_path).write(1001, "1", {"db": file("old")})
    with path(tmp_path, "db").open() as bound:
        secrets(tmp_path).write(1001, "1", {"db": file("new")})
        assert bound.read() == "old"
    assert path(tmp_path, "db").read_text() == "new"


def test_a_folder_that_an_engine_made_for_want_of_the_file_is_replaced(tmp_path: Path) -> None:
    path(tmp_path, "db").mkdir(parents=True)
    secrets(tmp_path).write(1001, "1", {"db": file()})
    assert path(tmp_path, "db").read_text() == "hunter2"


def test_a_link_in_the_place_of_a_secret_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    path(tmp_path, "db").parent.mkdir(parents=True)
    path(tmp_path, "db").symlink_to(elsewhere)
    secrets(tmp_path).write(1001, "1", {"db": file()})
    assert elsewhere.read_text() == "mine"
    assert not path(tmp_path, "db").is_symlink()


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../x", ".hidden", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a part of a path"):
        secrets(tmp_path).write(1001, "1", {name: file()})
    with pytest.raises(ValueError, match="not a part of a path"):
        secrets(tmp_path).write(1001, name, {"db": file()})


def test_what_other_services_had_goes_and_what_this_one_needs_no_more(tmp_path: Path) -> None:
    found = secrets(tmp_path)
    found.write(1001, "1", {"db": file(), "old": file()})
    found.write(1001, "2", {"db": file()})
    found.write(1002, "1", {"db": file()})
    found.write(1001, "1", {"db": file("new")})
    assert names(tmp_path) == ["1001/1/db", "1001/1/old", "1001/2/db", "1002/1/db"]

    found.remove_unused({(1001, "1")})

    assert names(tmp_path) == ["1001/1/db"]
    assert not (tmp_path / UUID / "secrets" / "1002").exists()
    found.write(1001, "1", {})
    found.remove_unused({(1001, "1")})
    assert names(tmp_path) == []


def test_after_a_restart_nothing_of_a_kept_service_goes_until_it_is_known_what_it_needs(
    tmp_path: Path,
) -> None:
    secrets(tmp_path).write(1001, "1", {"db": file()})
    secrets(tmp_path).remove_unused({(1001, "1")})
    assert names(tmp_path) == ["1001/1/db"]


def test_removing_where_nothing_ever_was_does_nothing(tmp_path: Path) -> None:
    secrets(tmp_path / "missing").remove_unused(set())
    assert list(tmp_path.iterdir()) == []


def mounts(tmp_path: Path, kind: str) -> Path:
    device = tmp_path.stat().st_dev
    info = tmp_path / "mountinfo"
    info.write_text(
        "21 1 0:0 / / rw shared:1 - ext4 /dev/sda rw\n"
        f"36 21 {os.major(device)}:{os.minor(device)} / /run rw shared:2 - {kind} none rw\n"
    )
    return info


@pytest.mark.parametrize(("kind", "fits"), [("tmpfs", True), ("ramfs", True), ("ext4", False)])
def test_a_secret_is_written_into_memory_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fits: bool
) -> None:
    monkeypatch.setattr(runtime_dir, "_MOUNTS", mounts(tmp_path, kind))
    strict = SecretFiles(tmp_path, UUID)
    if fits:
        strict.write(1001, "1", {"db": file()})
        assert path(tmp_path, "db").read_text() == "hunter2"
    else:
        strict.write(1001, "1", {})
        with pytest.raises(SecretsNotInMemory) as caught:
            strict.write(1001, "1", {"db": file()})
        assert caught.value.code == "secrets-not-in-memory"
        assert "RUNTIME_DIR" in str(caught.value)
        assert not path(tmp_path, "db").exists()


def test_where_the_kernel_says_nothing_it_is_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_dir, "_MOUNTS", tmp_path / "missing")
    assert not runtime_dir.is_in_memory(tmp_path)
    assert not runtime_dir.is_in_memory(tmp_path / "missing")


def test_the_kernel_tells_what_is_in_memory() -> None:
    kinds = {
        line.split()[4]: line.split(" - ")[1].split()[0]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    }
    for place, kind in kinds.items():
        if Path(place).is_dir():  # one may be hidden by another that is mounted over it
            assert runtime_dir.is_in_memory(Path(place)) == (kind in ("tmpfs", "ramfs")), place


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / UUID).symlink_to(tmp_path)
    with pytest.raises(RuntimeDirUnusable, match="not a folder of the agent's user"):
        secrets(tmp_path).write(1001, "1", {"db": file()})


def test_no_room_left_has_a_name_and_leaves_the_old_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets(tmp_path).write(1001, "1", {"db": file("old")})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull):
        secrets(tmp_path).write(1001, "1", {"db": file("new")})
    assert names(tmp_path) == ["1001/1/db"]
    assert path(tmp_path, "db").read_text() == "old"


@pytest.mark.parametrize(
    ("environment", "writable", "in_memory", "expected"),
    [
        pytest.param({}, True, True, "/run/iotistic", id="root"),
        pytest.param(
            {"XDG_RUNTIME_DIR": "/run/user/7"}, True, True, "/run/iotistic", id="root at a desk"
        ),
        pytest.param(
            {"XDG_RUNTIME_DIR": "/run/user/7"}, False, True, "/run/user/7/iotistic", id="a user"
        ),
        pytest.param(
            {"XDG_RUNTIME_DIR": "/run/user/7"}, False, False, "/run/iotistic", id="on a disk"
        ),
        pytest.param({"XDG_RUNTIME_DIR": "x"}, False, True, "/run/iotistic", id="no path"),
        pytest.param({}, False, True, "/run/iotistic", id="a user without a folder"),
    ],
)
def test_where_things_are_kept_if_nobody_says_so(
    monkeypatch: pytest.MonkeyPatch,
    environment: Mapping[str, str],
    writable: bool,
    in_memory: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: writable)
    monkeypatch.setattr(runtime_dir, "is_in_memory", lambda _: in_memory)
    assert runtime_dir.choose(None, environment) == Path(expected)
    assert runtime_dir.choose(Path("/given"), environment) == Path("/given")

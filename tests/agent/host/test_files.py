"""A small file is old or new, never half, and nobody else can read it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotistic.agent.host.files import (
    DiskFull,
    durable_write,
    ensure_folder,
    keep_private,
    read_small,
)


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_content_is_what_was_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    durable_write(path, b"one")
    durable_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.json"]


@pytest.mark.usefixtures("open_umask")
def test_a_umask_that_allows_everything_still_gives_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    ensure_folder(folder)
    durable_write(folder / "identity.json", b"secret")
    assert mode_of(folder / "identity.json") == 0o600
    assert mode_of(folder) == mode_of(folder.parent) == 0o700


def test_a_tight_umask_still_gives_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        durable_write(tmp_path / "unit", b"text", mode=0o644)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "unit") == 0o644


def test_a_symbolic_link_prepared_at_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".identity.json.tmp").symlink_to(victim)
    durable_write(tmp_path / "identity.json", b"secret")
    assert victim.read_text() == "precious"
    assert mode_of(tmp_path / "identity.json") == 0o600


STEPS = ("open", "fchmod", "write", "fsync", "close", "replace")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_system_call_it_is_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    path = tmp_path / "identity.json"
    durable_write(path, b"old")
    real = getattr(os, step)

    def die(*args: object, **kwargs: object) -> object:
        if when == "after":
            real(*args, **kwargs)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(os, step, die)
        with pytest.raises(Died):
            durable_write(path, b"new")
    assert path.read_bytes() in (b"old", b"new")

    durable_write(path, b"later")
    assert path.read_bytes() == b"later"
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_typed_error_and_the_old_file_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "identity.json"
    durable_write(path, b"old")

    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DiskFull) as caught:
            durable_write(path, b"new")
    assert caught.value.code == "disk-full"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.json"]


def test_the_data_is_on_the_disk_before_the_name_is_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*args: object, _real: object = real, _name: str = name) -> object:
            calls.append(_name)
            assert callable(_real)
            return _real(*args)

        monkeypatch.setattr(os, name, noted)
    durable_write(tmp_path / "identity.json", b"x")
    assert calls == ["fsync", "replace", "fsync"]


def test_reading_is_bounded_and_an_absent_file_is_none(tmp_path: Path) -> None:
    assert read_small(tmp_path / "nothing", 10) is None
    (tmp_path / "long").write_bytes(b"x" * 100)
    assert read_small(tmp_path / "long", 10) == b"x" * 11


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "database.key"
    path.write_text("key")
    path.chmod(0o644)
    keep_private(path)
    assert mode_of(path) == 0o600
    keep_private(tmp_path / "nothing")

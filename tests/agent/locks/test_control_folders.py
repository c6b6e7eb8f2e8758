"""Services hold updates off and say they took over; what they put there does no harm."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from iotistic.agent.host.files import DiskFull
from iotistic.agent.host.runtime_dir import RuntimeDirUnusable
from iotistic.agent.locks import OWNER, ControlFolders
from iotistic.model.runtime_folder import HANDOVER_COMPLETE, UPDATE_LOCK, control_folder
from iotistic.planner.world import LockOwner
from tests.agent.store.builders import BootClock

UUID = "11111111-2222-4333-8444-555555555555"


class Host:
    """A device with control folders, seen from both sides."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = BootClock(now_s=1000.0)
        self.control = self.restarted()

    def restarted(self) -> ControlFolders:
        self.control = ControlFolders(self.root, UUID, self.clock)
        return self.control

    def later(self, span_s: float) -> None:
        self.clock._now_s += span_s

    def folder(self, app_id: int = 1001, key: str = "1") -> Path:
        """What the service has at /run/iotistic."""
        return Path(control_folder(str(self.root), UUID, app_id, key))

    def lock(self, key: str = "1", app_id: int = 1001) -> Path:
        return self.folder(app_id, key) / UPDATE_LOCK

    def holders(self) -> list[tuple[int, str]]:
        return [(lock.app_id, lock.holder) for lock in self.control.locks()]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    for key in ("1", "2", "3"):
        host.control.ensure(1001, key)
    host.control.ensure(1002, "1")
    return host


def test_any_user_of_the_container_may_write_and_nobody_else_gets_there(host: Host) -> None:
    before = os.umask(0o077)
    try:
        host.control.ensure(1001, "9")
    finally:
        os.umask(before)
    folder = host.folder(key="9")
    assert folder.stat().st_mode & 0o7777 == 0o777
    for above in (folder.parent, folder.parent.parent, host.root / UUID):
        assert above.stat().st_mode & 0o7777 == 0o700
    folder.chmod(0o500)
    host.control.ensure(1001, "9")
    assert folder.stat().st_mode & 0o7777 == 0o777


def test_a_service_holds_updates_off_by_a_file_and_lets_go_by_removing_it(host: Host) -> None:
    assert host.control.locks() == ()
    host.lock("2").write_text('{"reason": "backup"}')
    (lock,) = host.control.locks()
    assert (lock.app_id, lock.owner, lock.holder) == (1001, LockOwner.SERVICE, "2")
    assert (lock.reason, lock.until_s, lock.boot_id) == ("backup", None, "boot-1")
    host.lock("2").unlink()
    assert host.control.locks() == ()


def test_a_lock_for_a_span_ends_by_itself(host: Host) -> None:
    host.lock().write_text('{"for_s": 60}')
    assert [lock.until_s for lock in host.control.locks()] == [1060.0]
    host.later(59.0)
    assert [lock.until_s for lock in host.control.locks()] == [1060.0]
    host.later(1.0)
    assert host.control.locks() == ()
    assert host.control.take(1001) is None
    host.control.release(1001)
    host.lock().write_text('{"for_s": 60, "again": true}')
    assert [lock.until_s for lock in host.control.locks()] == [1120.0]


def test_a_lock_until_an_uptime_ends_by_itself(host: Host) -> None:
    host.lock().write_text('{"until_s": 1030, "for_s": 60}')
    assert [lock.until_s for lock in host.control.locks()] == [1030.0]
    host.later(30.0)
    assert host.control.locks() == ()


def test_a_restart_of_the_agent_never_makes_a_lock_shorter(host: Host) -> None:
    host.lock().write_text('{"for_s": 60}')
    host.control.locks()
    host.later(50.0)
    host.restarted()
    assert [lock.until_s for lock in host.control.locks()] == [1110.0]


def links_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def listens(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket must be short, whatever the test's folder is called.
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{descriptor}/{path.name}")
        finally:
            os.close(descriptor)


def deep(path: Path) -> None:
    for _ in range(50):
        path.mkdir()
        path /= "x"


ODD: dict[str, Callable[[Path], object]] = {
    "a link into the host": links_to("/etc/passwd"),
    "a link to nothing": links_to("nothing"),
    "a link to itself": links_to(UPDATE_LOCK),
    "a pipe that nobody writes to": os.mkfifo,
    "a folder": Path.mkdir,
    "a deep folder": deep,
    "a socket": listens,
    "a huge file": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
    "noise": lambda path: path.write_bytes(b"\xff\0" * 100),
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_has_the_name_is_a_lock_that_says_nothing(host: Host, what: str) -> None:
    ODD[what](host.lock())
    (lock,) = host.control.locks()
    assert (lock.holder, lock.until_s) == ("1", None)
    assert "root" not in lock.reason
    assert host.control.take(1001) is not None
    assert not os.path.lexists(host.lock("2"))

    host.control.drop(lock)

    assert host.control.locks() == ()
    assert host.control.take(1001) is None


def test_a_device_in_the_place_of_a_file_is_not_opened(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(host.lock())
    opened: list[str] = []
    real = os.open

    def watched(path: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if not flags & (os.O_PATH | os.O_DIRECTORY):
            opened.append(path)
        return real(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", watched)
    assert len(host.control.locks()) == 1
    assert opened == []


def test_a_take_over_is_the_word_of_the_newest_only(host: Host) -> None:
    assert host.control.handed_over() == frozenset()
    (host.folder() / HANDOVER_COMPLETE).touch()
    assert host.control.handed_over() == {(1001, "1")}
    host.control.forget_handover(1001, "1")
    assert host.control.handed_over() == frozenset()
    host.control.forget_handover(1001, "1")
    host.control.forget_handover(1001, "never-made")
    (host.folder() / HANDOVER_COMPLETE / "x").mkdir(parents=True)
    host.control.forget_handover(1001, "1")
    assert host.control.handed_over() == frozenset()


def test_all_locks_of_an_app_are_taken_and_say_whose_they_are(host: Host) -> None:
    assert host.control.take(1001) is None
    for key in ("1", "2", "3"):
        assert json.loads(host.lock(key).read_text())["owner"] == OWNER
        assert host.lock(key).stat().st_mode & 0o777 == 0o644
        assert host.lock(key).stat().st_nlink == 1
    assert not host.lock("1", 1002).exists()
    assert host.control.locks() == ()
    assert host.control.held() == {1001}
    assert list((host.root / UUID / "control").glob(".*")) == []

    assert host.control.take(1001) is None  # ours already
    host.control.release(1001)
    assert host.control.held() == frozenset()
    assert list(host.folder().iterdir()) == []


def test_a_service_cannot_take_what_we_hold(host: Host) -> None:
    host.control.take(1001)
    with pytest.raises(FileExistsError):
        host.lock().open("x")


def test_with_one_lock_in_the_way_none_is_taken(host: Host) -> None:
    host.lock("3").touch()
    lock = host.control.take(1001)
    assert lock is not None
    assert lock.holder == "3"
    assert not host.lock("1").exists()
    assert not host.lock("2").exists()
    assert host.lock("3").exists()


def test_a_lock_that_comes_while_we_take_ours_is_not_run_over(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def slow(source: Path, name: str, *, dst_dir_fd: int) -> None:
        if host.lock("1").exists() and not host.lock("2").exists():
            host.lock("2").write_text('{"reason": "just now"}')
        real(source, name, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "link", slow)
    lock = host.control.take(1001)
    assert lock is not None
    assert (lock.holder, lock.reason) == ("2", "just now")
    assert host.control.held() == frozenset()
    assert host.holders() == [(1001, "2")]


def test_by_force_a_service_keeps_its_lock_beside_ours(host: Host) -> None:
    host.lock("2").touch()
    assert host.control.take(1001, force=True) is None
    assert host.holders() == [(1001, "2")]
    host.control.release(1001)
    assert host.holders() == [(1001, "2")]
    assert not host.lock("1").exists()


def test_a_lock_that_is_left_over_is_removed_and_no_other_in_its_place(host: Host) -> None:
    host.lock().write_text("milling")
    (left_over,) = host.control.locks()
    os.utime(host.lock(), (0, 0))

    host.control.drop(left_over)
    assert host.holders() == [(1001, "1")]
    host.control.drop(host.control.locks()[0])

    assert host.holders() == []
    host.control.take(1001)
    host.control.drop(left_over)
    assert host.control.held() == {1001}


def test_what_a_killed_agent_held_is_ours_again(host: Host) -> None:
    host.control.take(1001)
    host.lock("2").unlink()
    after = host.restarted()
    assert after.held() == {1001}
    assert after.locks() == ()
    assert after.take(1001) is None
    assert host.lock("2").exists()
    after.release(1001)
    assert after.held() == frozenset()


def test_no_room_left_takes_none(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([False, True])
    real = os.write

    def soon_full(descriptor: int, data: bytes) -> int:
        if next(calls):
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", soon_full)
    with pytest.raises(DiskFull):
        host.control.take(1001)
    assert host.control.held() == frozenset()


def test_folders_of_services_that_are_gone_go_with_all_that_is_in_them(host: Host) -> None:
    deep(host.folder(key="2") / "x")
    host.control.remove_unused({(1001, "1")})
    assert host.folder().exists()
    assert not host.folder(key="2").exists()
    assert not host.folder(1002).parent.exists()


def test_a_folder_too_deep_for_one_go_stops_nothing(host: Host) -> None:
    descriptor = os.open(host.folder(key="2"), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("x", dir_fd=descriptor)
        inner = os.open("x", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    host.control.remove_unused({(1001, "1")})
    assert not host.folder(1002).exists()
    assert host.holders() == []
    subprocess.run(["rm", "-rf", host.root / UUID], check=True)


def test_the_name_of_a_service_leads_nowhere_else(host: Host) -> None:
    for name in ("..", "a/b", ""):
        with pytest.raises(ValueError, match="not a part of a path"):
            host.control.ensure(1001, name)


def test_where_a_folder_cannot_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / UUID).write_text("in the way")
    with pytest.raises(RuntimeDirUnusable):
        Host(tmp_path).control.ensure(1001, "1")


class ServicesAndAgent(RuleBasedStateMachine):
    """Whoever does what in which order: the agent holds all of an app or nothing, and never takes
    a lock away from a service.
    """

    keys = st.sampled_from(["1", "2", "3"])

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.host = Host(Path(self._folder.name))
        self.theirs: set[str] = set()
        self.agent_holds = False

    def teardown(self) -> None:
        self._folder.cleanup()

    @initialize()
    def folders(self) -> None:
        for key in ("1", "2", "3"):
            self.host.control.ensure(1001, key)

    @rule(key=keys)
    def a_service_takes_its_lock(self, key: str) -> None:
        try:
            self.host.lock(key).open("x").close()
        except FileExistsError:
            return
        self.theirs.add(key)

    @rule(key=keys)
    def a_service_lets_go(self, key: str) -> None:
        if key in self.theirs:
            self.host.lock(key).unlink()
            self.theirs.discard(key)

    @rule()
    def the_agent_takes(self) -> None:
        lock = self.host.control.take(1001)
        assert (lock is None) == (not self.theirs)
        self.agent_holds = self.agent_holds or lock is None

    @rule()
    def the_agent_releases(self) -> None:
        self.host.control.release(1001)
        self.agent_holds = False

    @rule()
    def the_agent_restarts(self) -> None:
        self.host.restarted()

    @invariant()
    def the_agent_holds_all_or_nothing(self) -> None:
        assert self.host.control.held() == ({1001} if self.agent_holds else frozenset())
        if self.agent_holds:
            assert not self.theirs

    @invariant()
    def no_service_loses_its_lock(self) -> None:
        assert {key for _, key in self.host.holders()} == self.theirs


ServicesAndAgent.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None
)
TestServicesAndAgent = ServicesAndAgent.TestCase

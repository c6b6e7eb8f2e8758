"""The disk of the state folder really is full: services go on, and nothing acknowledged is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scripts.demonstration.outside import SimulatedOutside
from scripts.support.programs import Agent, Cloud, ProgramFailed, wait_for
from tests.system.conftest import FAST, Site
from tests.system.lying_proxy import LyingProxy

pytestmark = pytest.mark.system

SIZE_MB = 24
RESERVE_MB = 4
WEB = "web"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own in memory, so small that it can be filled."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a file system of its own takes the rights to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def site(tmp_path: Path, cloud: Cloud, proxy: LyingProxy) -> Iterator[Site]:
    """A device whose state is on a small disk, and whose (simulated) engine is not."""
    folder = tmp_path / "device"
    with small_disk(folder):
        engine = tmp_path / "engine"
        engine.mkdir()
        (folder / "simulated-engine.json").symlink_to(engine / "simulated-engine.json")
        outside = SimulatedOutside(folder)
        agent = LoggingElsewhere(
            folder,
            **FAST,
            **outside.environment,
            STORAGE_RESERVE_MB=str(RESERVE_MB),
            CLOUD_API_ENDPOINT=proxy.url,
            PROVISIONING_API_KEY=cloud.new_key(maxDevices=1),
        )
        try:
            yield Site(agent, outside, cloud, proxy)
        finally:
            agent.kill()


class LoggingElsewhere(Agent):
    """Its output is for the test, not for the disk that is full."""

    @property
    def log(self) -> Path:
        return self.folder.parent / "agent.log"


class Filler:
    """Something that takes all the room there is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "filler"

    def fill(self) -> None:
        """Until not a byte more can be written."""
        with suppress(OSError), self._file.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        with suppress(OSError), self._file.open("ab", buffering=0) as file:
            while True:
                file.write(b"x")

    def free(self) -> None:
        self._file.unlink()


def codes(site: Site) -> set[str]:
    return {warning["code"] for warning in site.agent.call("GET", "/v1/status")["warnings"]}


def until_warned(site: Site, code: str | None) -> None:
    """Wait until this is the one warning about room (None: there is none)."""
    wanted = {code} if code else set()
    wait_for(
        f"the warning {code}",
        lambda: codes(site) & {"disk-full", "disk-low"} == wanted or None,
        timeout_s=20,
    )


def lock(site: Site, reason: str) -> None:
    site.agent.call("POST", "/v1/locks/1001", {"reason": reason, "for": "2h"})


def reason_of_lock(site: Site) -> str:
    (held,) = site.agent.call("GET", "/v1/locks/1001")["locks"]
    return str(held["reason"])


def locked_until_refused(site: Site) -> tuple[str, str]:
    """The last lock that was acknowledged, and how the first one was not."""
    acknowledged = ""
    for n in range(2000):
        try:
            lock(site, reason := f"lock {n} " + "x" * 400)
        except ProgramFailed as refusal:
            return acknowledged, str(refusal)
        acknowledged = reason
    raise AssertionError("there was room for everything")


def iotctl(site: Site, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "iotctl"), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(site.agent.folder.parent),
             "STATE_DIR": str(site.agent.folder), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_full_disk_from_the_first_byte_missing_to_room_again(site: Site) -> None:
    filler = Filler(site.agent.folder)
    reserve = site.agent.folder / "storage-reserve"

    # Given a device at work, with something in reserve.
    site.join()
    site.deploy(site.service(WEB))
    site.until_states(web="running")
    site.agent.until_settled()
    wait_for("the reserve", lambda: reserve.exists() or None)
    assert reserve.stat().st_blocks * 512 >= RESERVE_MB * 1024 * 1024
    pid = site.agent.pid
    until_warned(site, None)

    # When something takes all the room, what matters still goes: the reserve is given up.
    filler.fill()
    wal = site.agent.folder / "device.sqlite-wal"
    before = wal.stat().st_size
    n = 0
    while reserve.exists():
        lock(site, f"of the reserve {n} " + "x" * 400)
        n += 1
        assert wal.stat().st_size < before + RESERVE_MB * 1024 * 1024
    assert reason_of_lock(site).startswith(f"of the reserve {n - 1} ")
    until_warned(site, "disk-low")

    # When that is taken too, nothing is acknowledged that is not kept, and services go on.
    filler.fill()
    acknowledged, refusal = locked_until_refused(site)
    acknowledged = acknowledged or f"of the reserve {n - 1} " + "x" * 400
    assert "disk-full" in refusal
    assert reason_of_lock(site) == acknowledged
    assert "disk-full" in codes(site)
    assert "no space left" in iotctl(site, "status")
    site.outside.kill(site.uuid, WEB)
    site.until_states(web="running")
    version = site.deploy(site.service(WEB), site.service("new"))
    wait_for(
        "the refusal",
        lambda: (
            (site.agent.call("GET", "/v1/status")["target"]["refusal"] or {}).get("code")
            == "disk-full"
            or None
        ),
    )
    assert site.states() == {WEB: "running"}

    # Killed and started on the full disk it is the same.
    site.restart()
    assert reason_of_lock(site) == acknowledged
    site.outside.kill(site.uuid, WEB)
    site.until_states(web="running")
    pid = site.agent.pid

    # When there is room again, all is as before, without a restart.
    filler.free()
    until_warned(site, None)
    wait_for("the reserve", lambda: reserve.exists() or None)
    assert reason_of_lock(site) == acknowledged
    wait_for(
        "the target",
        lambda: site.agent.call("GET", "/v1/status")["target"]["version"] == version or None,
    )
    site.agent.call("DELETE", "/v1/locks/1001")
    site.until_states(web="running", new="running")
    assert site.agent.pid == pid
    site.agent.check_alive()
    assert reserve.stat().st_size == RESERVE_MB * 1024 * 1024

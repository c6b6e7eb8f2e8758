"""A Docker Engine of its own for tests, demo and benchmarks: own socket, own folders, own bridge.

    python -m scripts.support.private_docker run COMMAND...   with DOCKER_HOST set for it
    python -m scripts.support.private_docker serve            until it is interrupted

It stays out of the way of an engine that runs already: it leaves the firewall's rules alone (a
second engine would flush those of the first), so its containers cannot reach the world, and
published ports are served by the engine's userland proxy. Needs root, dockerd and iproute2.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.support.engine_http import EngineHttp, EngineRefused

_FOLDER_PREFIX = "iotistic-docker-"
_BRIDGE_PREFIX = "iot"
_OWNER = "owner"  # locked for as long as its run lives
_READY_S = 60.0
_STOP_S = 30.0
_LOG_LINES = 15
_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"


class NoPrivateDocker(Exception):
    """Why no engine can be started here, in one line."""


def why_not() -> str | None:
    """Why no private engine can be started here; None when one can."""
    if os.geteuid() != 0:
        return "a Docker Engine of our own needs root"
    for program, package in (("dockerd", "docker.io"), ("ip", "iproute2")):
        if shutil.which(program, path=_PATH) is None:
            return f"there is no {program}; install Debian's package {package}"
    return None


@contextmanager
def private_docker(*, live_restore: bool = False) -> Iterator[PrivateDocker]:
    """Run an engine for the time of the block; with `live_restore` containers outlive its process.

    Afterwards nothing of it is left: containers, networks, mounts, folders; what a killed run
    left is removed by the next. Raises NoPrivateDocker when it cannot be started.
    """
    if reason := why_not():
        raise NoPrivateDocker(reason)
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    bridge = f"{_BRIDGE_PREFIX}{os.getpid():x}{secrets.token_hex(2)}"[:15]
    with (folder / _OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        owner.write(bridge)
        owner.flush()
        docker = PrivateDocker(folder, bridge, _free_subnet(), live_restore=live_restore)
        try:
            docker.make_bridge()
            docker.start()
            yield docker
        finally:
            docker.clear()
            _remove(folder)


def _remove_abandoned() -> None:
    """Remove what runs that were killed have left; their engines ended with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.geteuid():
                continue
            with (folder / _OWNER).open() as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                bridge = owner.read()
            if _engine_lives(folder):
                continue  # it is on its way out
            if bridge.startswith(_BRIDGE_PREFIX):
                with suppress(subprocess.CalledProcessError):
                    _ip("link", "del", bridge)
            _remove(folder)


def _engine_lives(folder: Path) -> bool:
    try:
        pid = int((folder / "docker.pid").read_text())
        return str(folder) in Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError):
        return False


def _remove(folder: Path) -> None:
    _unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)


class PrivateDocker:
    """One engine in a folder. `host` is for DOCKER_HOST; it may be stopped and started again."""

    def __init__(
        self, folder: Path, bridge: str, subnet: int, *, live_restore: bool = False
    ) -> None:
        self._live_restore = live_restore
        self._folder = folder
        self._bridge = bridge
        self._subnet = subnet
        self._engine: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{folder}/docker.sock"

    def make_bridge(self) -> None:
        """Make the bridge of its default network."""
        _ip("link", "add", "name", self._bridge, "type", "bridge")
        _ip("addr", "add", f"10.{self._subnet}.0.1/16", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def start(self) -> None:
        """Start it, and return when it answers."""
        log_path = self._folder / "log"
        (self._folder / "none.json").write_text("{}")
        with log_path.open("ab") as log:
            engine = self._engine = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": _PATH},
                start_new_session=True,  # a Ctrl-C at the terminal is for us, not for it
            )
        http = EngineHttp(self.host, timeout_s=5.0)
        deadline = time.monotonic() + _READY_S
        while not http.answers():
            if engine.poll() is not None or time.monotonic() > deadline:
                lines = log_path.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
                raise NoPrivateDocker("dockerd did not start: " + " | ".join(lines))
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it; its containers end, as they do when the real one is stopped."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        engine.terminate()
        try:
            engine.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
        self._end_containerd()

    def _end_containerd(self) -> None:
        """It goes with its engine, unless that was killed.

        Its pid file goes as well: an engine that starts while nobody has collected the ended
        process takes it for alive, and waits for it in vain.
        """
        file = self._folder / "exec/containerd/containerd.pid"
        with suppress(OSError, ValueError):
            pid = int(file.read_text())
            if str(self._folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        file.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL; its containers go on only with `live_restore`."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.kill()
            engine.wait()
            self._end_containerd()

    def freeze(self) -> None:
        """Let it hang: it takes calls and answers none, until `thaw`."""
        if self._engine is not None:
            self._engine.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._engine is not None:
            self._engine.send_signal(signal.SIGCONT)

    @property
    def data(self) -> Path:
        """Where it keeps images and containers."""
        return self._folder / "data"

    def clear(self) -> None:
        """Remove containers, networks and bridges, and stop it."""
        bridges = [self._bridge, *self._remove_all()]
        self.stop()
        for name in bridges:
            with suppress(subprocess.CalledProcessError):
                _ip("link", "del", name)

    def _remove_all(self) -> list[str]:
        """Remove all containers and networks; returns the networks' bridges."""
        http = EngineHttp(self.host, timeout_s=20.0)
        bridges = []
        with suppress(OSError, EngineRefused):
            for container in http.call("GET", "/containers/json", all="1"):
                with suppress(EngineRefused):
                    http.call("DELETE", f"/containers/{container['Id']}", force="1", v="1")
            for network in http.call("GET", "/networks", filters={"type": ["custom"]}):
                bridges.append(f"br-{network['Id'][:12]}")
                with suppress(EngineRefused):
                    http.call("DELETE", f"/networks/{network['Id']}")
        return bridges

    def _command(self) -> list[str]:
        folder = self._folder
        return [
            *("setpriv", "--pdeathsig", "TERM"),  # a killed test run leaves no engine behind
            "dockerd",
            f"--host={self.host}",
            f"--data-root={folder}/data",
            f"--exec-root={folder}/exec",
            f"--pidfile={folder}/docker.pid",
            f"--config-file={folder}/none.json",
            # With address pools of its own it would, when started again, remove the default
            # bridge of the other engine. Without, it takes only what no route touches.
            f"--bridge={self._bridge}",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
            "--userland-proxy=true",
            "--shutdown-timeout=5",
            *(["--live-restore"] if self._live_restore else []),
        ]


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if mount.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mount], check=False, env={"PATH": _PATH})


def _free_subnet() -> int:
    """The second number of a 10.x.0.0/16 that no route of this host touches."""
    routes = _ip("-4", "route", "show", "table", "all")
    free = [number for number in range(180, 250) if f"10.{number}." not in routes]
    if not free:
        raise NoPrivateDocker("no free subnet between 10.180.0.0 and 10.249.0.0")
    return secrets.choice(free)  # any, so that two started at once seldom collide


def _ip(*words: str) -> str:
    done = subprocess.run(
        ["ip", *words],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": _PATH},
    )
    return done.stdout


def main(arguments: list[str]) -> int:
    """Run a command beside a private engine, or just the engine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with private_docker() as docker:
            match arguments:
                case ["run", *command] if command:
                    environment = {**os.environ, "DOCKER_HOST": docker.host}
                    return subprocess.run(command, check=False, env=environment).returncode
                case ["serve"]:
                    sys.stdout.write(f"DOCKER_HOST={docker.host}\n")
                    sys.stdout.flush()
                    with suppress(KeyboardInterrupt):
                        signal.pause()
                    return 0
                case _:
                    sys.stderr.write(__doc__ or "")
                    return 2
    except NoPrivateDocker as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

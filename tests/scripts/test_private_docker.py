"""An engine of our own comes and goes without a trace, beside any other."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.support import images
from scripts.support.engine_http import EngineHttp
from scripts.support.private_docker import private_docker

pytestmark = pytest.mark.docker


def firewall() -> str:
    return subprocess.run(
        ["iptables-save"], capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin"}
    ).stdout


def rules() -> list[str]:
    """Without those for single networks and ports: another engine may be at work meanwhile."""
    passing = ("#", ":", "br-", "port ", "veth")
    return [line for line in firewall().splitlines() if not any(word in line for word in passing)]


def links(pid: int) -> set[str]:
    """Without those of single networks and containers, for the same reason, and without the
    bridges of engines that other processes than `pid` have started.
    """
    names = {path.name for path in Path("/sys/class/net").iterdir()}
    kept = {name for name in names if not name.startswith(("br-", "veth", "iot"))}
    return kept | {name for name in names if name.startswith(f"iot{pid:x}")}


def test_it_serves_published_ports_can_be_restarted_and_leaves_nothing_behind() -> None:
    links_before, rules_before = links(os.getpid()), rules()
    body = {
        "Image": images.WEB_1.reference,
        "Env": ["MESSAGE=hello"],
        "ExposedPorts": {"8080/tcp": {}},
        "HostConfig": {
            "NetworkMode": "shop",
            "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        },
    }

    with private_docker() as docker:
        images.load(docker.host)
        engine = EngineHttp(docker.host)
        engine.call("POST", "/networks/create", body={"Name": "shop"})
        made = engine.call("POST", "/containers/create", body=body)["Id"]
        engine.call("POST", f"/containers/{made}/start")
        docker.stop()
        docker.start()
        engine.call("POST", f"/containers/{made}/start")
        ports = engine.call("GET", f"/containers/{made}/json")["NetworkSettings"]["Ports"]
        answer = get(int(ports["8080/tcp"][0]["HostPort"]))
        folder = Path(docker.host.removeprefix("unix://")).parent
        rules_meanwhile = rules()

    assert answer == "hello\n"
    assert not folder.exists()
    assert links(os.getpid()) == links_before
    assert rules_before == rules_meanwhile == rules()


def test_what_a_killed_run_has_left_is_removed_by_the_next() -> None:
    killed = subprocess.Popen(
        [sys.executable, "-m", "scripts.support.private_docker", "serve"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with killed:
        assert killed.stdout is not None
        folder = Path(killed.stdout.readline().partition("unix://")[2].strip()).parent
        engine = int((folder / "docker.pid").read_text())
        killed.kill()
    while Path(f"/proc/{engine}").exists():  # the engine ends with the one that started it
        time.sleep(0.05)
    assert folder.exists()
    left = links(killed.pid)
    assert any(name.startswith("iot") for name in left)

    with private_docker():
        assert not folder.exists()

    assert links(killed.pid) == {name for name in left if not name.startswith("iot")}


def get(port: int) -> str:
    """Ask until it serves: a started container is not yet a serving one."""
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        finally:
            connection.close()
    raise AssertionError(f"nothing served at port {port}")

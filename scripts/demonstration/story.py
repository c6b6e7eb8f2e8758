"""The steps of the demonstration. Each says what it shows, does it, and checks it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.demonstration.outside import Outside, Seen
from scripts.support.programs import Agent, Cloud, ProgramFailed, wait_for

APP = 1001
_BIN = Path(sys.executable).parent
_TICKING = ["sh", "-c", "n=0; while n=$((n + 1)); do echo tick $n; sleep 0.2; done"]


class FalseClaim(Exception):
    """Something the demonstration says did not come true."""


def claim(holds: object, what: str) -> None:
    """Raise FalseClaim unless it holds."""
    if not holds:
        raise FalseClaim(what)


@dataclass
class Story:
    """One run. `steps` are what has been shown so far, with the time it took."""

    folder: Path
    outside: Outside
    steps: list[dict[str, Any]] = field(default_factory=list)
    uuid: str = ""

    def __post_init__(self) -> None:
        self.cloud = Cloud(self.folder)
        self.agent = Agent(self.folder)
        self.message = "hello from the edge"
        self.state = "running"

    def run(self) -> None:
        """Tell it from the beginning to the end; raises FalseClaim or ProgramFailed."""
        self._start_cloud()
        self._provision()
        self._deploy()
        self._heal()
        self._roll_one()
        if self.outside.kind == "docker":
            self._bad_release()
        self._pause()
        self._unpause()
        self._kill_the_agent()
        self._go_offline()
        self._come_back()
        if self.outside.kind == "docker":
            self._nothing_lost()
        self._show()

    def end(self) -> list[str]:
        """Stop the programs and remove what was made; what is left is the answer."""
        left = []
        for program in (self.agent, self.cloud):
            try:
                program.stop()
            except ProgramFailed as error:
                left.append(str(error))
        return left + (self.outside.clean(self.uuid) if self.uuid else [])

    def _start_cloud(self) -> None:
        with self._step("cloud", "A cloud starts on this machine, on loopback, with SQLite."):
            self.cloud.start()
            self.cloud.ready()
            self.cloud.log_in()
            # From now on it keeps the port, so that it can be stopped and come back.
            self.cloud.arguments = (
                *("serve", "--port", self.cloud.url.rpartition(":")[2].strip("/")),
                *("--data", str(self.folder / "cloud")),
            )
        _say(f"It listens on {self.cloud.url}; its operator has logged in.")

    def _provision(self) -> None:
        with self._step(
            "provision", "An agent starts with a provisioning key and joins in two phases."
        ):
            self.agent.environment = {
                **self.agent.environment,
                **self.outside.environment,
                "CLOUD_API_ENDPOINT": self.cloud.url,
                "PROVISIONING_API_KEY": self.cloud.new_key(description="demonstration"),
                "DEVICE_NAME": "demo-device",
                "POLL_INTERVAL_MS": "1000",
                "REPORT_INTERVAL_MS": "1000",
                "CLOUD_LOG_UPLOAD_INTERVAL": "1000",
            }
            self.agent.start()
            self.agent.ready()
            wait_for("provisioning", self._provisioned, 30)
            self.uuid = self.agent.call("GET", "/v1/device")["uuid"]
            claim(self._device_in_cloud(), "the cloud lists the device")
        _say(f"It is device {self.uuid[:8]} now, with credentials of its own.")

    def _deploy(self) -> None:
        with self._step("deploy", "The operator says what should run: two services."):
            self._set_target()
            seen = self._until_running({"web": "running", "clock": "running"})
            self._check_page(self.message)
        _say(f"Running in the {self.outside.kind} engine: {', '.join(sorted(seen))}.")

    def _heal(self) -> None:
        before = self._containers()
        with self._step("heal", "Somebody kills a container behind the agent's back."):
            self.outside.kill(self.uuid, "web")
            after = self._until(
                "the killed service",
                lambda now: now["web"].state == "running" and now["web"] != before["web"],
            )
            claim(after["clock"] == before["clock"], "the other service was left alone")
            self._check_page(self.message)
        _say("It runs again; the other service was not touched.")

    def _roll_one(self) -> None:
        before = self._containers()
        with self._step(
            "roll-one", "The operator changes one environment variable of one service."
        ):
            self.message = "hello again"
            self._set_target()
            after = self._until(
                "the changed service",
                lambda now: now["web"].state == "running" and now["web"].id != before["web"].id,
            )
            claim(after["clock"] == before["clock"], "only the changed service was replaced")
            self._check_page(self.message)
        _say("Only that service was replaced; it says the new text.")

    def _bad_release(self) -> None:
        with self._step("bad-release", "The operator sends a release whose web service crashes."):
            self.agent.until_settled()  # what it goes back to has to be known as good
            before = self._containers()
            self._set_target(command=["sh", "-c", "echo no configuration; exit 1"])
            self._until("the new release", lambda now: now["web"].id != before["web"].id)
            wait_for("the way back", self._taken_back, 60)
            after = self._until("the good one", lambda now: now["web"].state == "running")
            claim(after["clock"] == before["clock"], "only the crashing service was replaced")
            self._check_page(self.message)
            explained = _iotctl("explain", "demo", "--state-dir", str(self.folder))
            claim("no configuration" in explained, "its last words are told")
        _say("The device went back by itself, remembers it, and says why:")
        _say(f"\n$ iotctl explain demo\n{explained.rstrip()}")

    def _taken_back(self) -> bool | None:
        apps = self.agent.call("GET", "/v1/plan")["apps"]
        return True if any(app["verdict"] == "rejected" for app in apps) else None

    def _pause(self) -> None:
        before = self._containers()
        with self._step("pause", "The operator pauses it."):
            self.state = "paused"
            self._set_target()
            after = self._until("the paused service", lambda now: now["web"].state == "paused")
            claim(after["web"].id == before["web"].id, "a paused service keeps its container")
        _say("Frozen, in the same container.")

    def _unpause(self) -> None:
        before = self._containers()
        with self._step("unpause", "And lets it go on."):
            self.state = "running"
            self._set_target()
            after = self._until("the service", lambda now: now["web"].state == "running")
            claim(after["web"].id == before["web"].id, "it goes on in the same container")
            claim(after["web"].started_at == before["web"].started_at, "it was not restarted")
        _say("Still the same container, not restarted.")

    def _kill_the_agent(self) -> None:
        before = self._containers()
        with self._step("kill-agent", "The agent is killed with SIGKILL, and starts again."):
            self.agent.kill()
            claim(self._containers() == before, "services go on without the agent")
            self.agent.start()
            self.agent.ready()
            self.agent.until_settled()
            claim(self._containers() == before, "no container was touched by its return")
        _say("The containers were not touched.")

    def _go_offline(self) -> None:
        before = self._containers()
        with self._step("offline", "The cloud stops; the agent is killed and starts without it."):
            self.cloud.stop()
            self.agent.kill()
            self.outside.kill(self.uuid, "clock")
            self.agent.start()
            self.agent.ready()
            after = self._until(
                "the services without the cloud",
                lambda now: all(seen.state == "running" for seen in now.values()),
            )
            claim(after["web"] == before["web"], "the running service was not touched")
            claim(after["clock"] != before["clock"], "the ended one was brought back offline")
        _say("What ran goes on, and what had ended meanwhile was brought back without the cloud.")

    def _come_back(self) -> None:
        with self._step("reconnect", "The cloud comes back."):
            self.cloud.start()
            self.cloud.ready()
            wait_for("the agent's next report", self._reported_all_running, 90)
            # The agent reports and polls apart, and is online when both work.
            wait_for("the agent to be online again", self._online, 90)
        _say("The agent has reported by itself.")

    def _nothing_lost(self) -> None:
        with self._step("logs", "What the clock service said meanwhile comes over as well."):
            wait_for("lines of the time without the cloud", self._lines_came, 60)
            ledger = _iotctl("outbox", "--state-dir", str(self.folder))
        _say("Every line once and in order, from before, during and after; the agent's account:")
        _say(f"\n$ iotctl outbox\n{ledger.rstrip()}")

    def _lines_came(self) -> bool | None:
        found = self.cloud.call("GET", f"/api/v1/devices/{self.uuid}/logs?service=clock&limit=1000")
        ticks: dict[str, list[int]] = {}
        for line in sorted(found["logs"], key=lambda line: line["timestamp"]):
            word, _, number = line["message"].partition(" ")
            if word == "tick":
                ticks.setdefault(line["containerId"], []).append(int(number))
        for numbers in ticks.values():
            claim(numbers == [*range(1, len(numbers) + 1)], f"no line is missing: {numbers}")
        newest = self._containers()["clock"].id
        return True if len(ticks) > 1 and len(ticks.get(newest, ())) > 5 else None

    def _show(self) -> None:
        with self._step("show", "A technician looks at the device, an operator at the fleet."):
            status = _iotctl("status", "--state-dir", str(self.folder))
            fleet = _iotctl(
                *("fleet", "devices", "list"),
                IOTISTIC_CLOUD_URL=self.cloud.url,
                IOTISTIC_CLOUD_TOKEN=self.cloud.token,
            )
            claim("demo-device" in status, "iotctl status shows the device")
            claim(self.uuid[:8] in fleet, "iotctl fleet devices list shows it")
        for command, output in (("iotctl status", status), ("iotctl fleet devices list", fleet)):
            _say(f"\n$ {command}\n{output.rstrip()}")

    # -- what the steps are made of

    @contextmanager
    def _step(self, name: str, sentence: str) -> Iterator[None]:
        _say(f"\n{len(self.steps) + 1}. {sentence}")
        started_s = time.monotonic()
        yield
        took_s = round(time.monotonic() - started_s, 2)
        self.steps.append({"name": name, "seconds": took_s})
        _say(f"   done in {took_s:.1f} s")

    def _set_target(self, **web: Any) -> None:
        def service(number: int, name: str, state: str, message: str, **more: Any) -> Any:
            return {
                "serviceId": number,
                "serviceName": name,
                "imageName": self.outside.image,
                "state": state,
                "config": {"environment": {"MESSAGE": message}, **more},
            }

        services = [
            service(1, "web", self.state, self.message, ports=["127.0.0.1::8080"], **web),
            service(2, "clock", "running", "tick", volumes=["data:/data"], command=_TICKING),
        ]
        # A real release is watched for minutes; who looks on has less time.
        verify = {"timeout": "8s", "min_healthy_s": 1}
        app = {"appId": APP, "appName": "demo", "verify": verify, "services": services}
        self.cloud.set_target(self.uuid, {str(APP): app})

    def _containers(self) -> dict[str, Seen]:
        return self.outside.containers(self.uuid)

    def _until(
        self, what: str, holds: Callable[[dict[str, Seen]], bool], timeout_s: float = 60.0
    ) -> dict[str, Seen]:
        def look() -> dict[str, Seen] | None:
            self.agent.check_alive()
            seen = self._containers()
            return seen if {"web", "clock"} <= seen.keys() and holds(seen) else None

        return wait_for(what, look, timeout_s)

    def _until_running(self, states: dict[str, str]) -> dict[str, Seen]:
        return self._until(
            "the services", lambda now: {name: seen.state for name, seen in now.items()} == states
        )

    def _check_page(self, expected: str) -> None:
        def page() -> str | None:
            try:
                return self.outside.page(self.uuid, "web") or "nothing is served in a simulation"
            except OSError:
                return None  # it has only just started

        found = wait_for("the service's page", page, 10)
        if self.outside.kind == "docker":
            claim(found == expected, f"the service says {expected!r}, it said {found!r}")

    def _provisioned(self) -> bool | None:
        self.agent.check_alive()
        status = self.agent.call("GET", "/v1/provision/status")
        return True if status["phase"] == "provisioned" else None

    def _device_in_cloud(self) -> bool:
        listed = self.cloud.call("GET", "/api/v1/devices")
        return any(device["uuid"] == self.uuid for device in listed["devices"])

    def _reported_all_running(self) -> bool | None:
        state = self.cloud.call("GET", f"/api/v1/devices/{self.uuid}/current-state")
        services = state["apps"][str(APP)]["services"]
        fresh = {seen.id for seen in self._containers().values()}
        reported = {service.get("containerId") for service in services}
        return True if fresh == reported else None

    def _online(self) -> bool | None:
        status = self.agent.call("GET", "/v1/status")
        return True if status["cloud"]["state"] == "online" else None


def _iotctl(*words: str, **environment: str) -> str:
    ran = subprocess.run(
        [str(_BIN / "iotctl"), *words],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    claim(ran.returncode == 0, f"iotctl {' '.join(words[:2])}: {ran.stderr.strip()}")
    return ran.stdout


def _say(text: str) -> None:
    print(text, flush=True)

"""A device that has joined a cloud of its own, for the time of a benchmark."""

from __future__ import annotations

import http.client
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.engine import IMAGE, BenchEngine
from iotistic.agent.sync.cadence import POLL_SPACING_S
from scripts.support.programs import Agent, Cloud, ProgramFailed, wait_for

APP_ID = 1001


class Device:
    """Agent and cloud as processes; the agent's containers are in `engine`."""

    def __init__(self, folder: Path, engine: BenchEngine, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.engine = engine
        self.cloud = Cloud(folder / "cloud")
        self.agent = Agent(folder / "agent", DOCKER_HOST=engine.host, **settings)
        self.uuid = ""
        self._polled_s = time.monotonic()

    @property
    def label(self) -> str:
        """What its containers carry."""
        return f"iotistic.device={self.uuid}"

    def join(self) -> None:
        """Start cloud and agent, and have the agent provisioned."""
        self.cloud.start()
        self.cloud.ready()
        self.cloud.log_in()
        self.agent.environment = {
            **self.agent.environment,
            "CLOUD_API_ENDPOINT": self.cloud.url,
            "PROVISIONING_API_KEY": self.cloud.new_key(description="benchmark"),
        }
        self.agent.start()
        self.agent.ready()
        wait_for("the cloud's first answer to the device", self._joined, 60)
        self._polled_s = time.monotonic()
        self.uuid = self.agent.call("GET", "/v1/device")["uuid"]

    def set_services(self, count: int, message: str) -> None:
        """Have the cloud want `count` services of one app; returns when the agent has read that."""
        services = [service(number, message) for number in range(count)]
        app = {"appId": APP_ID, "appName": "bench", "services": services}
        self.set_apps({str(APP_ID): app} if count else {})

    def set_apps(self, apps: Mapping[str, Any]) -> int:
        """Have the cloud want these apps; returns the version when the agent has read it."""
        version = self.cloud.set_target(self.uuid, apps)
        # By itself it would ask once in POLL_INTERVAL_MS. It answers only when it has reported too.
        threading.Thread(target=self._ask, daemon=True).start()

        def accepted() -> bool | None:
            return self.target()["version"] == version or None

        wait_for("the target", accepted)
        self._polled_s = time.monotonic()
        return version

    def until_it_may_poll(self) -> None:
        """Wait until a poll that is asked for begins at once, since the last one is long ago."""
        time.sleep(max(0.0, self._polled_s + POLL_SPACING_S - time.monotonic()))

    def clear(self, timeout_s: float) -> None:
        """Want nothing, and wait until nothing is left in the engine."""
        self.set_services(0, "")
        self.agent.until_settled(timeout_s=timeout_s)
        wait_for("an empty engine", lambda: not self.engine.running(self.label) or None)

    def target(self) -> dict[str, Any]:
        """What the agent says of the target that it holds."""
        return self.agent.call("GET", "/v1/status")["target"] or {"version": None}

    def restart_agent(self, **settings: str) -> None:
        """End the agent and start it on the same state folder, with these settings changed."""
        self.agent.stop()
        self.agent.environment = {**self.agent.environment, **settings}
        self.agent.start()
        self.agent.ready()

    def end(self) -> None:
        """Stop the programs and remove the device's containers, networks and volumes."""
        try:
            self.agent.stop()
            self.cloud.stop()
        finally:
            self.agent.kill()
            self.cloud.kill()
            if self.uuid:
                self.engine.clean(self.label)

    def _ask(self) -> None:
        with suppress(ProgramFailed, OSError, http.client.HTTPException):
            self.agent.call("POST", "/v1/sync")

    def _joined(self) -> bool | None:
        cloud = self.agent.call("GET", "/v1/status")["cloud"]
        return (cloud is not None and cloud["state"] == "online") or None


@contextmanager
def bench_device(engine: BenchEngine, **settings: str) -> Iterator[Device]:
    """A provisioned device; afterwards nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="iotistic-bench-"))
    device = Device(folder, engine, settings)
    try:
        device.join()
        yield device
    finally:
        try:
            device.end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def service(number: int, message: str) -> dict[str, Any]:
    """One service of a target, the same as one `docker run` of the shell loop."""
    return {
        "serviceId": str(number),
        "serviceName": f"s{number}",
        "imageName": IMAGE.reference,
        "config": {"environment": {"MESSAGE": message}, "restart": "unless-stopped"},
    }

"""A device on a real Docker Engine that several tests share: each has an app of its own there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.demonstration.outside import DockerOutside, Seen
from scripts.support.engine_http import EngineHttp, EngineRefused
from scripts.support.images import SLEEPER
from scripts.support.programs import Agent, Cloud, ProgramFailed, wait_for
from tests.system.conftest import FAST, Site
from tests.system.lying_proxy import LyingProxy

VERIFY = {"timeout": "8s", "min_healthy_s": 1}
LOOK_EVERY_S = 0.1
PATIENCE_S = 40.0

Json = dict[str, Any]


class Docker:
    """The engine from outside, and what happens inside of containers."""

    def __init__(self, host: str) -> None:
        self.http = EngineHttp(host)

    def containers(self, *labels: str) -> list[Json]:
        """Full inspection of all containers with these labels."""
        found = []
        filters = {"label": list(labels)}
        for row in self.http.call("GET", "/containers/json", all="1", filters=filters):
            with suppress(EngineRefused):  # gone since the listing
                found.append(self.http.call("GET", f"/containers/{row['Id']}/json"))
        return found

    def inside(self, container: str, *command: str) -> str:
        """What a command says that is run in a container."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "Tty": True}
        made = self.http.call("POST", f"/containers/{container}/exec", body=body)
        said = self.http.call("POST", f"/exec/{made['Id']}/start", body={"Tty": True})
        return bytes(said).decode()

    def write(self, container: str, path: str, text: str = "") -> None:
        """Write a file in a container, as the service in it would."""
        self.inside(container, "sh", "-c", f'printf %s "$0" > {path}', text)

    @contextmanager
    def stranger(self, name: str, image: str = SLEEPER.reference, **host: Any) -> Iterator[str]:
        """A running container that is not the agent's; its id. `host` is for its HostConfig."""
        body: Json = {"Image": image, "HostConfig": host}
        if ports := host.get("PortBindings"):
            body["ExposedPorts"] = {port: {} for port in ports}
        made = self.http.call("POST", "/containers/create", body=body, name=name)["Id"]
        try:
            self.http.call("POST", f"/containers/{made}/start")
            yield made
        finally:
            with suppress(EngineRefused):
                self.http.call("DELETE", f"/containers/{made}", force="1")


class Home:
    """The device with its agent; tests deploy their apps side by side."""

    def __init__(self, site: Site, docker: Docker, runtime_dir: Path) -> None:
        self.site = site
        self.docker = docker
        self.runtime_dir = runtime_dir
        self._apps: dict[str, Json] = {}
        self._next_id = 1001

    @property
    def agent(self) -> Agent:
        return self.site.agent

    def new_app(self) -> App:
        self._next_id += 1
        return App(self, self._next_id)

    def deploy(self, app_id: int, app: Json | None) -> int:
        """Deploy all apps, this one as given (None: not at all); the version."""
        if app is None:
            self._apps.pop(str(app_id), None)
        else:
            self._apps[str(app_id)] = app
        return self.site.cloud.set_target(self.site.uuid, self._apps)

    def restart(self) -> None:
        self.site.restart()

    def iotctl(self, *arguments: str, stdin: str = "") -> tuple[int, Any]:
        """What a command tells a program: its exit code, and the document."""
        done = self._run(("--json", *arguments), stdin)
        return done.returncode, json.loads(done.stdout or done.stderr or "null")

    def shown(self, *arguments: str) -> str:
        """What a command shows to a person."""
        done = self._run(arguments, "")
        return done.stdout + done.stderr

    def _run(self, arguments: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "iotctl"), "--yes", *arguments],
            env={
                "PATH": "/usr/bin:/bin",
                "COLUMNS": "240",
                "HOME": str(self.agent.folder),
                "STATE_DIR": str(self.agent.folder),
                "IOTISTIC_CLOUD_URL": self.site.cloud.url,
                "IOTISTIC_CLOUD_TOKEN": self.site.cloud.token,
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class App:
    """One app on the shared device, by what people can see of it."""

    def __init__(self, home: Home, app_id: int) -> None:
        self.home = home
        self.app_id = app_id
        self.name = f"shop-{app_id}"

    @staticmethod
    def service(
        name: str, image: str = SLEEPER.reference, state: str = "running", **config: Any
    ) -> Json:
        """A service of the wire, of an image that no registry has."""
        return {
            "serviceId": name,
            "serviceName": name,
            "imageName": image,
            "state": state,
            "config": {"pull_policy": "never", **config},
        }

    def document(self, release: str, *services: Json, **fields: Any) -> Json:
        """The app of the wire."""
        return {
            "appId": self.app_id,
            "appName": self.name,
            "release": release,
            "verify": VERIFY,
            "services": list(services),
            **fields,
        }

    def deploy(self, release: str, *services: Json, **fields: Any) -> int:
        return self.home.deploy(self.app_id, self.document(release, *services, **fields))

    def settle(self, release: str, *services: Json, **fields: Any) -> Mapping[str, Seen]:
        """Deploy it and wait until the release is good; its containers."""
        self.deploy(release, *services, **fields)
        self.until_done(release)
        return self.containers()

    def remove(self) -> None:
        self.home.deploy(self.app_id, None)

    def verdict(self) -> Json:
        """How it stands, as `iotctl status` says it."""
        self.home.agent.check_alive()
        apps = self.home.agent.call("GET", "/v1/status")["apps"]
        return next((app for app in apps if app["appId"] == self.app_id), {})

    def until(
        self, what: str, holds: Callable[[Json], bool], timeout_s: float = PATIENCE_S
    ) -> Json:
        """Wait until its verdict is so; fails with what it was instead."""
        last: Json = {}

        def look() -> Json | None:
            nonlocal last
            last = self.verdict()
            return last if last and holds(last) else None

        try:
            return wait_for(what, look, timeout_s, every_s=LOOK_EVERY_S)
        except ProgramFailed as error:
            raise AssertionError(
                f"{error}: {last}\n{self.home.shown('explain', str(self.app_id))}"
            ) from error

    def until_done(self, release: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it is on a release, as a whole."""

        def holds(found: Json) -> bool:
            shown = (found["release"], found["phase"], found["verdict"])
            return shown == (release, "done", "settled")

        self.until(f"release {release}", holds, timeout_s)

    def until_seen(
        self, what: str, holds: Callable[[Mapping[str, Seen]], bool]
    ) -> Mapping[str, Seen]:
        """Wait until its containers are so."""

        def look() -> Mapping[str, Seen] | None:
            found = self.containers()
            return found if holds(found) else None

        return wait_for(what, look, PATIENCE_S, every_s=LOOK_EVERY_S)

    def explain(self, service: str = "", journal: int = 200) -> Json:
        path = "/".join(part for part in (str(self.app_id), service) if part)
        found: Json = self.home.agent.call("GET", f"/v1/explain/{path}?journal={journal}")
        return found

    def until_explained(self, what: str, service: str, holds: Callable[[Json], Any]) -> Json:
        """Wait until what is told of one service is so."""

        def look() -> Json | None:
            with suppress(ProgramFailed):  # the target that has it has not come yet
                (found,) = self.explain(service)["services"]
                return dict(found) if holds(found) else None
            return None

        return wait_for(what, look, every_s=LOOK_EVERY_S)

    def journal(self) -> list[Json]:
        """What was done and why, oldest first."""
        return list(reversed(self.explain()["journal"]))

    def steps(self, service: str = "") -> list[str]:
        """The kinds of the steps done, oldest first."""
        return [
            entry["step"]
            for entry in self.journal()
            if entry["event"] == "step-done" and service in ("", entry["serviceName"])
        ]

    def inspected(self, service: str) -> list[Json]:
        """The containers of a service, as the engine describes them, oldest first."""
        found = self.home.docker.containers(
            f"iotistic.device={self.home.site.uuid}",
            f"iotistic.app-id={self.app_id}",
            f"iotistic.service-name={service}",
        )
        return sorted(found, key=lambda each: str(each["Created"]))

    def container(self, service: str) -> Json:
        """The one container of a service, as the engine describes it."""
        (found,) = self.inspected(service)
        return found

    def containers(self) -> Mapping[str, Seen]:
        """Its containers by service name."""
        found = self.home.docker.containers(
            f"iotistic.device={self.home.site.uuid}", f"iotistic.app-id={self.app_id}"
        )
        return {
            each["Config"]["Labels"]["iotistic.service-name"]: Seen(
                each["Id"], each["State"]["Status"], each["State"]["StartedAt"]
            )
            for each in found
        }

    def reported(self) -> Json:
        """What the cloud knows of it: `release`, `plan` and `services`."""
        path = f"/api/v1/devices/{self.home.site.uuid}/current-state"
        state = self.home.site.cloud.call("GET", path)
        key = str(self.app_id)
        return {
            "release": state["release"].get(key),
            "plan": state["plan"].get(key),
            "services": state["apps"].get(key, {}).get("services", []),
            "all": state,
        }

    def until_reported(self, what: str, holds: Callable[[Json], bool]) -> Json:
        """Wait until the cloud knows."""

        def look() -> Json | None:
            found = self.reported()
            return found if found["release"] and found["plan"] and holds(found) else None

        return wait_for(f"{what} in the cloud", look, every_s=LOOK_EVERY_S)

    def act(self, verb: str, **body: Any) -> Json:
        """A wish of a person about the app."""
        path = f"/v1/apps/{self.app_id}/{verb}"
        found: Json = self.home.agent.call("POST", path, body)
        return found

    def folder(self, kind: str, service: str) -> Path:
        """Where the device keeps secrets or the control folder of a service."""
        home = self.home
        return home.runtime_dir / home.site.uuid / kind / str(self.app_id) / service


@contextmanager
def home_at(
    folder: Path, cloud: Cloud, proxy: LyingProxy, docker_host: str, **settings: str
) -> Iterator[Home]:
    """A device for the time of the block, in the cloud; all that was made goes at the end."""
    outside = DockerOutside(docker_host)
    with TemporaryDirectory(prefix="iotistic-test-", dir="/dev/shm") as runtime_dir:
        agent = Agent(
            folder,
            **FAST,
            **{
                **outside.environment,
                "RUNTIME_DIR": runtime_dir,
                "RECONCILIATION_INTERVAL_MS": "2000",
                "CLOUD_API_ENDPOINT": proxy.url,
                "PROVISIONING_API_KEY": cloud.new_key(maxDevices=1),
                **settings,
            },
        )
        site = Site(agent, outside, cloud, proxy)
        try:
            site.join()
            yield Home(site, Docker(docker_host), Path(runtime_dir))
            assert agent.failures() == []
        finally:
            proxy.lie, proxy.lose = None, 0
            agent.kill()
            if site.uuid:
                assert outside.clean(site.uuid) == []

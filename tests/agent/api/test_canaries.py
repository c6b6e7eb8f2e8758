"""Canaries: a secret is planted wherever one can be, and then looked for in all that is told.

Whatever the agent tells (every GET of the Device API, its log, its report, what `iotctl` prints,
the whole of a support bundle, inflated) is searched for each of them: as it is, in base64, in hex,
and as it stands in a URL.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from iotistic.agent.api.device_api import DeviceAPI
from iotistic.agent.diagnostics.scrubber import Scrubber, known_secrets
from iotistic.agent.store.records import CloudLink, MqttCredentials, ProvisioningPhase
from iotistic.cli.__main__ import run
from iotistic.model.secret import Secret
from iotistic.model.words import ContainerState, Dialect
from tests.agent.api.builders import SHOP, Served, device, service, serving, target


def canary(place: str) -> str:
    """A secret that says where it was planted; with what URLs and JSON have to escape."""
    return f'can/ary+{place}="{place[::-1]}'


PROVISIONING_ENV = "canary-provisioning-environment"
PLANTED = {
    place: canary(place)
    for place in (
        "api-key", "farewell-key", "provisioning-key", "mqtt-password", "broker-config",
        "environment", "secret-file", "secret-variable", "login", "config", "log-line",
    )
}  # fmt: skip
URL_PASSWORD = "canary-url-password"
OPTION = "canary-of-an-option"


def document(version: int = 1) -> dict[str, Any]:
    """A target with a canary in every place that may hold a secret."""
    wanted = target(
        service(
            "web", "1",
            environment={
                "DB_PASS": PLANTED["environment"],
                "DB_URL": f"postgres://shop:{URL_PASSWORD}@db/shop",
            },
            secrets=["file", {"source": "variable", "environment": "API_TOKEN"}],
            command=["serve", f"--password={OPTION}"],
        ),
        service("worker", "2", image="crash:1", environment={"KEY": PLANTED["environment"]}),
        version=version,
    )  # fmt: skip
    wanted["apps"][str(SHOP)]["secrets"] = {
        "file": {"value": PLANTED["secret-file"]},
        "variable": {"value": PLANTED["secret-variable"]},
    }
    wanted["config"] = {"apiToken": PLANTED["config"], "nested": {"password": PLANTED["config"]}}
    return wanted


@pytest.fixture
async def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A device that is full of secrets, and has told of them where it could."""
    logins = tmp_path / "logins.json"
    pair = base64.b64encode(f"robot:{PLANTED['login']}".encode()).decode()
    logins.write_text(json.dumps({"auths": {"registry.example.com": {"auth": pair}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(logins))
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    environment = {"PROVISIONING_API_KEY": PROVISIONING_ENV, "LOG_LEVEL": "debug"}
    async with device(folder, environment=environment) as box, serving(box) as api:
        link = CloudLink(
            endpoint="https://cloud.example.com/api",
            dialect=Dialect.V2,
            device_id="17",
            api_key=Secret(PLANTED["api-key"]),
        )
        await box.store.save_identity(
            replace(
                box.store.identity,
                phase=ProvisioningPhase.PROVISIONED,
                cloud=link,
                farewell=replace(link, api_key=Secret(PLANTED["farewell-key"])),
                provisioning_api_key=Secret(PLANTED["provisioning-key"]),
                mqtt=MqttCredentials(
                    broker_url=f"mqtts://device:{URL_PASSWORD}@broker.example.com:8883",
                    username="device",
                    password=Secret(PLANTED["mqtt-password"]),
                    broker_config={"clientSecret": PLANTED["broker-config"]},
                ),
            )
        )
        await box.given_target(document(), settled=False)
        await box.until(lambda: _web(box) is not None)
        await _speak(box)
        (web,) = [c for c in await box.engine.containers() if c.service_name == "web"]
        await box.engine.outside.kill(web.id)
        await box.until(lambda: bool(box.reconciler.last_words(_subject(box))))
        await box.until(lambda: _web(box) not in (None, web.id))
        await _speak(box)
        log = box.rooms.log
        log.warning("a library said", error=f"no login with {PLANTED['secret-file']}")
        log.warning("a field", api_token=PLANTED["log-line"], url=f"amqp://a:{URL_PASSWORD}@b/")
        yield api


async def _speak(box: Any) -> None:
    for container in await box.engine.containers():
        # What a service prints of what it was given, as programs do when they fail.
        for text in (
            PLANTED["environment"], PLANTED["secret-file"], PLANTED["secret-variable"],
            f"connecting to postgres://shop:{URL_PASSWORD}@db/shop",
        ):  # fmt: skip
            await box.engine.outside.say(container.id, f"cannot log in with {text}")


def _web(box: Any) -> str | None:
    return next(
        (
            c.id
            for c in box.reconciler.snapshot().containers
            if c.service_name == "web" and c.state is ContainerState.RUNNING
        ),
        None,
    )


def _subject(box: Any) -> Any:
    rows = box.rooms.facts().apps[0].services
    return next(row.subject for row in rows if row.service_name == "web")


def forms(secret: str) -> Iterator[str]:
    """How a secret may look in a text."""
    data = secret.encode()
    yield from (secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe=""))
    yield from (base64.b64encode(data).decode().rstrip("="), data.hex())
    yield base64.urlsafe_b64encode(data).decode().rstrip("=")


async def everything(api: Served) -> dict[str, str]:
    """What must not be in what is told, by where it comes from."""
    identity = api.box.store.identity
    body = [line for line in identity.private_key_pem.reveal().splitlines() if "-" not in line]
    found = {
        **PLANTED,
        "provisioning environment": PROVISIONING_ENV,
        "password of a URL": URL_PASSWORD,
        "option": OPTION,
        "private key": body[len(body) // 2],
        "hash key": identity.hash_key.reveal(),
        "token of the Device API": api.token,
    }
    key = (api.box.folder / "database.key").read_bytes()
    found["key of the database"] = key.decode("latin-1").strip()
    return found


def leaks(told: str, secrets: dict[str, str]) -> list[str]:
    return [place for place, secret in secrets.items() if any(f in told for f in forms(secret))]


def test_the_search_finds_what_is_there() -> None:
    secret = PLANTED["environment"]
    for form in forms(secret):
        assert leaks(f"… {form} …", PLANTED) == ["environment"]


async def test_no_answer_of_the_device_api_holds_a_secret(planted: Served) -> None:
    secrets = await everything(planted)
    paths = sorted(_get_paths(planted.box.rooms))
    assert len(paths) > 20
    for path in paths:
        status, body = await planted.unix.get(path)
        told = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        assert not leaks(told, secrets), f"GET {path} ({status})"
        if path.endswith("/logs") or "/explain/" in path:
            assert "***" in told, f"nothing was hidden in GET {path}: was it planted?"


def _get_paths(rooms: Any) -> set[str]:
    routes = DeviceAPI(rooms, port=0)._routes  # whatever comes later
    fill = {"{app}": str(SHOP), "{service}": "web", "{name}": "PROVISIONING_API_KEY"}
    found = set()
    for route in routes:
        if route.method != "GET" or route.path in ("/v1/db/backup", "/v1/support-bundle"):
            continue  # the backup is a database, sealed; the bundle has a test of its own
        path = route.path
        for name, value in fill.items():
            path = path.replace(name, value)
        found.add(path)
    return found


async def test_no_record_of_the_log_and_no_report_holds_a_secret(planted: Served) -> None:
    secrets = await everything(planted)
    log = json.dumps(planted.box.book.records(), ensure_ascii=False, default=str)
    assert "a library said" in log
    assert not leaks(log, secrets)
    report = await planted.box.rooms.current.gather(None)
    assert not leaks(json.dumps(report, ensure_ascii=False, default=str), secrets)


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a bundle by name, as somebody sees who was given it."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        assert {member.mode for member in archive.getmembers()} == {0o600}
        return {
            member.name.partition("/")[2]: file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


async def test_no_file_of_a_support_bundle_holds_a_secret(planted: Served) -> None:
    secrets = await everything(planted)
    async with planted.unix.session.get("http://agent/v1/support-bundle") as response:
        assert response.status == 200
        packed = await response.read()

    files = unpacked(packed)
    assert {
        "README.txt", "manifest.json", "status.json", "diagnostics.json", "plan.json",
        "explain.json", "report.json", "log.ndjson", "settings.json", "outbox.json",
        "versions.json", "host.json", "engine.json", "journal.ndjson", "files.json", "target.json",
    } <= files.keys()  # fmt: skip
    for name, data in files.items():
        assert not leaks(data.decode(), secrets), name
    manifest = json.loads(files["manifest.json"])
    assert [part for part in manifest["parts"] if "error" in part] == []
    assert "***" in files["target.json"].decode()
    listed = {Path(entry["path"]).name: entry for entry in json.loads(files["files.json"])["files"]}
    assert listed["identity.json"]["mode"] == "-rw-------"


@pytest.mark.parametrize(
    "command",
    [
        "status", "diagnostics", "plan", f"explain {SHOP}", f"explain {SHOP}/web", "apps list",
        f"apps info {SHOP}", "services list", "services info web", "services logs web", "logs",
        "config show", "identity", "provision status", f"compose export {SHOP}", "outbox",
    ],
)  # fmt: skip
async def test_nothing_that_iotctl_prints_holds_a_secret(planted: Served, command: str) -> None:
    secrets = await everything(planted)
    for form in ((), ("--json",)):
        told = await asyncio.to_thread(_said, planted.box.folder, *command.split(), *form)
        assert told
        assert not leaks(told, secrets), f"iotctl {command} {' '.join(form)}"


def _said(folder: Path, *arguments: str) -> str:
    out = io.StringIO()
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(out):
            run((*arguments, "--state-dir", os.fspath(folder)))
    finally:
        sys.stdin = stdin
    return out.getvalue()


async def test_what_is_known_as_secret_is_taken_out_in_every_form(planted: Served) -> None:
    secrets = await everything(planted)
    del secrets["option"], secrets["log-line"]  # known to nobody but by their shape and name
    scrubber = Scrubber(await known_secrets(planted.box.rooms))
    for secret in secrets.values():
        data = secret.encode()
        texts = (secret, json.dumps(secret), quote(secret), base64.b64encode(data).decode())
        for text in texts:
            assert secret not in scrubber.text(f"<{text}>")
            assert text.strip('"=') not in scrubber.text(f"<{text}>")

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, tcp_server
from tests.cli.test_status import lines

OTHER = "9f0caaaa-1111-4222-8333-444455556666"


def device(**changes: Any) -> dict[str, Any]:
    return {
        "id": 17,
        "uuid": answers.UUID,
        "deviceName": "pump-3",
        "deviceType": "edge-gateway",
        "fleetId": "default-fleet",
        "dialect": "v2",
        "state": "registered",
        "isActive": True,
        "connection": "online",
        "lastSeenAt": datetime.fromtimestamp(answers.before(7500) / 1000, UTC).isoformat(),
        "createdAt": "2026-01-01T00:00:00Z",
        "registeredAt": "2026-01-01T00:00:00Z",
        "macAddress": None,
        "osVersion": None,
        "agentVersion": "0.1.0",
        "architecture": None,
        "targetVersion": 7,
        "currentVersion": 6,
        "cloned": False,
        "reprovisionUntil": None,
        **changes,
    }


REPORT: dict[str, Any] = {
    "apps": {
        "1001": {
            "appId": 1001,
            "appName": "shop",
            "verdict": "waiting",
            "reason": "db: no such image",
            "servicesSettled": 1,
            "servicesTotal": 2,
            "services": [
                {"serviceName": "web", "state": "running", "status": "running"},
                {"serviceName": "db", "state": "running", "error": {"message": "no such image"}},
            ],
        },
        "2": {"appId": 2, "appName": "old", "services": [{"serviceName": "x", "status": "exited"}]},
    },
    "config": {},
    "version": 7,
    "release": {
        "1001": {
            "id": "f00dfeed" * 8,
            "phase": "rolled-back",
            "reason": "db: unhealthy",
            "since": "2026-01-01T00:00:00Z",
            "rejected": {"service": "db", "lastWords": ["no such file"]},
        },
        "2": {"id": "r1", "phase": "done"},
    },
    "plan": {
        "1001": {
            "verdict": "waiting",
            "next": [{"step": "pull", "service": "db", "reason": "image not here"}],
            "waiting": [{"reason": "locked", "service": "web", "message": "by ada"}],
        }
    },
    "system_info": {"warnings": [{"code": "unknown-field", "message": "apps.1001.port"}]},
    "reported_at": "2026-01-01T00:00:00+00:00",
}
REPORTED = (
    "reported 2 h 5 min ago",
    "",
    "APP   NAME  STATE    SERVICES  WHY",
    "1001  shop  waiting  1 of 2    db: no such image",
    "",
    "APP   SERVICE  WANTED   IS       ERROR",
    "1001  web      running  running  -",
    "1001  db       running  none     no such image",
    "2     x        gone     exited   -",
    "",
    "APP   RELEASE           PHASE        SINCE          WHY",
    "1001  f00dfeedf00dfeed  rolled-back  2 h 5 min ago  db: unhealthy",
    "2     r1                done         -              -",
    "",
    "last words of db in app 1001:",
    "  no such file",
    "",
    "APP   SERVICE  NEXT  WHY",
    "1001  db       pull  image not here",
    "1001  web      wait  locked: by ada",
    "",
    "warning: apps.1001.port (unknown-field)",
)


@pytest.fixture
def cloud(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A scripted cloud with two devices, in which somebody is logged in."""
    script = Script()
    other = device(id=18, uuid=OTHER, deviceName="pump-4", lastSeenAt=None, isActive=False)
    script.on("GET", "/api/v1/devices", {"count": 2, "devices": [device(), other]})
    script.on("GET", f"/api/v1/devices/{answers.UUID}", device())
    at = datetime.fromtimestamp(answers.before(7500) / 1000, UTC).isoformat()
    report = copy.deepcopy({**REPORT, "reported_at": at})
    report["release"]["1001"]["since"] = at
    script.on("GET", f"/api/v1/devices/{answers.UUID}/current-state", report)
    with tcp_server(script) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "t")
        yield script


def test_the_fleet_at_a_glance(iotctl: Iotctl, cloud: Script) -> None:
    said = iotctl("fleet", "devices", "list")

    assert said.out == lines(
        "ID  NAME    LINK          TARGET  HAS  AGENT  LAST SEEN      UUID",
        f"17  pump-3  online        7       6    0.1.0  2 h 5 min ago  {answers.UUID}",
        f"18  pump-4  switched off  7       6    0.1.0  never          {OTHER}",
    )


def test_a_large_fleet_comes_in_pages(iotctl: Iotctl, cloud: Script) -> None:
    first = [device(id=n) for n in range(1, 1001)]
    cloud.on(
        "GET",
        "/api/v1/devices",
        {"count": 1000, "devices": first},
        {"count": 1, "devices": [device(id=1001)]},
    )

    said = iotctl("fleet", "devices", "list", "--json")

    assert said.document["count"] == 1001
    assert [asked.query["after"] for asked in cloud.asked] == ["0", "1000"]


@pytest.mark.parametrize(
    "named", [answers.UUID, answers.UUID.upper(), "9f0c1", "9f0c1…", "pump-3", "17"]
)
def test_ways_to_name_a_device(iotctl: Iotctl, cloud: Script, named: str) -> None:
    said = iotctl("fleet", "devices", "show", named)

    assert said.code == 0
    assert said.out.startswith(f"link            online\nuuid            {answers.UUID}\n")


def test_what_a_device_reported_is_shown_with_it(iotctl: Iotctl, cloud: Script) -> None:
    assert iotctl("fleet", "devices", "show", "17").out.endswith("\n\n" + lines(*REPORTED))
    assert iotctl("fleet", "devices", "report", "17").out == lines(*REPORTED)
    document = iotctl("fleet", "devices", "report", "17", "--json").document
    assert {**document, "reported_at": None, "release": None} == {
        **REPORT,
        "reported_at": None,
        "release": None,
    }


def test_a_device_may_not_have_reported_yet(iotctl: Iotctl, cloud: Script) -> None:
    nothing = Answer(404, {"error": "Not Found", "message": "no", "code": "no-report-yet"})
    cloud.on("GET", f"/api/v1/devices/{answers.UUID}/current-state", nothing)

    said = iotctl("fleet", "devices", "show", "17")

    assert (said.code, said.out.splitlines()[-1]) == (0, "has not reported yet")
    assert iotctl("fleet", "devices", "report", "17").code == 4


def test_a_beginning_that_fits_two_is_2_and_names_them(iotctl: Iotctl, cloud: Script) -> None:
    said = iotctl("fleet", "devices", "delete", "9f0c", "--yes")

    assert said.code == 2
    assert answers.UUID in said.err
    assert OTHER in said.err
    assert [asked.method for asked in cloud.asked] == ["GET"]


@pytest.mark.parametrize("named", ["9f0", "pump", "../users"])
def test_a_device_that_is_not_there_is_4(iotctl: Iotctl, cloud: Script, named: str) -> None:
    assert iotctl("fleet", "devices", "show", named).code == 4


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        ("delete", "DELETE", "", None),
        ("deactivate", "PATCH", "/active", {"isActive": False}),
        ("reprovision", "POST", "/reprovision", {}),
    ],
)
def test_what_cannot_be_taken_back_lightly_asks_first(
    iotctl: Iotctl, cloud: Script, command: str, method: str, path: str, body: Any
) -> None:
    answer = Answer(204) if method == "DELETE" else Answer(body=device())
    cloud.on(method, f"/api/v1/devices/{answers.UUID}{path}", answer)

    assert iotctl("fleet", "devices", command, answers.UUID).code == 2
    assert cloud.asked == []
    assert iotctl("fleet", "devices", command, answers.UUID, "--yes").code == 0
    assert cloud.last.document == body


def test_rename_and_activate(iotctl: Iotctl, cloud: Script) -> None:
    path = f"/api/v1/devices/{answers.UUID}"
    cloud.on("PATCH", path, device(deviceName="new"))
    cloud.on("PATCH", f"{path}/active", device())

    assert iotctl("fleet", "devices", "rename", "17", "new").out == f"{answers.UUID}: new\n"
    assert cloud.last.document == {"deviceName": "new"}
    assert iotctl("fleet", "devices", "activate", "17").out == "pump-3: switched on\n"
    assert cloud.last.document == {"isActive": True}


KEY = {
    "id": "k1",
    "fleetId": "default-fleet",
    "description": "hall 3",
    "maxDevices": 5,
    "usedDevices": 2,
    "state": "active",
    "createdAt": "2026-01-01T00:00:00Z",
    "createdBy": "ada",
    "expiresAt": "2027-01-01T00:00:00Z",
    "revokedAt": None,
}


def test_a_key_is_shown_once_with_the_command_for_a_device(iotctl: Iotctl, cloud: Script) -> None:
    command = "iotctl provision --key-file - --api https://c --ca-pin sha256:00"
    made = {**KEY, "key": "5e5e", "command": command, "warning": "only now"}
    cloud.on("POST", "/api/v1/provisioning-keys", Answer(201, made))

    said = iotctl("fleet", "keys", "create", "-l", "hall 3", "--devices", "5")

    assert said.out.startswith("key      5e5e\n")
    assert said.err.endswith(f"  {command}\n")
    assert "5e5e" not in said.err
    assert cloud.last.document == {"maxDevices": 5, "expiresInDays": 365, "description": "hall 3"}


def test_keys_are_listed_and_revoked(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("GET", "/api/v1/provisioning-keys", {"count": 1, "keys": [KEY]})
    cloud.on("DELETE", "/api/v1/provisioning-keys/k1", {**KEY, "state": "revoked"})

    assert iotctl("fleet", "keys", "list").out == lines(
        "ID  LABEL   STATE   DEVICES  FLEET          UNTIL",
        "k1  hall 3  active  2 of 5   default-fleet  2027-01-01 00:00Z",
    )
    assert iotctl("fleet", "keys", "revoke", "k1").code == 2
    said = iotctl("fleet", "keys", "revoke", "k1", "--reason", "lost", "-y")
    assert (said.code, said.out) == (0, "k1: revoked\n")
    assert cloud.last.document == {"reason": "lost"}

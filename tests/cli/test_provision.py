from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused

KEY = "5e" * 32


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server decides when joining is done, so there is nothing to wait for."""
    monkeypatch.setattr("iotistic.cli.commands.provision._LOOK_AGAIN_S", 0.0)


def pending(**changes: object) -> Answer:
    return Answer(202, answers.unprovisioned(phase="pending", hasKey=True, **changes))


def test_the_key_is_handed_over_and_the_end_is_awaited(
    iotctl: Iotctl, agent: Script, tmp_path: Path
) -> None:
    agent.on("POST", "/v1/provision", pending())
    agent.on("GET", "/v1/provision/status", pending(), answers.provisioning())
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")

    said = iotctl(
        *("provision", KEY, "--api", "https://cloud.example.com", "--name", "pump-3"),
        *("--type", "pump", "--ca", str(ca), "--ca-pin", "sha256:00"),
    )

    assert said.code == 0
    assert "phase       provisioned\n" in said.out
    assert KEY not in said.out + said.err
    assert agent.asked[0].document == {
        "provisioningApiKey": KEY,
        "apiEndpoint": "https://cloud.example.com",
        "deviceName": "pump-3",
        "deviceType": "pump",
        "caCert": "-----BEGIN CERTIFICATE-----\n",
        "caPin": "sha256:00",
    }


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_the_key_need_not_be_in_argv(
    iotctl: Iotctl, agent: Script, tmp_path: Path, way: str
) -> None:
    agent.on("POST", "/v1/provision", Answer(202, answers.provisioning()))
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    if way == "file":
        said = iotctl("provision", "--key-file", str(file))
    else:
        said = iotctl("provision", "--key-file", "-", stdin=f"{KEY}\n")

    assert said.code == 0
    assert agent.last.document == {"provisioningApiKey": KEY}


@pytest.mark.parametrize(
    "arguments",
    [
        ["provision"],
        ["provision", "--key-file", "/nowhere"],
        ["provision", KEY, "--key-file", "-"],
        ["provision", "--key-file", "-"],
        ["provision", "a" * 600],
    ],
)
def test_without_a_usable_key_nothing_is_sent(
    iotctl: Iotctl, agent: Script, arguments: list[str]
) -> None:
    assert iotctl(*arguments).code == 2
    assert agent.asked == []


def test_a_refused_key_is_5_with_the_cloud_s_reason(iotctl: Iotctl, agent: Script) -> None:
    error = answers.error("invalid-provisioning-key", "Invalid provisioning key", "ask for one")
    agent.on("POST", "/v1/provision", pending())
    agent.on(
        "GET",
        "/v1/provision/status",
        answers.unprovisioned(error=error, final=True, attempts=1),
    )

    said = iotctl("provision", KEY)

    assert said.code == 5
    assert said.err == "iotctl: not provisioned: Invalid provisioning key\n  next: ask for one\n"


def test_a_cloud_that_is_away_is_6_and_the_agent_goes_on(iotctl: Iotctl, agent: Script) -> None:
    error = answers.error("cloud-unavailable", "no connection", None)
    agent.on("POST", "/v1/provision", pending())
    agent.on("GET", "/v1/provision/status", pending(error=error, attempts=1, retryInMs=2000))

    said = iotctl("provision", KEY, "--timeout", "0.2")

    assert said.code == 6
    assert "tries again  in 2 s" in said.out
    assert said.err.count("not yet: no connection") == 1
    assert "goes on" in said.err


def test_an_error_that_stays_is_said_to(iotctl: Iotctl, agent: Script) -> None:
    error = answers.error("pin-mismatch", "no such certificate", None)
    found = pending(error=error, attempts=1, retryInMs=2000, final=True)
    agent.on("GET", "/v1/provision/status", found)

    assert "in 2 s, in vain until somebody acts\n" in iotctl("provision", "status").out


def test_already_joined_is_5_and_says_the_way_out(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/provision", refused(409, "already-provisioned", "it has a cloud"))

    said = iotctl("provision", KEY)

    assert said.code == 5
    assert "iotctl deprovision" in said.err


def test_status_of_joining(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/provision/status", answers.unprovisioned())

    said = iotctl("provision", "status")

    assert said.code == 0
    assert said.out.startswith("phase  new\n")
    assert said.out.endswith("next: iotctl provision --key-file FILE --api URL\n")


def test_leaving_asks_first(iotctl: Iotctl, agent: Script) -> None:
    agent.on(
        "POST",
        "/v1/deprovision",
        {"status": "deprovisioned", "uuid": answers.UUID, "cloudTold": False},
    )

    assert iotctl("deprovision").code == 2
    assert agent.asked == []
    said = iotctl("deprovision", "--yes")
    assert (said.code, said.out) == (0, "left the cloud\n")
    assert "tells it later" in said.err

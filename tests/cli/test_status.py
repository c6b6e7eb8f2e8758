"""What a technician sees: whole screens."""

from __future__ import annotations

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def test_a_device_that_is_well(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/status", answers.status())

    said = iotctl("status")

    assert said.code == 0
    assert said.out == lines(
        "device       pump-3 (edge-gateway)",
        f"uuid         {answers.UUID}",
        "provisioned  yes, as device 17",
        "cloud        online for 2 h, https://cloud.example.com",
        "engine       docker 20.10.24",
        "target       version 7, reached 1 min 30 s ago",
        "agent        0.1.0, up 1 h 2 min, pid 4711",
        "",
        "APP   NAME  STATE    SERVICES  WHY",
        "1001  shop  settled  2 of 2    -",
    )
    assert said.err == ""


def test_a_new_device_is_told_how_to_join(iotctl: Iotctl, agent: Script) -> None:
    agent.on(
        "GET",
        "/v1/status",
        answers.status(
            device=answers.device(provisioned=False, apiEndpoint=None, deviceId=None),
            provisioning=answers.unprovisioned(),
            cloud=None,
            target=None,
            apps=[],
        ),
    )

    said = iotctl("status")

    assert said.out.endswith(
        lines(
            "provisioned  not provisioned",
            "cloud        none",
            "engine       docker 20.10.24",
            "target       none yet",
            "agent        0.1.0, up 1 h 2 min, pid 4711",
            "",
            "no apps",
            "",
            "next: iotctl provision --key-file FILE --api URL",
        )
    )


def test_a_device_in_trouble_says_what_to_do(iotctl: Iotctl, agent: Script) -> None:
    cloud = {
        "state": "offline",
        "since": answers.before(600),
        "lastContactAt": answers.before(720),
        "error": answers.error("tls-failed", "no TLS with it", "set the clock"),
        "channels": [],
    }
    target = {
        "version": 7,
        "receivedAt": None,
        "appliedAt": None,
        "offeredVersion": 8,
        "refusal": answers.error("invalid-field", "apps.1: expected a name", None),
    }
    agent.on(
        "GET",
        "/v1/status",
        answers.status(
            cloud=cloud,
            target=target,
            engine={
                "kind": "docker",
                "available": False,
                "version": None,
                "error": answers.error("engine-unavailable", "no socket"),
            },
            settled=False,
            apps=[answers.verdict(verdict="degraded", reason="web ended", servicesSettled=1)],
            warnings=[answers.error("disk-almost-full", "4 % left", "make room")],
        ),
    )

    said = iotctl("status")

    assert said.code == 0
    assert (
        lines(
            "cloud        offline for 10 min, https://cloud.example.com, last heard 12 min ago: "
            "no TLS with it",
            "engine       docker: no socket",
            "target       version 7; version 8 was rejected: apps.1: expected a name",
        )
        in said.out
    )
    assert said.out.endswith(
        lines(
            "APP   NAME  STATE     SERVICES  WHY",
            "1001  shop  degraded  1 of 2    web ended",
            "",
            "warning: 4 % left (disk-almost-full)",
            "",
            "next: start the container engine, then iotctl diagnostics",
            "next: set the clock",
            "next: correct the target: iotctl fleet target edit",
            "next: make room",
        )
    )


def test_json_is_what_the_agent_said_byte_for_byte(iotctl: Iotctl, agent: Script) -> None:
    body = b'{"b": 1.50,\n "a":"\\u00e4", "unknown": {"x": 12345678901234567890}}'
    agent.on("GET", "/v1/status", Answer(body=body))

    assert iotctl("status", "--json").out == body.decode() + "\n"
    assert iotctl("--json", "status").out == body.decode() + "\n"

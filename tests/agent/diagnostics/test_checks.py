"""Each check tells of its fault, on a device that has it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotistic.agent.diagnostics.check import Check, CheckVerdict, Finding, ok
from iotistic.agent.diagnostics.doctor import Doctor
from iotistic.agent.diagnostics.registry import CHECKS
from iotistic.agent.host import runtime_dir
from iotistic.agent.outbox import ClassLedger
from iotistic.agent.store.records import CloudLink, ProvisioningPhase
from iotistic.model.records import RecordClass
from iotistic.model.secret import Secret
from iotistic.model.words import Dialect
from tests.agent.api.builders import Box, device, service, target
from tests.agent.certificates import authority, server_context

BY_ID = {check.id: check for check in CHECKS}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    async with device(folder) as found:
        yield found


async def found(box: Box, check_id: str) -> Finding:
    return await BY_ID[check_id].run(box.rooms)


async def in_cloud(box: Box, endpoint: str, ca: str | None = None) -> None:
    link = CloudLink(
        endpoint=endpoint,
        dialect=Dialect.V2,
        device_id="17",
        api_key=Secret("k" * 32),
        ca_cert=ca,
    )
    identity = replace(box.store.identity, cloud=link, phase=ProvisioningPhase.PROVISIONED)
    await box.store.save_identity(identity)


def test_every_check_has_an_id_of_its_own_and_a_title() -> None:
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    assert all(check.title for check in CHECKS)
    assert {
        "identity", "database", "disk", "memory", "clock", "dns", "cloud", "tls", "credentials",
        "mqtt", "engine", "ports", "permissions", "runtime-dir", "watchdog", "outbox", "services",
    } <= set(ids)  # fmt: skip


async def test_without_a_cloud_there_is_nothing_to_be_checked_of_one(box: Box) -> None:
    for check_id in ("credentials", "dns", "tls", "cloud", "mqtt"):
        assert (await found(box, check_id)).verdict is CheckVerdict.SKIPPED


async def test_a_name_that_means_nothing_is_told_with_who_was_asked(box: Box) -> None:
    await in_cloud(box, "https://no-such-cloud.invalid/api")
    finding = await found(box, "dns")
    assert finding.verdict is CheckVerdict.FAILED
    assert "no-such-cloud.invalid" in finding.message
    assert finding.remedy
    assert "servers" in finding.evidence


async def test_a_name_of_this_machine_is_found(box: Box) -> None:
    await in_cloud(box, "https://localhost:1/api")
    assert (await found(box, "dns")).verdict is CheckVerdict.OK


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"


@pytest.mark.parametrize(
    ("days", "verdict"), [(2.0, CheckVerdict.WARNING), (29.0, CheckVerdict.OK)]
)
async def test_a_certificate_that_ends_soon_is_warned_of(
    box: Box, tmp_path: Path, days: float, verdict: CheckVerdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box.rooms.clock, "wall_ms", lambda: time.time_ns() // 1_000_000)
    ours = authority()
    async with tls_server(server_context(tmp_path, ours, valid_days=days)) as endpoint:
        await in_cloud(box, endpoint, ours.pem)
        finding = await found(box, "tls")
    assert finding.verdict is verdict, finding
    assert finding.evidence["subject"] == "test"
    assert "days_left" in finding.evidence


@pytest.mark.parametrize(
    ("options", "ca", "said"),
    [
        ({"valid_from_days": -9.0, "valid_days": 2.0}, "one", "expired"),
        ({}, "another", "not trusted"),
    ],
)
async def test_a_certificate_that_is_not_trusted_is_told_as_the_agent_sees_it(
    box: Box, tmp_path: Path, options: Any, ca: str, said: str
) -> None:
    async with tls_server(server_context(tmp_path, authority("one"), **options)) as endpoint:
        await in_cloud(box, endpoint, authority(ca).pem)
        finding = await found(box, "tls")
    assert finding.verdict is CheckVerdict.FAILED
    assert said in finding.message


async def test_a_port_that_somebody_else_holds_is_named_with_its_holder(box: Box) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        await box.engine.outside.go_down()  # nothing is started, so nothing of ours holds it
        await box.given_target(target(service("web", "1", ports=[f"{port}:80"])), settled=False)
        finding = await found(box, "ports")
    assert finding.verdict is CheckVerdict.FAILED
    assert f"{port}/tcp for web: held by" in finding.message


async def test_a_runtime_dir_on_a_disk_fails_only_who_has_secrets(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_dir, "_MOUNTS", tmp_path / "no mountinfo")
    assert (await found(box, "runtime-dir")).verdict is CheckVerdict.WARNING

    wanted = target(service("web", "1", secrets=["pin"]))
    wanted["apps"]["1001"]["secrets"] = {"pin": {"value": "1234"}}
    await box.given_target(wanted)

    finding = await found(box, "runtime-dir")
    assert finding.verdict is CheckVerdict.FAILED
    assert finding.remedy is not None
    assert "RUNTIME_DIR" in finding.remedy


@pytest.mark.parametrize(
    ("socket_path", "limit", "verdict"),
    [
        ("", "", CheckVerdict.SKIPPED),
        ("/run/x", "", CheckVerdict.WARNING),
        ("/run/x", "30000000", CheckVerdict.OK),
    ],
)
async def test_who_watches_the_agent_is_told(
    box: Box, monkeypatch: pytest.MonkeyPatch, socket_path: str, limit: str, verdict: CheckVerdict
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", socket_path)
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert (await found(box, "watchdog")).verdict is verdict


async def test_an_account_that_does_not_add_up_is_a_failure(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await found(box, "outbox")).verdict is CheckVerdict.OK
    lost = {RecordClass.EVENT: ClassLedger(written=5, acknowledged=3, waiting=1)}
    monkeypatch.setattr(box.rooms.outbox, "ledger", lambda: lost)
    finding = await found(box, "outbox")
    assert finding.verdict is CheckVerdict.FAILED
    assert "event" in finding.message


async def test_an_engine_that_is_away_fails_by_its_own_error(box: Box) -> None:
    await box.engine.outside.go_down()
    document = await Doctor(box.rooms).examine()
    (engine,) = [check for check in document["checks"] if check["id"] == "engine"]
    assert (engine["verdict"], engine["evidence"]) == ("failed", {"code": "engine-unavailable"})
    assert document["healthy"] is False


async def hang(_: Any) -> Finding:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def broken(_: Any) -> Finding:
    raise LookupError("secret text of a bug")


async def fine(_: Any) -> Finding:
    return ok("fine", value=1)


@pytest.mark.parametrize(
    ("run", "said"), [(hang, "no answer within"), (broken, "itself failed: LookupError")]
)
async def test_a_check_that_hangs_or_breaks_fails_alone(
    box: Box, run: Callable[[Any], Any], said: str
) -> None:
    checks = [
        Check(id="bad", title="bad", run=run, timeout_s=0.05),
        Check(id="good", title="good", run=fine),
    ]
    bad, good = (await Doctor(box.rooms, checks=checks).examine())["checks"]
    assert bad["verdict"] == "failed"
    assert said in bad["message"]
    assert "secret" not in bad["message"]
    assert (good["verdict"], good["evidence"]) == ("ok", {"value": 1})

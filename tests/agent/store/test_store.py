"""What is stored is there after a restart, and readable by hand but for its secrets."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from iotistic.agent.store.records import ProvisioningPhase
from iotistic.agent.store.store import Store
from iotistic.planner.world import Attempt, Intent, IntentKind, StepKind, Subject
from tests.agent.store.builders import (
    SECRET_WORDS,
    BootClock,
    crypto,
    database_in,
    no_crypto,
    opened,
    provisioned,
    target,
)

WEB = Subject(app_id=1001, kind="service", name="1")
DB = Subject(app_id=1001, kind="service", name="2")


def attempt(
    subject: Subject = WEB, step: StepKind = StepKind.PULL, at_s: float = 1030.0
) -> Attempt:
    return Attempt(
        subject=subject, step=step, count=2, not_before_s=at_s, purpose="p", code="c", message="m"
    )


def stop(service_id: str = "1", *, purpose: str = "", seen_start: str | None = None) -> Intent:
    return Intent(
        kind=IntentKind.STOP,
        app_id=1001,
        service_id=service_id,
        purpose=purpose,
        seen_start=seen_start,
        at_ms=5,
    )


async def test_a_first_start_makes_a_device_and_a_second_finds_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = store.identity
        assert first.phase is ProvisioningPhase.NEW
        assert not store.database_was_missing
        assert store.findings == ()
    async with opened(tmp_path) as store:
        assert store.identity == first
        assert not store.database_was_missing
        assert store.findings == ()


async def test_an_identity_is_back_to_the_letter(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        saved = provisioned(store.identity)
        await store.save_identity(saved)
        assert store.identity == saved
    async with opened(tmp_path) as store:
        assert store.identity == saved
        assert store.identity.cloud is not None
        assert store.identity.cloud.api_key.reveal() == "api-key-17"


async def test_a_target_is_back_to_the_letter(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.target() is None
        await store.save_target(target())
        await store.mark_applied("of another target", 6)
        assert await store.target() == target()
        await store.mark_applied(target().state_hash, 7)
        assert await store.target() == replace(target(), applied_at_ms=7)
    async with opened(tmp_path) as store:
        assert await store.target() == replace(target(), applied_at_ms=7)
        await store.save_target(target(2, "web:2"))
        assert await store.target() == target(2, "web:2")


async def test_a_target_under_a_wrong_hash_is_our_mistake(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(ValueError, match="state_hash"):
            await store.save_target(replace(target(), state_hash="0" * 64))


async def test_attempts_are_kept_by_subject_and_step(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.save_attempt(attempt())
        await store.save_attempt(replace(attempt(), count=3))
        await store.save_attempt(attempt(step=StepKind.START))
        await store.save_attempt(attempt(DB))
    async with opened(tmp_path) as store:
        assert await store.attempts() == (
            replace(attempt(), count=3),
            attempt(step=StepKind.START),
            attempt(DB),
        )
        await store.clear_attempts(WEB, StepKind.START)
        assert await store.attempts() == (replace(attempt(), count=3), attempt(DB))
        await store.clear_attempts(WEB)
        assert await store.attempts() == (attempt(DB),)


async def test_after_a_reboot_a_deadline_is_its_remaining_span_and_stays_where_it_is(
    tmp_path: Path,
) -> None:
    clock = BootClock("boot-1", now_s=1000.0)
    async with opened(tmp_path, clock) as store:
        await store.save_attempt(attempt(at_s=1030.0))
    rebooted = BootClock("boot-2", now_s=5.0)
    async with opened(tmp_path, rebooted) as store:
        assert [found.not_before_s for found in await store.attempts()] == [35.0]
        await rebooted.sleep(10.0)
        assert [found.not_before_s for found in await store.attempts()] == [35.0]
    async with opened(tmp_path, rebooted) as store:
        assert [found.not_before_s for found in await store.attempts()] == [35.0]


async def test_intents_come_oldest_first_and_a_new_wish_takes_the_old_ones_place(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.save_intent(stop("1"))
        await store.save_intent(stop("2"))
        await store.save_intent(stop("1", purpose="again"))
    async with opened(tmp_path) as store:
        assert await store.intents() == (stop("2"), stop("1", purpose="again"))


async def test_a_fulfilled_wish_does_not_take_a_newer_one_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        old, new = stop(seen_start="a"), stop(seen_start="b")
        await store.save_intent(old)
        await store.save_intent(new)
        await store.remove_intent(old)
        assert await store.intents() == (new,)
        await store.remove_intent(new)
        assert await store.intents() == ()


async def test_settings(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.change_settings({"LOG_LEVEL": "debug"})
        await store.change_settings({"POLL_INTERVAL_MS": "1000"})
        await store.change_settings({"LOG_LEVEL": "info"})
        await store.change_settings({"POLL_INTERVAL_MS": None})
    async with opened(tmp_path) as store:
        assert await store.settings() == {"LOG_LEVEL": "info"}


async def test_nothing_secret_stands_in_the_clear_in_database_log_copy_or_backup(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        await store.backup(tmp_path / "backup.sqlite")
        for file in (*database_in(tmp_path).parent.iterdir(), tmp_path / "backup.sqlite"):
            if file.name != "identity.json":
                content = file.read_bytes().decode("latin-1")
                assert [word for word in SECRET_WORDS if word in content] == [], file.name


async def test_every_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path) as store:
            await store.save_target(target())
            await store.backup(tmp_path / "data" / "backup.sqlite")
            folder = database_in(tmp_path).parent
            modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
            assert set(modes.values()) == {0o600}, modes
            assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


async def test_files_that_were_copied_with_loose_rights_are_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.save_target(target())
    folder = database_in(tmp_path).parent
    for file in folder.iterdir():
        file.chmod(0o644)
    async with opened(tmp_path) as store:
        await store.target()
        for name in ("identity.json", "database.key", "device.sqlite", "target-last-good.json"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600, name


async def test_the_plain_queries_of_the_documentation_work_on_the_live_file(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.save_identity(provisioned(store.identity))
        await store.save_target(target())
        with sqlite3.connect(database_in(tmp_path)) as reader:
            reader.row_factory = sqlite3.Row
            (device,) = reader.execute("SELECT * FROM device").fetchall()
            (state,) = reader.execute("SELECT * FROM target_state").fetchall()
            image = reader.execute(
                "SELECT json_extract(apps, '$.1001.services[0].imageName') FROM target_state"
            ).fetchone()[0]
            reader.execute("SELECT * FROM device_sensors")
            reader.execute("SELECT * FROM anomaly_detections ORDER BY timestamp DESC LIMIT 10")
        reader.close()
        assert device["uuid"] == store.identity.uuid
        assert device["deviceId"] == "17"
        assert device["deviceName"] == "Pump 3"
        assert device["provisioned"] == 1
        assert device["apiEndpoint"] == "https://cloud.test"
        assert device["apiKey"].startswith("v1:")
        assert device["mqttPassword"].startswith("v1:")
        assert state["version"] == 1
        assert state["state_hash"] == target().state_hash
        assert image == "web:1"


async def test_an_open_reader_does_not_hinder_writing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        reader = sqlite3.connect(database_in(tmp_path), isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM setting").fetchall()
        await store.change_settings({"A": "1"})
        assert reader.execute("SELECT count(*) FROM setting").fetchone()[0] == 0
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM setting").fetchone()[0] == 1
        reader.close()


async def test_a_cancelled_save_of_an_identity_is_finished(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        saved = provisioned(store.identity)
        task = asyncio.create_task(store.save_identity(saved))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with opened(tmp_path) as store:
        assert store.identity == saved
        assert store.findings == ()


async def test_an_identity_is_saved_even_when_no_child_process_can_be_had(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        saved = provisioned(store.identity)
    path = database_in(tmp_path)
    async with Store.open(path, BootClock(), crypto=no_crypto, machine="") as store:
        await store.save_identity(saved)
        assert store.identity == saved
    async with Store.open(path, BootClock(), crypto=no_crypto, machine="") as store:
        assert store.identity == saved
        assert [finding.code for finding in store.findings] == ["identity-copy-stale"]
    async with Store.open(path, BootClock(), crypto=crypto, machine="") as store:
        assert store.identity == saved
    async with Store.open(path, BootClock(), crypto=no_crypto, machine="") as store:
        assert store.findings == ()


async def test_another_uuid_is_another_device_with_nothing_of_the_old_ones(tmp_path: Path) -> None:
    """How a cloned card becomes a device of its own; settings stay, as they are this place's."""
    async with opened(tmp_path) as store:
        await store.save_target(target())
        await store.save_intent(stop())
        await store.change_settings({"LOG_LEVEL": "debug"})
        renewed = replace(store.identity, uuid="11111111-2222-4333-8444-555555555555")
        await store.save_identity(renewed)
        assert await store.target() is None
        assert await store.intents() == ()
    async with opened(tmp_path) as store:
        assert store.identity == renewed
        assert store.findings == ()
        assert await store.target() is None
        assert await store.settings() == {"LOG_LEVEL": "debug"}


@pytest.mark.system
async def test_with_real_child_processes_and_another_program_that_reads(tmp_path: Path) -> None:
    path = database_in(tmp_path)
    async with Store.open(path, BootClock()) as store:
        saved = provisioned(store.identity)
        await store.save_identity(saved)
        await store.save_target(target())
    async with Store.open(path, BootClock()) as store:
        assert store.identity == saved
        assert await store.target() == target()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sqlite3, sys;"
            "print(sqlite3.connect(sys.argv[1]).execute('SELECT uuid FROM device').fetchone()[0])",
            str(path),
            stdout=subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert output.decode().strip() == saved.uuid

"""What can be put right: told before, done when asked, harmless when done twice."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iotistic.agent.diagnostics.doctor import Doctor
from iotistic.engines.simulated import Fault
from iotistic.model.errors import NotFound
from tests.agent.api.builders import Box, Served, device, service, serving, target


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    async with device(folder) as found:
        yield found


async def offered(box: Box) -> dict[str, list[str]]:
    return {fix["id"]: fix["will"] for fix in await Doctor(box.rooms).fixes()}


async def test_rights_that_are_too_wide_are_taken_away(box: Box) -> None:
    identity = box.folder / "identity.json"
    identity.chmod(0o644)
    box.folder.chmod(0o770)
    will = (await offered(box))["permissions"]
    assert will == [f"chmod 0750 {box.folder}", f"chmod 0600 {identity}"]
    assert stat.S_IMODE(identity.stat().st_mode) == 0o644, "telling changes nothing"

    done = await Doctor(box.rooms).mend("permissions")

    assert done["done"] == will
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    assert "permissions" not in await offered(box)
    assert (await Doctor(box.rooms).mend("permissions"))["done"] == []


async def test_a_link_in_the_place_of_a_file_leads_to_no_change_elsewhere(
    box: Box, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    elsewhere.chmod(0o644)
    (box.folder / "api-token").unlink(missing_ok=True)
    (box.folder / "api-token").symlink_to(elsewhere)
    await Doctor(box.rooms).mend("permissions")
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


async def test_only_old_left_over_files_are_removed(box: Box) -> None:
    old, young, other = (
        box.folder / name for name in (".identity.json.tmp", ".api.json.tmp", "notes.tmp")
    )
    now_s = box.rooms.clock.wall_ms() / 1000
    for path, age_s in ((old, 7200), (young, 1), (other, 7200)):
        path.write_text("half")
        os.utime(path, (now_s - age_s, now_s - age_s))
    assert (await offered(box))["left-over-files"] == [f"remove {old}"]

    await Doctor(box.rooms).mend("left-over-files")

    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


async def test_the_folder_in_memory_is_made_where_a_service_needs_it(box: Box) -> None:
    folder = box.folder / "run" / box.uuid
    assert "runtime-dir" not in await offered(box)
    wanted = target(service("web", "1", secrets=["pin"]))
    wanted["apps"]["1001"]["secrets"] = {"pin": {"value": "1234"}}
    await box.given_target(wanted)
    shutil.rmtree(folder)
    assert (await offered(box))["runtime-dir"] == [f"mkdir -m 0700 -p {folder}"]

    await Doctor(box.rooms).mend("runtime-dir")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "runtime-dir" not in await offered(box)


async def test_a_database_full_of_nothing_is_made_small(box: Box) -> None:
    assert "compact-database" not in await offered(box)
    bulky = service("web", "1", environment={f"A{i}": "x" * 30_000 for i in range(100)})
    await box.given_target(target(bulky))
    await box.given_target(target(service("web", "1"), version=2))
    before = await box.store.bulk()
    assert before.is_worth_it, before
    assert "compact-database" in await offered(box)

    await Doctor(box.rooms).mend("compact-database")

    after = await box.store.bulk()
    assert after.file_bytes < before.file_bytes
    assert not after.is_worth_it
    held = await box.store.target()
    assert held is not None
    assert held.version == 2


async def test_what_waits_after_failures_is_tried_at_once(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.engine.faults.order(Fault(call="pull", code="image-not-found", times=None))
    await box.given_target(target(service("web", "1", image="gone:1")), settled=False)
    await box.until(lambda: bool(box.reconciler.snapshot().attempts))
    failed = box.reconciler.snapshot().attempts[0]
    # As it is in the instant after the failure: the clock of this device runs fast.
    monkeypatch.setattr(box.rooms.clock, "now_s", lambda: failed.not_before_s - 1)
    (line,) = (await offered(box))["forget-backoffs"]
    monkeypatch.undo()
    assert "image-not-found" in line
    box.engine.faults.clear()

    await Doctor(box.rooms).mend("forget-backoffs")

    await box.until(lambda: bool(box.reconciler.snapshot().containers))


async def test_an_unknown_fix_is_refused_with_those_that_are_known(box: Box) -> None:
    with pytest.raises(NotFound, match="forget-backoffs"):
        await Doctor(box.rooms).mend("format-the-disk")


@pytest.fixture
async def api(box: Box) -> AsyncIterator[Served]:
    async with serving(box) as found:
        yield found


async def test_a_fix_is_done_over_the_device_api(api: Served) -> None:
    (api.box.folder / "identity.json").chmod(0o644)
    found = await api.unix.ok("/v1/diagnostics")
    assert "permissions" in [fix["id"] for fix in found["fixes"]]
    status, body = await api.unix.post("/v1/diagnostics/fix", {"id": "permissions"})
    assert (status, body["id"]) == (200, "permissions")
    status, body = await api.unix.post("/v1/diagnostics/fix", {"id": "nothing"})
    assert (status, body["code"]) == (404, "fix-not-found")
    status, body = await api.unix.post("/v1/diagnostics/fix", {})
    assert status == 400

"""A copy of the database, out and in."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from tests.agent.api.builders import Box, Served, service, serving, target


async def backup(api: Served) -> bytes:
    async with api.tcp.session.get(f"{api.tcp.base}/v1/db/backup") as response:
        assert response.status == 200
        assert response.content_type == "application/vnd.sqlite3"
        content = await response.read()
        assert response.headers["X-Content-SHA256"] == hashlib.sha256(content).hexdigest()
        assert response.content_length == len(content)
    return content


async def restore(api: Served, content: bytes, checksum: str | None = None) -> tuple[int, Any]:
    return await api.tcp.post(
        "/v1/db/restore",
        data=content,
        headers={
            "Content-Type": "application/vnd.sqlite3",
            "X-Content-SHA256": checksum or hashlib.sha256(content).hexdigest(),
        },
    )


def names(box: Box) -> list[str]:
    return [path.name for path in box.folder.iterdir()]


def left_over(box: Box) -> list[str]:
    return [name for name in names(box) if name.startswith(".api-")]


async def test_a_backup_is_a_whole_database(api: Served, tmp_path: Path) -> None:
    await api.box.given_target(target(service("web", "1")))
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(await backup(api))
    with sqlite3.connect(copy) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM target_state").fetchone()[0] >= 1
    database.close()
    await api.box.until(lambda: left_over(api.box) == [])


async def test_what_was_saved_comes_back(box: Box) -> None:
    async with serving(box) as api:
        await box.store.change_settings({"POLL_INTERVAL_MS": "7000"})
        saved = await backup(api)
        await box.store.change_settings({"POLL_INTERVAL_MS": "9000"})

        status, body = await restore(api, saved)

        assert (status, body["status"]) == (202, "restarting")
        assert Path(body["quarantined"]).name in names(box)
        assert box.agent.restarts == 1
        assert await box.store.settings() == {"POLL_INTERVAL_MS": "7000"}
        assert left_over(box) == []


async def test_what_is_no_database_of_this_device_changes_nothing(api: Served) -> None:
    await api.box.store.change_settings({"POLL_INTERVAL_MS": "7000"})
    saved = await backup(api)
    for content in (b"", b"no database", saved[: len(saved) // 2]):
        status, body = await restore(api, content)
        assert status == 409, content[:20]
        assert body["code"] == "database-unusable"
    status, body = await restore(api, saved, "0" * 64)
    assert (status, body["code"]) == (400, "invalid-field")
    status, body = await restore(api, saved, "nonsense")
    assert (status, body["code"]) == (400, "invalid-field")
    assert await api.box.store.settings() == {"POLL_INTERVAL_MS": "7000"}
    assert api.box.agent.restarts == 0
    assert left_over(api.box) == []

"""What is forgotten, and what is not."""

from __future__ import annotations

import pytest

from iotistic.cloud import audit
from tests.cloud.running import PASSWORD, ManualClock, Running


async def test_only_what_has_expired_is_forgotten(cloud: Running, clock: ManualClock) -> None:
    login = {"username": "admin", "password": PASSWORD}
    token = (await cloud.ok("POST", "/api/v1/auth/login", login))["token"]
    for _ in range(10):
        await cloud.ask("POST", "/api/v1/auth/login", login | {"password": "wrong"})

    await cloud.cloud.housekeeping.once()

    assert (await cloud.ask("GET", "/api/v1/auth/me", who=token)).status_code == 200
    assert (await cloud.ask("POST", "/api/v1/auth/login", login)).status_code == 429
    clock.advance(days=8)
    await cloud.cloud.housekeeping.once()
    assert (await cloud.ask("GET", "/api/v1/auth/me", who=token)).status_code == 401
    assert (await cloud.ask("POST", "/api/v1/auth/login", login)).status_code == 200


async def test_the_audit_log_keeps_its_newest_entries(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "ENTRIES_KEPT", 2)
    for number in range(4):
        await cloud.new_key(description=str(number))

    await cloud.cloud.housekeeping.once()

    kept = await cloud.ok("GET", "/api/v1/audit", who="admin")
    assert [entry["id"] for entry in kept["entries"]] == [4, 3]

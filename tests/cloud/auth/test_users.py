"""The people who may log in."""

from __future__ import annotations

from tests.cloud.running import PASSWORD, Running

USERS = "/api/v1/users"
NEW = {"username": "ada", "password": PASSWORD, "role": "operator"}


async def test_an_administrator_adds_changes_and_removes_people(cloud: Running) -> None:
    made = await cloud.ok("POST", USERS, NEW, who="admin")
    login = {"username": "ada", "password": PASSWORD}
    token = (await cloud.ok("POST", "/api/v1/auth/login", login))["token"]
    assert (await cloud.ask("GET", "/api/v1/devices", who=token)).status_code == 200
    assert [user["username"] for user in (await cloud.ok("GET", USERS, who="admin"))["users"]] == [
        "ada",
        "admin",
        "operator",
        "viewer",
    ]

    path = f"{USERS}/{made['id']}"
    assert (await cloud.ok("PATCH", path, {"role": "viewer"}, who="admin"))["role"] == "viewer"
    assert (await cloud.ask("POST", "/api/v1/provisioning-keys", {}, who=token)).status_code == 403
    await cloud.ok("PATCH", path, {"isActive": False}, who="admin")
    assert (await cloud.ask("GET", "/api/v1/devices", who=token)).status_code == 401
    assert (await cloud.ask("POST", "/api/v1/auth/login", login)).status_code == 401
    assert (await cloud.ask("DELETE", path, who="admin")).status_code == 204
    assert (await cloud.ask("GET", path, who="admin")).status_code == 404


async def test_a_name_is_given_once(cloud: Running) -> None:
    await cloud.ok("POST", USERS, NEW, who="admin")

    reply = await cloud.ask("POST", USERS, NEW, who="admin")

    assert (reply.status_code, reply.json()["code"]) == (409, "user-exists")


async def test_the_last_administrator_stays(cloud: Running) -> None:
    for attempt in (
        cloud.ask("DELETE", f"{USERS}/3", who="admin"),
        cloud.ask("PATCH", f"{USERS}/3", {"role": "viewer"}, who="admin"),
        cloud.ask("PATCH", f"{USERS}/3", {"isActive": False}, who="admin"),
    ):
        reply = await attempt
        assert (reply.status_code, reply.json()["code"]) == (409, "last-admin")
    assert (await cloud.ok("GET", f"{USERS}/3", who="admin"))["role"] == "admin"


async def test_roles_and_names_are_checked(cloud: Running) -> None:
    for change, path in (
        ({"role": "owner"}, "role"),
        ({"role": "device"}, "role"),
        ({"role": ["admin"]}, "role"),
        ({"username": "two words"}, "username"),
        ({"username": "x" * 65}, "username"),
    ):
        reply = await cloud.ask("POST", USERS, NEW | change, who="admin")
        assert (reply.status_code, reply.json()["details"]["path"]) == (400, path)


async def test_what_was_done_is_in_the_audit_log(cloud: Running) -> None:
    made = await cloud.ok("POST", USERS, NEW, who="admin", address="192.0.2.7")
    await cloud.ok("DELETE", f"{USERS}/{made['id']}", who="admin")

    entries = (await cloud.ok("GET", "/api/v1/audit?limit=2", who="admin"))["entries"]

    assert [entry["action"] for entry in entries] == ["user-removed", "user-added"]
    assert entries[1]["actor"] == "user:admin"
    assert entries[1]["address"] == "192.0.2.7"
    older = await cloud.ok("GET", f"/api/v1/audit?before={entries[1]['id']}", who="admin")
    assert older["count"] == 0

"""Who may call what: every route, every kind of caller."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.running import OTHER_UUID, UUID, Running

PUBLIC, DEVICE, EITHER = "public", "device", "device or viewer"
VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"

ROUTES = {
    "GET /health": PUBLIC,
    "GET /api/health": PUBLIC,
    "GET /ready": PUBLIC,
    "GET /api/ready": PUBLIC,
    "GET /api/schema": PUBLIC,
    "GET /api/schema/openapi.json": PUBLIC,
    "GET /api/schema/{path}": PUBLIC,
    "POST /api/v1/auth/login": PUBLIC,
    "POST /api/v1/auth/setup": PUBLIC,
    "POST /api/provisioning/v2/key-exchange": PUBLIC,
    "POST /api/provisioning/v2/register": PUBLIC,
    "POST /api/v1/device/register": PUBLIC,
    "POST /api/v1/device/{uuid}/key-exchange": DEVICE,
    "GET /api/v1/device/{uuid}/state": DEVICE,
    "PATCH /api/v1/device/state": DEVICE,
    "POST /api/v1/device/{uuid}/deprovision": DEVICE,
    "POST /api/v1/device/{uuid}/records": DEVICE,
    "POST /api/v1/device/{uuid}/logs": DEVICE,
    "POST /api/v1/device/{uuid}/logs/dropped-summaries": DEVICE,
    "POST /api/v1/auth/logout": VIEWER,
    "GET /api/v1/auth/me": VIEWER,
    "POST /api/v1/auth/change-password": VIEWER,
    "GET /api/v1/devices": VIEWER,
    "GET /api/v1/devices/{uuid}": EITHER,
    "GET /api/v1/devices/{uuid}/current-state": VIEWER,
    "GET /api/v1/devices/{uuid}/logs": VIEWER,
    "GET /api/v1/devices/{uuid}/logs/services": VIEWER,
    "GET /api/v1/devices/{uuid}/metrics": VIEWER,
    "GET /api/v1/devices/{uuid}/events": VIEWER,
    "GET /api/v1/devices/{uuid}/records/gaps": VIEWER,
    "GET /api/v1/devices/{uuid}/target-state": VIEWER,
    "GET /api/v1/devices/{uuid}/target-state/history": VIEWER,
    "GET /api/v1/devices/{uuid}/target-state/history/{version}": VIEWER,
    "GET /api/v1/devices/{uuid}/deployment-status": VIEWER,
    "GET /api/v1/provisioning-keys": VIEWER,
    "PATCH /api/v1/devices/{uuid}": OPERATOR,
    "PATCH /api/v1/devices/{uuid}/active": OPERATOR,
    "DELETE /api/v1/devices/{uuid}": OPERATOR,
    "POST /api/v1/devices/{uuid}/reprovision": OPERATOR,
    "PUT /api/v1/devices/{uuid}/target-state": OPERATOR,
    "POST /api/v1/devices/{uuid}/deploy": OPERATOR,
    "POST /api/v1/devices/{uuid}/deploy/cancel": OPERATOR,
    "POST /api/v1/devices/{uuid}/target-state/rollback": OPERATOR,
    "POST /api/v1/provisioning-keys": OPERATOR,
    "POST /api/v1/provisioning-keys/generate": OPERATOR,
    "DELETE /api/v1/provisioning-keys/{key_id}": OPERATOR,
    "GET /api/v1/audit": ADMIN,
    "GET /api/v1/users": ADMIN,
    "GET /api/v1/users/{user_id}": ADMIN,
    "POST /api/v1/users": ADMIN,
    "PATCH /api/v1/users/{user_id}": ADMIN,
    "DELETE /api/v1/users/{user_id}": ADMIN,
}
ROLES = [VIEWER, OPERATOR, ADMIN]
DENIED = {401, 403}


def path_of(route: str, uuid: str = UUID) -> tuple[str, str]:
    method, path = route.split(" ")
    filled = path.replace("{uuid}", uuid).replace("{version}", "99")
    return method, filled.replace("{user_id}", "999").replace("{key_id}", "none")


async def test_the_table_lists_every_route_there_is(cloud: Running) -> None:
    found = set()
    for route in cloud.cloud.app.routes:
        path = route.path
        for kind in ("str", "int", "path"):
            path = path.replace(f":{kind}}}", "}")
        methods: Any = getattr(route, "methods", ())
        found |= {f"{method} {path}" for method in methods if method not in {"OPTIONS", "HEAD"}}

    assert found == set(ROUTES)


async def test_without_a_login_only_public_routes_answer(cloud: Running) -> None:
    for route, access in ROUTES.items():
        method, path = path_of(route)
        status = (await cloud.ask(method, path)).status_code
        if access == PUBLIC:
            assert status not in DENIED, route
        else:
            assert status == 401, route


async def test_options_are_not_possible_anywhere(cloud: Running) -> None:
    for route in ROUTES:
        method, path = path_of(route)
        reply = await cloud.ask("OPTIONS", path)
        assert (reply.status_code, reply.json()["code"]) == (405, "method-not-allowed"), route
        allowed = reply.headers["Allow"].split(", ")
        assert method in allowed
        assert "OPTIONS" not in allowed


async def test_no_answer_is_kept_on_the_way_or_taken_for_a_page(cloud: Running) -> None:
    key = await cloud.o1_device()
    for route, access in ROUTES.items():
        if route.endswith(("/auth/logout", "/deprovision")):
            continue  # they end what the others are asked with
        method, path = path_of(route)
        how: dict[str, Any] = {"key": key} if access == DEVICE else {"who": ADMIN}
        for reply in (await cloud.ask(method, path), await cloud.ask(method, path, **how)):
            assert reply.headers["X-Content-Type-Options"] == "nosniff", route
            asked_again = reply.headers.get("ETag") and access == DEVICE
            expected = "private, no-cache" if asked_again else "no-store"
            assert reply.headers["Cache-Control"] == expected, route


@pytest.mark.parametrize("who", ROLES)
async def test_a_role_may_do_what_it_and_lesser_ones_may(cloud: Running, who: str) -> None:
    allowed = {PUBLIC, EITHER, *ROLES[: ROLES.index(who) + 1]}
    for route, access in ROUTES.items():
        if route == "POST /api/v1/auth/logout":
            continue  # its own test: it ends the session that is used here
        method, path = path_of(route)
        status = (await cloud.ask(method, path, who=who)).status_code
        if access == PUBLIC:
            continue
        expected = DENIED if access not in allowed else set()
        assert (status in DENIED) == bool(expected), (route, status)
        assert access != DEVICE or status == 401, route


async def test_a_device_may_do_what_devices_do_and_nothing_else(cloud: Running) -> None:
    key = await cloud.o1_device()
    for route, access in ROUTES.items():
        if route == "POST /api/v1/device/{uuid}/deprovision":
            continue  # ends the key
        method, path = path_of(route)
        for as_bearer in (False, True):
            how: dict[str, Any] = {"who": key} if as_bearer else {"key": key}
            status = (await cloud.ask(method, path, **how)).status_code
            allowed = access in {PUBLIC, DEVICE, EITHER}
            assert allowed or status == 401, (route, status)
            if access in {DEVICE, EITHER}:
                assert status not in {401, 403}, (route, status)


async def test_a_device_reaches_no_other_device(cloud: Running) -> None:
    await cloud.o1_device()
    foreign = await cloud.o1_device(OTHER_UUID, "cd" * 32)
    for route, access in ROUTES.items():
        method, path = path_of(route)
        if access in {DEVICE, EITHER} and UUID in path:
            reply = await cloud.ask(method, path, key=foreign)
            assert (reply.status_code, reply.json()["code"]) == (403, "foreign-device"), route

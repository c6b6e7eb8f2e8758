"""People coming in, going out, and those who only try."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from iotistic.cloud.auth.passwords import Passwords
from tests.cloud.running import PASSWORD, ManualClock, Running, running_cloud

LOGIN = "/api/v1/auth/login"
SETUP = "/api/v1/auth/setup"
NEW_PASSWORD = "another long password"


async def log_in(
    cloud: Running, username: str = "admin", password: str = PASSWORD, address: str = "192.0.2.1"
) -> httpx.Response:
    body = {"username": username, "password": password}
    return await cloud.ask("POST", LOGIN, body, address=address)


async def test_a_login_gives_a_token_that_works(cloud: Running) -> None:
    reply = await log_in(cloud)

    assert reply.status_code == 200
    me = await cloud.ok("GET", "/api/v1/auth/me", who=reply.json()["token"])
    assert me == {"id": 3, "username": "admin", "role": "admin"}


async def test_wrong_names_and_wrong_passwords_get_one_answer(cloud: Running) -> None:
    wrong = (await log_in(cloud, password="nope")).json()
    unknown = (await log_in(cloud, username="nobody")).json()

    assert wrong.pop("requestId") != unknown.pop("requestId")
    assert wrong == unknown
    assert wrong["code"] == "wrong-login"


async def test_a_session_ends_by_itself(cloud: Running, clock: ManualClock) -> None:
    token = (await log_in(cloud)).json()["token"]
    clock.advance(days=7.01)

    reply = await cloud.ask("GET", "/api/v1/auth/me", who=token)
    assert (reply.status_code, reply.json()["code"]) == (401, "login-needed")


async def test_a_session_ends_with_the_logout(cloud: Running, second: Running) -> None:
    token = (await log_in(cloud)).json()["token"]

    assert (await cloud.ask("POST", "/api/v1/auth/logout", who=token)).status_code == 204

    assert (await second.ask("GET", "/api/v1/auth/me", who=token)).status_code == 401


async def test_a_session_survives_a_restart(cloud: Running, database: Any) -> None:
    token = (await log_in(cloud)).json()["token"]

    async with running_cloud(database, clock=cloud.clock) as again:
        assert (await again.ask("GET", "/api/v1/auth/me", who=token)).status_code == 200


async def test_ten_failures_close_an_account_for_this_address_for_a_while(
    cloud: Running, second: Running, clock: ManualClock
) -> None:
    for _ in range(10):
        assert (await log_in(cloud, password="nope")).status_code == 401

    closed = await log_in(second)

    assert closed.status_code == 429
    assert 0 < int(closed.headers["Retry-After"]) <= 900
    assert (await log_in(cloud, username="viewer")).status_code == 200
    assert (await log_in(second, address="192.0.2.2")).status_code == 200
    clock.advance(s=901)
    assert (await log_in(cloud)).status_code == 200


async def test_guesses_from_everywhere_together_have_an_end(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(Passwords, "matches", never)  # a hundred of the real ones take long
        for number in range(100):
            reply = await log_in(cloud, address=f"198.51.100.{number % 10}")
            assert reply.status_code == 401
        # Who is refused already adds nothing to what all may do together.
        assert (await log_in(cloud, address="198.51.100.0")).status_code == 429

    assert (await log_in(cloud, address="192.0.2.2")).status_code == 429
    assert (await log_in(cloud, username="viewer", address="192.0.2.2")).status_code == 200


@pytest.mark.parametrize(
    ("other", "status"),
    [
        pytest.param("2001:db8:0:1:ffff::2", 429, id="the same network"),
        pytest.param("2001:db8:0:2::1", 200, id="another one"),
    ],
)
async def test_the_addresses_of_an_ipv6_network_count_as_one(
    cloud: Running, other: str, status: int
) -> None:
    for number in range(10):
        reply = await log_in(cloud, password="nope", address=f"2001:db8:0:1::{number}")
        assert reply.status_code == 401

    assert (await log_in(cloud, address=other)).status_code == status


async def test_ipv4_on_a_socket_for_both_is_not_one_network(cloud: Running) -> None:
    for _ in range(10):
        await log_in(cloud, password="nope", address="::ffff:192.0.2.1")

    assert (await log_in(cloud)).status_code == 429
    assert (await log_in(cloud, address="::ffff:192.0.2.2")).status_code == 200


async def test_an_address_is_closed_after_thirty(cloud: Running) -> None:
    for number in range(30):
        assert (await log_in(cloud, username=f"guess{number}")).status_code == 401

    assert (await log_in(cloud)).status_code == 429
    assert (await log_in(cloud, address="192.0.2.2")).status_code == 200


async def test_attempts_at_once_do_not_slip_through(cloud: Running) -> None:
    replies = await asyncio.gather(*(log_in(cloud, password=f"nope {n}") for n in range(16)))

    assert sorted(reply.status_code for reply in replies) == [401] * 10 + [429] * 6


async def test_successes_never_count(cloud: Running) -> None:
    for _ in range(12):
        assert (await log_in(cloud)).status_code == 200


async def test_what_was_typed_is_not_kept(cloud: Running) -> None:
    await log_in(cloud, username="my password by mistake")

    log = await cloud.ask("GET", "/api/v1/audit", who="admin")

    assert log.json()["entries"][0]["action"] == "login-failed"
    assert "mistake" not in log.text


async def set_up(cloud: Running, token: str, username: str = "owner") -> httpx.Response:
    body = {"token": token, "username": username, "password": NEW_PASSWORD}
    return await cloud.ask("POST", SETUP, body)


async def one_time(cloud: Running) -> str:
    token = await cloud.cloud.sessions.offer_one_time_login(only_first=False)
    assert token is not None
    return token


async def test_a_one_time_token_makes_an_administrator_once(cloud: Running) -> None:
    token = await one_time(cloud)

    made = await set_up(cloud, token)

    assert made.json()["user"] == {"username": "owner", "role": "admin"}
    assert (await cloud.ask("GET", "/api/v1/users", who=made.json()["token"])).status_code == 200
    again = await set_up(cloud, token, "thief")
    assert (again.status_code, again.json()["code"]) == (401, "one-time-token")


async def test_of_two_who_use_it_at_once_one_gets_in(cloud: Running, second: Running) -> None:
    token = await one_time(cloud)

    replies = await asyncio.gather(set_up(cloud, token, "one"), set_up(second, token, "other"))

    assert sorted(reply.status_code for reply in replies) == [200, 401]


async def test_a_one_time_token_is_good_for_a_quarter_of_an_hour(
    cloud: Running, clock: ManualClock
) -> None:
    token = await one_time(cloud)
    clock.advance(s=15 * 60 + 1)

    assert (await set_up(cloud, token)).status_code == 401


async def test_guessing_one_time_tokens_ends_in_429(cloud: Running) -> None:
    for number in range(10):
        assert (await set_up(cloud, f"guess {number}")).status_code == 401

    assert (await set_up(cloud, "one more")).status_code == 429


async def test_there_is_a_first_login_only_while_nobody_has_one(
    cloud: Running, tmp_path: Any
) -> None:
    assert await cloud.cloud.sessions.offer_one_time_login(only_first=True) is None

    async with running_cloud(tmp_path / "fresh.sqlite") as fresh:
        token = await fresh.cloud.sessions.offer_one_time_login(only_first=True)
        assert token is not None
        assert (await set_up(fresh, token)).status_code == 200


async def test_an_owner_who_forgot_the_password_gets_a_new_one(cloud: Running) -> None:
    old = (await log_in(cloud)).json()["token"]

    reply = await set_up(cloud, await one_time(cloud), "admin")

    assert reply.status_code == 200
    assert (await cloud.ask("GET", "/api/v1/auth/me", who=old)).status_code == 401
    assert (await log_in(cloud)).status_code == 401
    assert (await log_in(cloud, password=NEW_PASSWORD)).status_code == 200


async def change(cloud: Running, token: str, old: str, new: str) -> httpx.Response:
    body = {"oldPassword": old, "newPassword": new}
    return await cloud.ask("POST", "/api/v1/auth/change-password", body, who=token)


async def test_a_new_password_ends_the_other_sessions(cloud: Running) -> None:
    here, there = [(await log_in(cloud)).json()["token"] for _ in range(2)]

    assert (await change(cloud, here, PASSWORD, NEW_PASSWORD)).status_code == 204

    assert (await cloud.ask("GET", "/api/v1/auth/me", who=here)).status_code == 200
    assert (await cloud.ask("GET", "/api/v1/auth/me", who=there)).status_code == 401
    assert (await log_in(cloud, password=NEW_PASSWORD)).status_code == 200


async def test_a_stolen_session_does_not_find_the_password(cloud: Running) -> None:
    for _ in range(10):
        assert (await change(cloud, "viewer", "guess", NEW_PASSWORD)).status_code == 403

    assert (await change(cloud, "viewer", PASSWORD, NEW_PASSWORD)).status_code == 429


@pytest.mark.parametrize("password", ["short", "", "x" * 300, None, 87654321])
async def test_bad_passwords_are_refused_without_being_shown(cloud: Running, password: Any) -> None:
    body = {"username": "new", "password": password}
    reply = await cloud.ask("POST", "/api/v1/users", body, who="admin")

    assert reply.status_code == 400
    assert reply.json()["details"]["path"] == "password"
    if password:
        assert str(password) not in reply.text


async def test_passwords_are_argon2id_with_the_stated_costs() -> None:
    stored = await Passwords().hash(PASSWORD)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_nothing_matches_when_nothing_is_stored() -> None:
    passwords = Passwords()

    assert not await passwords.matches("nobody has this password", None)
    assert not await passwords.matches(PASSWORD, "not a hash")


@pytest.mark.parametrize("change", ["password", "removed"])
async def test_a_login_that_is_overtaken_by_a_change_does_not_begin(
    cloud: Running, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    matches = Passwords.matches

    async def slow(self: Passwords, password: str, stored: str | None) -> bool:
        monkeypatch.setattr(Passwords, "matches", matches)
        found = await matches(self, password, stored)
        if change == "removed":
            await cloud.ok("DELETE", "/api/v1/users/2", who="admin")
        else:
            body = {"oldPassword": PASSWORD, "newPassword": "battery horse correct"}
            await cloud.ok("POST", "/api/v1/auth/change-password", body, who="operator")
        return found

    monkeypatch.setattr(Passwords, "matches", slow)

    reply = await log_in(cloud, username="operator")

    assert (reply.status_code, reply.json()["code"]) == (401, "wrong-login")

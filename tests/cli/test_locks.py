from __future__ import annotations

from typing import Any

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused
from tests.cli.test_status import lines


def lock(**changes: Any) -> dict[str, Any]:
    return {
        "appId": 1001,
        "owner": "person",
        "holder": "anna",
        "reason": "milling",
        "at": answers.before(65),
        "untilAt": 1760000000000,
        "remainingMs": 7_135_000,
        **changes,
    }


def test_an_app_is_locked_for_a_time_with_a_reason(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/locks/shop", {**lock(remainingMs=7_200_000), "replaced": None})

    said = iotctl("apps", "lock", "shop", "--for", "2h", "--reason", "milling")

    assert (said.code, said.out) == (0, "app 1001: locked for 2 h\n")
    assert agent.last.document == {"for": "2h", "reason": "milling", "holder": "anna"}
    assert "iotctl apps unlock 1001" in said.err


def test_a_lock_that_takes_the_place_of_another_says_so(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/locks/1001", {**lock(), "replaced": lock(holder="bert")})

    assert "lock by bert" in iotctl("apps", "lock", "1001").err


def test_an_app_that_is_being_updated_is_5(iotctl: Iotctl, agent: Script) -> None:
    busy = refused(409, "being-updated", "app 1001 is being updated", remedy="wait")
    agent.on("POST", "/v1/locks/1001", busy)

    said = iotctl("apps", "lock", "1001")

    assert (said.code, said.err) == (5, "iotctl: app 1001 is being updated\n  next: wait\n")


def test_who_unlocks_is_told_whose_lock_it_was_and_what_still_holds(
    iotctl: Iotctl, agent: Script
) -> None:
    still = lock(owner="service", holder="web", reason="", remainingMs=None)
    agent.on(
        "DELETE",
        "/v1/locks/1001",
        {"appId": 1001, "status": "unlocked", "was": lock(holder="bert"), "locks": [still]},
    )

    said = iotctl("apps", "unlock", "1001")

    assert (said.code, said.out) == (0, "app 1001: unlocked\n")
    assert agent.last.query == {"holder": "anna"}
    assert said.err == lines("it was locked by bert: milling", "still held by service web")


def test_unlocking_what_no_person_locked(iotctl: Iotctl, agent: Script) -> None:
    agent.on(
        "DELETE",
        "/v1/locks/1001",
        {"appId": 1001, "status": "not-locked", "was": None, "locks": []},
    )

    assert iotctl("apps", "unlock", "1001").out == "app 1001: was not locked by a person\n"


def test_locks_are_listed_with_the_time_that_is_left(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/locks", {"locks": [lock()]})

    assert iotctl("apps", "locks").out == lines(
        "APP   BY      HOLDER  FOR ANOTHER  TAKEN          WHY",
        "1001  person  anna    1 h 58 min   1 min 5 s ago  milling",
    )


def test_no_locks_are_no_table(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/locks", {"locks": []})

    said = iotctl("apps", "locks")

    assert (said.code, said.out, said.err) == (0, "", "no app is locked\n")


def test_a_release_is_tried_again(iotctl: Iotctl, agent: Script) -> None:
    answer = {"appId": 1001, "status": "retrying", "release": "r2", "wasRejected": True}
    agent.on("POST", "/v1/apps/shop/retry", Answer(202, answer))

    said = iotctl("apps", "retry", "shop")

    assert (said.code, said.out) == (
        0,
        "app 1001: release r2 is tried again, which was taken back\n",
    )

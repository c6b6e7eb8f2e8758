from __future__ import annotations

from typing import Any

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script
from tests.cli.test_status import lines


def ledger(**changes: Any) -> dict[str, Any]:
    return {
        "written": 0,
        "sent": 0,
        "acknowledged": 0,
        "waiting": 0,
        "waitingBytes": 0,
        "dropped": {},
        "oldestAt": None,
        "since": answers.before(7200),
        **changes,
    }


def test_the_outbox_is_a_table_with_what_was_dropped_and_why(iotctl: Iotctl, agent: Script) -> None:
    log = ledger(
        written=120,
        acknowledged=60,
        waiting=40,
        waitingBytes=9_000,
        dropped={"quota": 15, "rejected": 5},
        oldestAt=answers.before(65),
    )
    agent.on("GET", "/v1/outbox", {"classes": {"event": ledger(), "log": log}})

    assert iotctl("outbox").out == lines(
        "CLASS  WAITING  SIZE   OLDEST         WRITTEN  ACKNOWLEDGED  DROPPED              SINCE",
        "event  0        0 B    -              0        0             0                    2 h ago",
        "log    40       9 KiB  1 min 5 s ago  120      60            quota=15 rejected=5  2 h ago",
    )


def test_dead_letters_are_listed(iotctl: Iotctl, agent: Script) -> None:
    letter = {
        "class": "log",
        "epoch": "0123456789abcdef",
        "seq": 17,
        "at": answers.before(65),
        "code": "invalid-field",
        "message": "data.level: expected a level",
        "data": {},
    }
    agent.on("GET", "/v1/outbox/dead", {"dead": [letter]})

    said = iotctl("outbox", "dead")

    assert said.out == lines(
        "REFUSED        CLASS  RECORD               CODE           WHY",
        "1 min 5 s ago  log    0123456789abcdef/17  invalid-field  data.level: expected a level",
    )


def test_that_nothing_was_refused_is_no_table(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/outbox/dead", {"dead": []})

    said = iotctl("outbox", "dead")

    assert (said.code, said.out, said.err) == (0, "", "the cloud refused none\n")


def test_a_class_is_cleared_only_if_it_is_meant(iotctl: Iotctl, agent: Script) -> None:
    agent.on("DELETE", "/v1/outbox/log", {"class": "log", "dropped": 40})

    assert iotctl("outbox", "clear", "log").code == 2
    assert iotctl("outbox", "clear", "letters", "--yes").code == 2
    assert iotctl("outbox", "clear", "log", "--yes").out == "40 records dropped\n"

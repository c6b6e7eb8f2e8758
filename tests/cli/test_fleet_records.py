"""What devices sent to the cloud, as an operator reads it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from iotistic.cli.commands import fleet_records
from iotistic.cli.times import stamp
from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, chunked, refused, tcp_server
from tests.cli.test_fleet_devices_keys import device
from tests.cli.test_status import lines

PATH = f"/api/v1/devices/{answers.UUID}"
AT = 1_780_000_000_000
LOG_LINE: dict[str, Any] = {
    "cursor": 7,
    "timestamp": AT,
    "level": "warn",
    "serviceName": "web",
    "message": "slow",
}
FIGURE = {"atMs": AT, "avg": 2.5, "min": 1, "max": 4.25, "count": 2}
EVENT: dict[str, Any] = {
    "class": "event",
    "timestamp": AT,
    "clockSynced": True,
    "data": {"event": "reboot", "reason": "power"},
}
GAPS: dict[str, Any] = {
    "classes": {
        "log": {
            "received": 9,
            "missing": 3,
            "duplicates": 2,
            "rejected": 0,
            "stored": 9,
            "lastAt": "2026-01-01T00:00:00Z",
            "epochs": [
                {
                    "epoch": "abcd1234abcd",
                    "gaps": [{"from": 4, "to": 6, "noticedAt": "2026-01-01T00:00:00Z"}],
                }
            ],
        }
    }
}


@pytest.fixture
def cloud(state_dir: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    script = Script()
    script.on("GET", "/api/v1/devices", {"count": 1, "devices": [device()]})
    with tcp_server(script) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "t")
        monkeypatch.setattr(fleet_records, "_LOOK_AGAIN_S", 0)
        yield script


def event_of(line: dict[str, Any]) -> bytes:
    return f"id: {line['cursor']}\ndata: {json.dumps(line)}\n\n".encode()


def test_a_device_s_log_is_read_by_the_device_s_name(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("GET", f"{PATH}/logs", {"count": 1, "logs": [LOG_LINE]})

    said = iotctl("fleet", "logs", "pump-3", "--service", "web", "--level", "warn", "-n", "5")

    assert said.out == f"{stamp(AT)} warn  web: slow\n"
    assert cloud.last.query == {"service": "web", "level": "warn", "limit": "5"}


@pytest.mark.parametrize(("since", "limit"), [(None, "100"), ("10m", "1000")])
def test_how_many_lines_come_depends_on_since(
    iotctl: Iotctl, cloud: Script, since: str | None, limit: str
) -> None:
    cloud.on("GET", f"{PATH}/logs", {"count": 1, "logs": [LOG_LINE]})

    iotctl("fleet", "logs", answers.UUID, *(["--since", since] if since else []))

    assert cloud.last.query["limit"] == limit
    if since:
        assert answers.before(600) - 5000 < int(cloud.last.query["from"]) <= answers.before(599)


def test_what_a_container_wrote_cannot_command_a_terminal(iotctl: Iotctl, cloud: Script) -> None:
    nasty = LOG_LINE | {"message": "\x1b]0;owned\x07\rok\u202e", "serviceName": "w\x1beb"}
    cloud.on("GET", f"{PATH}/logs", {"count": 1, "logs": [nasty]})

    said = iotctl("fleet", "logs", answers.UUID)

    assert "\x1b" not in said.out
    assert "\r" not in said.out
    assert said.out.endswith("w\\x1beb: \\x1b]0;owned\\x07\\x0dok\\x202e\n")


def test_where_there_are_no_such_lines_it_says_whose_there_are(
    iotctl: Iotctl, cloud: Script
) -> None:
    cloud.on("GET", f"{PATH}/logs", {"count": 0, "logs": []})
    whose = [{"serviceName": "web", "count": 3}, {"serviceName": "", "count": 1}]
    cloud.on("GET", f"{PATH}/logs/services", {"count": 2, "services": whose})

    said = iotctl("fleet", "logs", answers.UUID, "--service", "wbe")

    assert (said.code, said.out) == (0, "")
    assert said.err == "no such lines; of this device there are: web (3), - (1)\n"


def test_a_log_is_followed_over_the_end_of_a_stream(iotctl: Iotctl, cloud: Script) -> None:
    first, second = LOG_LINE, LOG_LINE | {"cursor": 8, "message": "faster", "level": "info"}
    cloud.on(
        "GET",
        f"{PATH}/logs",
        chunked(b": alive\n\n", event_of(first)),
        chunked(event_of(second)),
        refused(429, "too-many-followers", "too many follow"),
    )

    said = iotctl("fleet", "logs", answers.UUID, "-f", "--level", "info")

    assert said.out == f"{stamp(AT)} warn  web: slow\n{stamp(AT)} info  web: faster\n"
    assert "too many follow" in said.err
    asked = [one.query for one in cloud.asked if one.path.endswith("/logs")]
    assert [one.get("after") for one in asked] == [None, "7", "8"]
    assert all(one["follow"] == "1" and one["level"] == "info" for one in asked)


def test_for_programs_a_followed_log_is_one_object_a_line(iotctl: Iotctl, cloud: Script) -> None:
    stream = chunked(event_of(LOG_LINE))
    cloud.on("GET", f"{PATH}/logs", stream, refused(401, "login-needed", "log in"))

    said = iotctl("fleet", "logs", answers.UUID, "-f", "--json")

    assert json.loads(said.out) == LOG_LINE
    assert said.code == 5


BROKEN = {
    "an error of the cloud": (
        b'event: error\ndata: {"code":"x","message":"it broke"}\n\n',
        "it broke",
    ),
    "no JSON": (b"id: 1\ndata: hello\n\n", "not JSON"),
    "no object": (b"id: 1\ndata: 3\n\n", "not an object"),
    "no cursor": (b"data: {}\n\n", "form"),
    "no line": (b"id: 1\ndata: {}\n\n", "form"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_stream_that_breaks_says_so(iotctl: Iotctl, cloud: Script, what: str) -> None:
    sent, told = BROKEN[what]
    cloud.on("GET", f"{PATH}/logs", chunked(sent))

    said = iotctl("fleet", "logs", answers.UUID, "-f")

    assert said.code != 0
    assert told in said.err


def test_figures_are_summed_up(iotctl: Iotctl, cloud: Script) -> None:
    cells = [FIGURE, {"atMs": AT + 60_000, "avg": 10, "min": 9, "max": 12345.6, "count": 1}]
    document = {"series": {"1001/web/cpu": cells}, "truncated": False, "points": 3}
    cloud.on("GET", f"{PATH}/metrics", document)

    said = iotctl("fleet", "metrics", "pump-3", "--name", "1001/*", "--name", "load")

    assert said.out == lines(
        "FIGURE        LAST  MEAN  LOWEST  HIGHEST  POINTS",
        "1001/web/cpu  10    5     1       12346    3",
    )
    assert cloud.last.query == {"names": "1001/*,load"}


def test_events_say_what_happened(iotctl: Iotctl, cloud: Script) -> None:
    odd = {**EVENT, "class": "anomaly", "clockSynced": False, "data": {"metric": "cpu"}}
    cloud.on("GET", f"{PATH}/events", {"count": 2, "events": [EVENT, odd]})

    said = iotctl("fleet", "events", answers.UUID, "--class", "anomaly")

    assert said.out == lines(
        f"{'WHEN':<{len(stamp(AT)) + 16}}  WHAT",
        f"{stamp(AT)}                  reboot   reason=power",
        f"{stamp(AT)} (clock not set)  anomaly  metric=cpu",
    )
    assert cloud.last.query == {"class": "anomaly", "limit": "50"}


def test_gaps_say_what_never_came(iotctl: Iotctl, cloud: Script) -> None:
    found = copy.deepcopy(GAPS)
    last = datetime.fromtimestamp(answers.before(7500) / 1000, UTC)
    found["classes"]["log"]["lastAt"] = last.isoformat()
    cloud.on("GET", f"{PATH}/records/gaps", found)

    said = iotctl("fleet", "gaps", "9f0c")

    assert said.out == lines(
        "CLASS  RECEIVED  MISSING  AGAIN  REFUSED  KEPT  LAST",
        "log    9         3        2      0        9     2 h 5 min ago",
        "",
        "CLASS  EPOCH     FROM  TO  NUMBER  NOTICED",
        "log    abcd1234  4     6   3       2026-01-01 00:00Z",
    )


@pytest.mark.parametrize(
    ("command", "answer", "told"),
    [
        ("metrics", {"series": {}, "truncated": False}, "no such figures"),
        ("events", {"events": []}, "nothing of that kind"),
        ("records/gaps", {"classes": {}}, "no records have come"),
    ],
)
def test_nothing_is_said_to_be_nothing(
    iotctl: Iotctl, cloud: Script, command: str, answer: dict[str, Any], told: str
) -> None:
    cloud.on("GET", f"{PATH}/{command}", answer)

    said = iotctl("fleet", command.rpartition("/")[2], answers.UUID)

    assert (said.code, said.out) == (0, "")
    assert told in said.err


@pytest.mark.parametrize("command", ["logs", "metrics", "events", "gaps"])
def test_a_device_that_nobody_knows_is_said_to_be_unknown(
    iotctl: Iotctl, cloud: Script, command: str
) -> None:
    said = iotctl("fleet", command, "nobody")

    assert said.code == 4
    assert "iotctl fleet devices list" in said.err


@pytest.mark.parametrize("command", ["logs", "metrics", "events"])
def test_a_time_that_is_none_is_a_usage_error(iotctl: Iotctl, cloud: Script, command: str) -> None:
    said = iotctl("fleet", command, answers.UUID, "--since", "yesterday")

    assert said.code == 2
    assert "--since" in said.err


def test_a_device_shows_what_is_missing_of_it(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("GET", PATH, device(records=GAPS["classes"]))
    cloud.on("GET", f"{PATH}/current-state", refused(404, "no-report-yet", "none yet"))

    said = iotctl("fleet", "devices", "show", answers.UUID)

    assert any(one.split() == ["records", "missing", "3", "(log)"] for one in said.out.splitlines())


def test_for_programs_the_answer_is_as_it_came(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("GET", f"{PATH}/records/gaps", Answer(body=GAPS))

    assert iotctl("fleet", "gaps", answers.UUID, "--json").document == GAPS

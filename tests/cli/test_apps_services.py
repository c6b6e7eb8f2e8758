from __future__ import annotations

import json

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, chunked, refused
from tests.cli.test_status import lines


def test_apps_are_listed(iotctl: Iotctl, agent: Script) -> None:
    apps = [answers.app(), answers.app(appId=1002, appName="lab", verdict="waiting", reason="pull")]
    agent.on("GET", "/v1/apps", {"apps": apps})

    assert iotctl("apps", "list").out == lines(
        "APP   NAME  STATE    SERVICES  WHY",
        "1001  shop  settled  2 of 2    -",
        "1002  lab   waiting  2 of 2    pull",
    )


def test_an_app_is_shown_with_its_services(iotctl: Iotctl, agent: Script) -> None:
    stopped = answers.service(
        serviceId="2",
        serviceName="db",
        imageName="db:1",
        status="exited",
        serviceStatus="stopped",
        override={"kind": "stop", "until": "release", "at": answers.before(5)},
        why="stopped by hand",
    )
    agent.on("GET", "/v1/apps/1001", answers.app(services=[answers.service(), stopped]))

    said = iotctl("apps", "info", "1001")

    assert said.out == lines(
        "app    1001",
        "name   shop",
        "state  settled",
        "why    -",
        "",
        "ID  SERVICE  WANTED                   IS       IMAGE  NEXT  WHY",
        "1   web      running                  running  web:2  -     as wanted",
        "2   db       stopped (until release)  exited   db:1   -     stopped by hand",
    )


def test_services_are_listed_of_one_app(iotctl: Iotctl, agent: Script) -> None:
    failing = answers.service(
        status=None,
        serviceStatus="error",
        next="wait",
        error={
            "type": "ErrImagePull",
            "code": "pull-failed",
            "message": "no such image",
            "retryCount": 3,
            "nextRetryAt": None,
        },
    )
    agent.on("GET", "/v1/services", {"services": [failing]})

    said = iotctl("services", "list", "1001")

    assert agent.last.query == {"appId": "1001"}
    assert said.out == lines(
        "APP   ID  SERVICE  WANTED   IS    IMAGE  NEXT  WHY",
        "1001  1   web      running  none  web:2  wait  no such image",
    )


def test_everything_about_a_service(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/services/web", answers.service())

    assert iotctl("services", "info", "web").out == lines(
        "service       web",
        "id            1",
        "app           1001 shop",
        "image         web:2",
        "wanted        running",
        "is            running",
        "why           as wanted",
        "container     shop_web_1-9f0c1f2e",
        "container id  4f1c",
        "created       1 min 5 s ago",
        "ports         8080:80/tcp",
        "networks      default",
        "environment   MODE",
        "restart       unless-stopped",
    )


def test_what_a_service_wrote_before_it_ended_comes_last(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/services/web", answers.service(lastWords=["boot", "no pump"]))

    said = iotctl("services", "info", "web").out

    assert said.endswith("what it wrote before it ended last:\n  boot\n  no pump\n")


def test_a_name_cannot_leave_its_place_in_the_path(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/services/..%2F..%2Fapps%3Fx", answers.service())

    assert iotctl("services", "info", "../../apps?x").code == 0


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["apps", "start", "1001"], "/v1/apps/1001/start", {}),
        (["apps", "stop", "1001"], "/v1/apps/1001/stop", {"until": "release"}),
        (
            ["apps", "stop", "1001", "--service", "web", "--until", "forever"],
            "/v1/apps/1001/stop",
            {"serviceName": "web", "until": "forever"},
        ),
        (["apps", "stop", "shop"], "/v1/apps/shop/stop", {"until": "release"}),
        (["apps", "start", "a/b"], "/v1/apps/a%2Fb/start", {}),
        (["apps", "restart", "1001"], "/v1/apps/1001/restart", {}),
        (["apps", "purge", "1001", "--yes"], "/v1/apps/1001/purge", {}),
        (["services", "start", "web"], "/v1/services/web/start", {}),
        (["services", "stop", "web-1"], "/v1/services/web-1/stop", {"until": "release"}),
        (["services", "restart", "web"], "/v1/services/web/restart", {}),
    ],
)
def test_acts(
    iotctl: Iotctl, agent: Script, arguments: list[str], path: str, body: dict[str, str]
) -> None:
    agent.on("POST", path, answers.acted("stopped"))

    said = iotctl(*arguments)

    assert (said.code, said.out) == (0, "web: stopped\n")
    assert agent.last.document == {**body, "holder": "anna", "waitMs": 10_000}


@pytest.mark.parametrize("kind", ["apps", "services"])
@pytest.mark.parametrize("act", ["start", "stop", "restart"])
def test_an_act_is_forced_only_when_asked(
    iotctl: Iotctl, agent: Script, kind: str, act: str
) -> None:
    agent.on("POST", f"/v1/{kind}/1001/{act}", answers.acted("stopped"))

    iotctl(kind, act, "1001", "--force")

    assert agent.last.document["force"] is True


def test_an_app_that_somebody_locked_is_5_and_says_what_helps(
    iotctl: Iotctl, agent: Script
) -> None:
    said_by_agent = refused(
        409, "locked", "app 1001 is locked by person bert (milling)", remedy="wait, or --force"
    )
    agent.on("POST", "/v1/apps/1001/stop", said_by_agent)

    said = iotctl("apps", "stop", "1001")

    assert said.code == 5
    assert (
        said.err
        == "iotctl: app 1001 is locked by person bert (milling)\n  next: wait, or --force\n"
    )


def test_stored_but_not_done_in_time_is_6(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/apps/1001/stop", Answer(202, answers.acted("stopping")))

    said = iotctl("apps", "stop", "1001", "--timeout", "3")

    assert (said.code, said.out) == (6, "web: stopping\n")
    assert "iotctl plan" in said.err
    assert agent.last.document["waitMs"] == 3000


def test_who_does_not_wait_is_content_with_stored(iotctl: Iotctl, agent: Script) -> None:
    agent.on("POST", "/v1/apps/1001/stop", Answer(202, answers.acted("stopping")))

    assert iotctl("apps", "stop", "1001", "--no-wait").code == 0
    assert agent.last.document["waitMs"] == 0


def test_data_is_not_purged_unasked(iotctl: Iotctl, agent: Script) -> None:
    said = iotctl("apps", "purge", "1001")

    assert said.code == 2
    assert "--yes" in said.err
    assert agent.asked == []


def test_logs_of_a_service_for_people_and_for_programs(iotctl: Iotctl, agent: Script) -> None:
    first = b'{"message": "hello", "isStdErr": false}'
    second = b'{"message": "caf\xc3\xa9", "isStdErr": true}'
    # Lines and chunks have nothing to do with each other.
    stream = chunked(first + b"\n" + second[:5], second[5:] + b"\n\n")
    agent.on("GET", "/v1/services/web/logs", stream)

    assert iotctl("services", "logs", "web", "--tail", "2").out == "hello\ncafé\n"
    assert agent.last.query == {"tail": "2", "follow": "false"}
    said = iotctl("services", "logs", "web", "-f", "--json", "--since", "1760000000000")
    assert said.out.encode() == first + b"\n" + second + b"\n"
    assert agent.last.query == {"tail": "100", "follow": "true", "since": "1760000000000"}


def test_the_agent_s_own_log(iotctl: Iotctl, agent: Script) -> None:
    line = {
        "timestamp": 0,
        "level": "warn",
        "component": "cloudSync",
        "message": "poll failed",
        "context": {"attempt": 3},
    }
    agent.on("GET", "/v1/logs", chunked(json.dumps(line).encode() + b"\n"))

    said = iotctl("logs", "-n", "5", "--level", "warn")

    assert said.out.endswith("warn  cloudSync: poll failed  attempt=3\n")
    assert agent.last.query == {"tail": "5", "follow": "false", "level": "warn"}


def test_a_followed_stream_that_says_nothing_any_more_is_given_up(
    iotctl: Iotctl, agent: Script
) -> None:
    stream = chunked(b'{"message": "hello"}\n', end=False)
    stream.hold = True
    agent.on("GET", "/v1/services/web/logs", stream)

    said = iotctl("services", "logs", "web", "-f", "--timeout", "0.3")

    assert (said.code, said.out) == (6, "hello\n")


def test_an_app_is_named_by_its_name_as_well(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/services", {"services": [answers.service()]})
    agent.on("GET", "/v1/services/web", answers.service())

    assert iotctl("services", "list", "my shop").code == 0
    assert agent.last.query == {"appId": "my shop"}
    assert iotctl("services", "info", "web", "--app", "my shop").code == 0
    assert agent.last.query == {"appId": "my shop"}

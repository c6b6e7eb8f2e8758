"""Every way to fail has its exit code, one or two lines, and no stack trace."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, chunked, refused, tcp_server

HTML = Answer(200, b"<html>captive portal</html>", {"Content-Type": "text/html"})


def test_no_agent_is_3_and_says_where_it_looked(iotctl: Iotctl, state_dir: Path) -> None:
    said = iotctl("status")

    assert said.code == 3
    assert said.out == ""
    assert said.err == (
        f"iotctl: no agent found in {state_dir}\n"
        "  next: see that the agent runs (systemctl status iotistic-agent), "
        "or name its folder with --state-dir\n"
    )


def test_a_socket_that_a_dead_agent_left_is_3(iotctl: Iotctl, state_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(state_dir / "agent.sock"))

    said = iotctl("status")

    assert said.code == 3
    assert "Connection refused" in said.err


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(refused(400, "invalid-field", "no"), 2, id="what was given is wrong"),
        pytest.param(refused(401, "unauthorized", "no"), 5, id="wrong token"),
        pytest.param(refused(403, "policy", "no"), 5, id="not allowed"),
        pytest.param(refused(404, "app-not-found", "no"), 4, id="not there"),
        pytest.param(refused(409, "not-provisioned", "no"), 5, id="refused as things are"),
        pytest.param(refused(409, "ambiguous-service", "no"), 2, id="named ambiguously"),
        pytest.param(refused(410, "gone", "no"), 4, id="not there any more"),
        pytest.param(refused(429, "busy", "no"), 1, id="too much at once"),
        pytest.param(refused(500, "internal", "no"), 1, id="its own mistake"),
        pytest.param(refused(503, "engine-unavailable", "no"), 3, id="what is behind is away"),
        pytest.param(refused(503, "disk-full", "no"), 1, id="its disk is full"),
        pytest.param(refused(504, "timeout", "no"), 6, id="what is behind is too slow"),
        pytest.param(HTML, 1, id="a web page"),
        pytest.param(Answer(502, b"<html>bad gateway</html>"), 1, id="a web page as an error"),
        pytest.param(Answer(404, {"detail": "Not Found"}), 1, id="an error of another program"),
        pytest.param(Answer(302, None, {"Location": "http://elsewhere/"}), 1, id="a redirect"),
        pytest.param(Answer(body=b'{"device": {'), 1, id="half a document"),
        pytest.param(Answer(body=[1]), 1, id="a document of another form"),
        pytest.param(Answer(raw=b"SSH-2.0-OpenSSH\r\n"), 1, id="not HTTP"),
        pytest.param(Answer(raw=b""), 3, id="closed without a word"),
        pytest.param(
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{}"), 1, id="cut off"
        ),
        pytest.param(Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le", hold=True), 6, id="hangs"),
        pytest.param(
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", hold=True),
            6,
            id="hangs in the body",
        ),
    ],
)
def test_exit_code(iotctl: Iotctl, agent: Script, answer: Answer, code: int) -> None:
    agent.on("GET", "/v1/status", answer)

    said = iotctl("status", "--timeout", "1")

    assert said.code == code
    assert said.out == ""
    assert 1 <= len(said.err.splitlines()) <= 2
    assert said.err.startswith("iotctl: ")
    assert "Traceback" not in said.err


def test_a_peer_that_drips_is_given_up_at_the_deadline(
    iotctl: Iotctl, agent: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time; all of them never would."""
    ticks = iter(range(10_000))
    monkeypatch.setattr("iotistic.cli.http_client.time.monotonic", lambda: next(ticks) * 0.3)
    agent.on("GET", "/v1/status", Answer(body=answers.status()))

    said = iotctl("status", "--timeout", "0.5")

    assert said.code == 6


def test_a_body_without_end_is_not_read_to_the_end(
    iotctl: Iotctl, agent: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iotistic.cli.http_client.BODY_BYTES_MAX", 1000)
    agent.on("GET", "/v1/status", Answer(body=b"[" + b"1," * 1000 + b"1]"))

    said = iotctl("status")

    assert said.code == 1
    assert "larger than 1000 bytes" in said.err


def test_the_remedy_of_the_agent_is_told(iotctl: Iotctl, agent: Script) -> None:
    agent.on(
        "GET", "/v1/status", refused(503, "engine-unavailable", "no Docker", remedy="start it")
    )

    said = iotctl("status")

    assert said.err == "iotctl: no Docker\n  next: start it\n"


def test_a_remedy_that_stands_in_the_message_too_is_told_once(
    iotctl: Iotctl, agent: Script
) -> None:
    agent.on("GET", "/v1/status", refused(403, "x", "no; ask me", remedy="ask me"))

    assert iotctl("status").err == "iotctl: no\n  next: ask me\n"


def test_an_ambiguous_name_lists_the_candidates(iotctl: Iotctl, agent: Script) -> None:
    candidates = [
        {"appId": 1, "serviceId": "1", "serviceName": "web", "containerName": "a_web_1-9f0c1f2e"},
        {"appId": 2, "serviceId": 7, "serviceName": "web", "containerName": None},
    ]
    agent.on(
        "GET",
        "/v1/services/web",
        refused(409, "ambiguous-service", "several services are called web", candidates=candidates),
    )

    said = iotctl("services", "info", "web")

    assert said.code == 2
    assert said.err.splitlines() == [
        "iotctl: several services are called web: a_web_1-9f0c1f2e, web-7 (app 2)",
        "  next: name one of them by container name, or by name-id",
    ]


def test_for_programs_an_error_is_the_api_s_own_object_on_stderr(
    iotctl: Iotctl, agent: Script
) -> None:
    agent.on("GET", "/v1/status", refused(404, "not-found", "no", remedy="look"))

    said = iotctl("--json", "status")

    assert said.out == ""
    assert json.loads(said.err) == refused(404, "not-found", "no", remedy="look").body


def test_an_error_cannot_command_the_terminal(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/status", refused(404, "x", "a\x1b]0;evil\x07b\nc"))

    assert iotctl("status").err == "iotctl: a\\x1b]0;evil\\x07b c\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["apps", "nope"],
        ["apps", "stop"],
        ["apps", "stop", "1", "--until", "tomorrow"],
        ["status", "--timeout", "0"],
        ["services", "logs", "web", "--tail", "many"],
        ["services", "logs", "web", "--since", "yesterday"],
        ["apps"],
    ],
)
def test_wrong_usage_is_2(iotctl: Iotctl, agent: Script, arguments: list[str]) -> None:
    said = iotctl(*arguments)

    assert said.code == 2
    assert said.out == ""
    assert agent.asked == []


def test_a_wrong_token_over_tcp_is_5_and_says_where_the_right_one_is(
    iotctl: Iotctl, state_dir: Path
) -> None:
    script = Script()
    script.on("GET", "/v1/status", refused(401, "unauthorized", "the token is not ours"))
    (state_dir / "api-token").write_text("abc\n")
    with tcp_server(script) as port:
        said = iotctl("status", "--api-url", f"http://127.0.0.1:{port}")

    assert said.code == 5
    assert script.last.headers["authorization"] == "Bearer abc"
    assert "--state-dir" in said.err
    assert "abc" not in said.err


def test_a_stream_that_is_cut_off_is_a_failure(iotctl: Iotctl, agent: Script) -> None:
    line = b'{"message": "hello"}\n'
    agent.on("GET", "/v1/services/web/logs", chunked(line, end=False))

    said = iotctl("services", "logs", "web")

    assert said.code == 1
    assert said.out == "hello\n"
    assert "cut off" in said.err


def test_a_stream_that_ends_in_an_error_is_a_failure(iotctl: Iotctl, agent: Script) -> None:
    last = {"error": "x", "message": "Docker went away", "code": "engine-unavailable"}
    lines = [b'{"message": "hello"}\n', json.dumps({**last, "requestId": "r"}).encode() + b"\n"]
    agent.on("GET", "/v1/services/web/logs", chunked(*lines))

    said = iotctl("services", "logs", "web")

    assert said.code == 1
    assert said.out == "hello\n"
    assert "Docker went away" in said.err

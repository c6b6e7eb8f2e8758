"""The program itself: help, quickness, signals, pipes, terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

import click
import pytest

from iotistic.cli.app import iotctl as tree
from iotistic.cli.lazy import LazyGroup
from iotistic.cli.table import plain
from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Script, chunked

PROGRAM = (sys.executable, "-m", "iotistic.cli")


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = list(commands(tree))


def test_a_group_s_lines_are_what_the_commands_say_of_themselves() -> None:
    for _, group in ALL:
        if isinstance(group, LazyGroup):
            context = click.Context(group)
            for name in group.list_commands(context):
                found = group.get_command(context, name)
                assert found is not None
                assert group._late[name].summary == found.get_short_help_str(limit=200)


@pytest.mark.parametrize("arguments", [["--help"], ["fleet", "--help"], ["--version"]])
def test_help_loads_nothing_that_it_does_not_need(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "iotistic.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"http.client", "ssl", "msgspec", "socket", "asyncio", "tempfile"}
    assert not any(name.startswith("iotistic.agent") for name in loaded)


def test_ctrl_c_in_a_stream_is_130_without_a_word(agent: Script) -> None:
    stream = chunked(b'{"message": "hello"}\n', end=False)
    stream.hold = True
    agent.on("GET", "/v1/services/web/logs", stream)
    with subprocess.Popen(
        [*PROGRAM, "services", "logs", "web", "-f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "hello\n"
        program.send_signal(signal.SIGINT)

        assert program.wait(10) == 130
        assert program.stderr.read().strip() == ""


def test_a_reader_that_has_enough_ends_it_silently(agent: Script) -> None:
    many = chunked(*[b'{"message": "hello"}\n' * 1000] * 200)
    agent.on("GET", "/v1/services/web/logs", many)
    with subprocess.Popen(
        [*PROGRAM, "services", "logs", "web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()

        assert program.wait(20) == 141
        assert program.stderr.read() == b""


def on_terminal(
    arguments: list[str],
    width: int,
    answer: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run the program on a terminal of that width and give what it wrote there."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(width), "TERM": "xterm", **(environment or {})}
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    ) as program:
        os.close(theirs)
        if answer:
            os.write(ours, answer)
        said = b""
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:
            pass  # Linux ends a terminal so when the last writer has gone
        code = program.wait(20)
    os.close(ours)
    return code, said.decode().replace("\r\n", "\n")


def test_a_table_fits_the_terminal_and_has_colors(agent: Script) -> None:
    apps = [answers.app(reason="a very long reason " * 10)]
    agent.on("GET", "/v1/apps", {"apps": apps})

    code, said = on_terminal(["apps", "list"], 60)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert code == 0
    assert "\x1b[32msettled\x1b[0m" in said
    assert max(map(len, plain.splitlines())) <= 60
    assert " ".join(plain.split()).count("very long reason") == 10


def test_a_column_too_narrow_to_read_is_cut(agent: Script) -> None:
    apps = [answers.app(reason="a very long reason " * 10)]
    agent.on("GET", "/v1/apps", {"apps": apps})

    _, said = on_terminal(["apps", "list", "--no-color"], 50)

    assert max(map(len, said.splitlines())) == 50
    assert said.rstrip().endswith("…")


def test_a_command_that_is_mistyped_is_guessed(agent: Script) -> None:
    _, said = on_terminal(["fleet", "devicess"], 80)

    assert "Did you mean 'devices'?" in said


@pytest.mark.parametrize(
    ("arguments", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})]
)
def test_colors_can_be_had_off(
    agent: Script, arguments: list[str], environment: dict[str, str]
) -> None:
    agent.on("GET", "/v1/apps", {"apps": [answers.app()]})

    _, said = on_terminal(["apps", "list", *arguments], 80, environment=environment)

    assert "\x1b" not in said


def test_what_a_service_writes_cannot_command_the_terminal(agent: Script) -> None:
    message = json.dumps({"message": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\ttab"})
    agent.on("GET", "/v1/services/web/logs", chunked(message.encode() + b"\n"))

    _, said = on_terminal(["services", "logs", "web"], 80)

    assert said == "\x1b[31mred\x1b[0m \\x1b]0;title\\x07 \\x1b[2J\ttab\n"


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1)])
def test_a_question_is_answered_on_the_terminal(agent: Script, answer: bytes, code: int) -> None:
    agent.on("POST", "/v1/apps/1001/purge", answers.acted("purged"))

    found, said = on_terminal(["apps", "purge", "1001"], 80, answer)

    assert found == code
    assert "[y/N]" in said
    assert bool(agent.asked) == (code == 0)


def test_help_of_a_command(iotctl: Iotctl) -> None:
    assert iotctl("help", "apps", "stop").out == iotctl("apps", "stop", "--help").out
    assert iotctl("help").out == iotctl("--help").out
    assert iotctl("help", "nope").code == 2


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version_flag(iotctl: Iotctl, flag: str) -> None:
    assert re.fullmatch(r"iotctl, version \d+\.\d+\.\d+\S*\n", iotctl(flag).out)


def test_version_of_both(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/device", answers.device(agentVersion="9.9.9"))

    assert "agent   9.9.9\n" in iotctl("version").out
    assert iotctl("version", "--json").document["agent"] == "9.9.9"


def test_version_without_an_agent(iotctl: Iotctl) -> None:
    said = iotctl("version", "--json")

    assert said.code == 0
    assert said.document["agent"] is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(iotctl: Iotctl, shell: str) -> None:
    said = iotctl("completion", shell)

    assert said.code == 0
    assert "_IOTCTL_COMPLETE" in said.out


def test_completion_completes() -> None:
    done = subprocess.run(
        PROGRAM,
        env={
            **os.environ,
            "_IOTCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": "iotctl apps st",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.split() == ["plain,start", "plain,stop"]


def test_our_own_mistake_is_told_without_a_trace(
    iotctl: Iotctl, agent: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    agent.on("GET", "/v1/status", answers.status())
    monkeypatch.setattr("iotistic.cli.output.Output.show", broken)

    said = iotctl("status")

    assert said.code == 1
    assert len(said.err.splitlines()) == 2
    assert "secret inside" not in said.err


def test_an_output_that_was_closed_before_the_start_is_no_crash() -> None:
    closed = f"{sys.executable} -m iotistic.cli help >&-"
    done = subprocess.run(
        ["sh", "-c", closed], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_an_argument_that_is_no_text_is_a_usage_error() -> None:
    done = subprocess.run(
        [*PROGRAM, "apps", "info", b"\xff"], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert b"not text" in done.stderr


def test_letters_cannot_be_made_to_stand_in_another_order() -> None:
    assert plain("abc\u202egpj") == "abc\\x202egpj"

"""Whatever a peer answers, a command ends with an exit code and a line, never with a trace."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotistic.cli.__main__ import run
from iotistic.cli.failure import ExitCode
from tests.cli import answers
from tests.cli.scripted_server import Answer, Asked, Script, tcp_server, unix_server
from tests.cli.test_compose import APP
from tests.cli.test_fleet_devices_keys import KEY, REPORT, device
from tests.cli.test_fleet_records import EVENT, FIGURE, GAPS, LOG_LINE
from tests.cli.test_fleet_target import saved
from tests.cli.test_reset_identity_config import ENDPOINTS, PREVIEW, identity, sent, setting
from tests.cli.test_traffic import TRAFFIC

COMMANDS: dict[str, Any] = {
    "status": answers.status(),
    "plan": answers.plan(),
    "doctor": {"healthy": True, "checks": []},
    "apps list": {"apps": [answers.app()]},
    "apps info 1": answers.app(),
    "apps stop 1": answers.acted("stopped"),
    "services list": {"services": [answers.service()]},
    "services info web": answers.service(),
    "services logs web": {"message": "hello"},
    "compose export 1001": {"apps": {"1001": APP}, "config": {}, "version": 1},
    "logs": {"timestamp": 1, "level": "info", "component": "c", "message": "m", "context": {}},
    "sync": {"changed": True, "version": 1, "state": "online", "refusal": None},
    "traffic --days 3": TRAFFIC,
    "restart --no-wait": {"status": "restarting", "pid": 1, "startedAt": 1},
    "version": answers.device(),
    "provision 5e5e": answers.provisioning(),
    "provision status": answers.provisioning(),
    "deprovision -y": {"status": "deprovisioned", "uuid": answers.UUID, "cloudTold": False},
    "factory-reset -y --no-wait": {**PREVIEW, "status": "resetting"},
    "config show": {"settings": [setting()], "cloud": [sent()], **ENDPOINTS},
    "config get X": setting(),
    "config set X 1": {"settings": [setting()]},
    "config get-api": {"settings": [], **ENDPOINTS},
    "identity": identity(),
    "identity renew -y": identity(status="renewing"),
    "fleet whoami": {"username": "ada", "role": "admin"},
    "fleet devices list": {"devices": [device()]},
    "fleet devices show pump-3": {**device(), "devices": [device()], **REPORT},
    f"fleet devices show {answers.UUID}": {**device(), **REPORT},
    f"fleet devices report {answers.UUID}": REPORT,
    f"fleet logs {answers.UUID}": {"logs": [LOG_LINE], "services": []},
    f"fleet metrics {answers.UUID}": {"series": {"cpu": [FIGURE]}, "truncated": True},
    f"fleet events {answers.UUID}": {"events": [EVENT]},
    f"fleet gaps {answers.UUID}": GAPS,
    "fleet keys list": {"keys": [KEY]},
    "fleet keys create": {**KEY, "key": "k", "command": "c"},
    f"fleet target get {answers.UUID}": saved(),
    f"fleet target deploy {answers.UUID}": saved(),
    f"fleet target edit {answers.UUID}": saved(),
    f"fleet target history {answers.UUID}": {
        "versions": [
            {"version": 1, "createdAt": None, "author": "", "deployedAt": None, "comment": ""}
        ]
    },
}
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
ANY = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


class _Always(Script):
    """Answers everything alike."""

    answered: Any = None

    def answer(self, asked: Asked) -> Answer:
        body = json.dumps(self.answered).encode()
        if asked.path.endswith("logs"):
            return Answer(200, body + b"\n", {"Content-Type": "application/x-ndjson"})
        return Answer(200, body)


@pytest.fixture
def peer(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Always]:
    """Agent and cloud at once."""
    script = _Always()
    monkeypatch.setenv("VISUAL", "true")
    monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "t")
    monkeypatch.setattr("iotistic.cli.commands.provision._LOOK_AGAIN_S", 0.001)
    with unix_server(state_dir / "agent.sock", script), tcp_server(script) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")
        yield script


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """A good answer in which one thing, at any depth, is gone or something else."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 4)) == 0:
        return draw(ANY)
    if isinstance(document, list):
        return [draw(damaged(document[0])), *document[1:]]
    name = draw(st.sampled_from(sorted(document)))
    if draw(st.integers(0, 3)) == 0:
        return {key: value for key, value in document.items() if key != name}
    return {**document, name: draw(damaged(document[name]))}


@pytest.mark.parametrize("command", COMMANDS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_answer_ends_in_an_exit_code(peer: _Always, command: str, data: st.DataObject) -> None:
    peer.answered = data.draw(damaged(COMMANDS[command]))
    out, err = io.StringIO(), io.StringIO()

    with redirect_stdout(out), redirect_stderr(err):
        code = run([*command.split(), "--timeout", "0.2"])

    assert code in set(ExitCode)
    assert "should not have happened" not in err.getvalue(), err.getvalue()
    if "logs" not in command:  # what a service wrote goes into a pipe as it is
        assert all(character >= " " or character == "\n" for character in out.getvalue())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_answer_that_gets_damaged_was_good(
    peer: _Always, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.answered = COMMANDS[command]

    code = run([*command.split(), "--timeout", "5"])

    assert code in {ExitCode.OK, ExitCode.DIFFERS}, capsys.readouterr().err

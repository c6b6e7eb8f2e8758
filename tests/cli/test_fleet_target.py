"""Targets, and editing them; the editor is a real program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused, tcp_server

TARGET = f"/api/v1/devices/{answers.UUID}/target-state"
ETAG = {"ETag": '"e1-7"'}
APPS = {"1001": {"appId": 1001, "appName": "shop", "services": []}}


def saved(**changes: Any) -> dict[str, Any]:
    return {
        "status": "ok",
        "message": "saved and deployed",
        "uuid": answers.UUID,
        "version": 7,
        "deployedVersion": 7,
        "apps": APPS,
        "config": {},
        "warnings": [],
        **changes,
    }


@pytest.fixture
def cloud(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A scripted cloud, in which somebody is logged in."""
    script = Script()
    script.on("GET", TARGET, Answer(200, saved(), ETAG))
    script.on("PUT", TARGET, saved(version=8))
    with tcp_server(script) as port:
        monkeypatch.setenv("IOTISTIC_CLOUD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("IOTISTIC_CLOUD_TOKEN", "t")
        monkeypatch.setenv("TMPDIR", str(state_dir))
        monkeypatch.setattr("tempfile.tempdir", None)
        yield script


def test_what_get_prints_set_takes_and_builds_on(
    iotctl: Iotctl, cloud: Script, tmp_path: Path
) -> None:
    got = iotctl("fleet", "target", "get", answers.UUID)
    file = tmp_path / "target.yaml"
    file.write_text(got.out)

    said = iotctl("fleet", "target", "set", answers.UUID, str(file), "-m", "why")

    assert got.err == "version 7, deployed\n"
    assert (said.code, said.out) == (0, "version 8: saved and deployed\n")
    assert cloud.last.document == {"apps": APPS, "config": {}, "comment": "why"}
    assert cloud.last.headers["if-match"] == '"e1-7"'
    assert cloud.last.query == {}


@pytest.mark.parametrize(
    ("options", "query", "if_match"),
    [
        (["--stage"], {"stage": "1"}, '"x"'),
        (["--dry-run"], {"dryRun": "1"}, '"x"'),
        (["--force"], {}, None),
    ],
)
def test_ways_to_set(
    iotctl: Iotctl,
    cloud: Script,
    options: list[str],
    query: dict[str, str],
    if_match: str | None,
) -> None:
    document = json.dumps({"apps": APPS, "etag": '"x"'})

    said = iotctl("fleet", "target", "set", answers.UUID, "-", *options, stdin=document)

    assert said.code == 0
    assert cloud.last.query == query
    assert cloud.last.headers.get("if-match") == if_match


def test_a_new_epoch_is_confirmed_first(iotctl: Iotctl, cloud: Script) -> None:
    arguments = ("fleet", "target", "set", answers.UUID, "-", "--new-epoch")

    assert iotctl(*arguments, stdin='{"apps": {}}').code == 2
    assert cloud.asked == []
    assert iotctl(*arguments, "--yes", stdin='{"apps": {}}').code == 0
    assert cloud.last.document == {"apps": {}, "newEpoch": True}


def test_somebody_else_saved_meanwhile_is_5(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("PUT", TARGET, refused(412, "changed-meanwhile", "it is at another version"))

    said = iotctl("fleet", "target", "set", answers.UUID, "-", stdin='{"apps": {}}')

    assert said.code == 5
    assert "somebody else" in said.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"apps": {},\n "config": }', "line 2, column 12"),
        ("[]", "expected an object"),
        ("[" * 100_000, "nested too deeply"),
        ("", "expected an object"),
        ("apps:\n  a: [", "line 3, column 1"),
        ("apps: 1\napps: 2", "line 2"),
        ("5", "expected an object"),
        ('{"apps": {}, "etag": "a\\r\\nX-Evil: 1"}', "etag: expected"),
        ('{"apps": {}, "etag": 1}', "etag: expected"),
    ],
)
def test_a_text_that_is_no_target_is_2(iotctl: Iotctl, cloud: Script, text: str, told: str) -> None:
    said = iotctl("fleet", "target", "set", answers.UUID, "-", stdin=text)

    assert said.code == 2
    assert told in said.err
    assert cloud.asked == []


def test_warnings_are_told(iotctl: Iotctl, cloud: Script) -> None:
    cloud.on("PUT", TARGET, saved(warnings=["apps.1001.colour: unknown field, ignored"]))

    said = iotctl("fleet", "target", "set", answers.UUID, "-", stdin='{"apps": {}}')

    assert said.err == "warning: apps.1001.colour: unknown field, ignored\n"


Editor = Callable[[str], Path]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Makes an editor of a few lines of Python over `text`; each call keeps what it was shown."""
    monkeypatch.delenv("VISUAL", raising=False)

    def make(code: str) -> Path:
        program = tmp_path / "editor.py"
        shown = tmp_path / "shown"
        shown.mkdir()
        program.write_text(
            "import pathlib, sys\n"
            f"shown = pathlib.Path({str(shown)!r})\n"
            "file = pathlib.Path(sys.argv[-1])\n"
            "text = file.read_text()\n"
            "round = len(list(shown.iterdir()))\n"
            "(shown / str(round)).write_text(text)\n"
            f"{code}\n"
            "file.write_text(text)\n"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} {program}")
        return shown

    return make


def left_over(state_dir: Path) -> list[Path]:
    return sorted(state_dir.glob("iotctl-*/*"))


def test_an_edit_is_checked_then_saved_on_the_version_it_began_with(
    iotctl: Iotctl, cloud: Script, editor: Editor, state_dir: Path
) -> None:
    editor("text = text.replace('shop', 'store')")

    said = iotctl("fleet", "target", "edit", answers.UUID, "-m", "renamed")

    assert (said.code, said.out) == (0, "version 8: saved and deployed\n")
    checked, put = cloud.asked[1:]
    assert checked.query == {"dryRun": "1"}
    assert put.query == {}
    assert put.headers["if-match"] == '"e1-7"'
    assert put.document["apps"]["1001"]["appName"] == "store"
    assert put.document["comment"] == "renamed"
    assert left_over(state_dir) == []


def test_a_refused_edit_comes_back_with_the_error_on_top(
    iotctl: Iotctl, cloud: Script, editor: Editor
) -> None:
    shown = editor("text = text.replace('shop', 'a/b') if round == 0 else text.replace('a/b', 'c')")
    wrong = refused(400, "invalid-field", "apps.1001.appName: expected a name, found 'a/b'")
    cloud.on("PUT", TARGET, wrong, saved(), saved(version=8))

    said = iotctl("fleet", "target", "edit", answers.UUID)

    assert said.code == 0
    again = (shown / "1").read_text()
    assert "# apps.1001.appName: expected a name, found 'a/b'\n" in again
    assert "appName: a/b\n" in again
    assert cloud.last.document["apps"]["1001"]["appName"] == "c"


def test_broken_yaml_comes_back_with_its_line(
    iotctl: Iotctl, cloud: Script, editor: Editor
) -> None:
    shown = editor(
        "text = text.replace('{}', '{') if round == 0 else text.replace('{\\n', '{a: 1}\\n')"
    )

    said = iotctl("fleet", "target", "edit", answers.UUID)

    again = (shown / "1").read_text()
    assert said.code == 0, said.err
    assert "# line " in again


@pytest.mark.parametrize("code", ["", "text = ''"], ids=["no change", "emptied"])
def test_an_edit_that_changes_nothing_saves_nothing(
    iotctl: Iotctl, cloud: Script, editor: Editor, state_dir: Path, code: str
) -> None:
    editor(code)

    said = iotctl("fleet", "target", "edit", answers.UUID)

    assert (said.code, said.err) == (0, "nothing was changed\n")
    assert [asked.method for asked in cloud.asked] == ["GET"]
    assert left_over(state_dir) == []


def test_a_refused_edit_that_is_left_as_it_is_ends_and_is_kept(
    iotctl: Iotctl, cloud: Script, editor: Editor, state_dir: Path
) -> None:
    editor("text = text.replace('shop', 'a/b')")
    cloud.on("PUT", TARGET, refused(400, "invalid-field", "no"))

    said = iotctl("fleet", "target", "edit", answers.UUID)

    (kept,) = left_over(state_dir)
    assert said.code == 1
    assert str(kept) in said.err


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refused(412, "changed-meanwhile", "no"), id="changed meanwhile"),
        pytest.param(refused(500, "internal", "no"), id="a fault there"),
    ],
)
def test_the_text_of_an_edit_that_could_not_be_saved_is_kept_for_its_owner(
    iotctl: Iotctl, cloud: Script, editor: Editor, state_dir: Path, answer: Answer
) -> None:
    editor("text = text.replace('shop', 'store')")
    cloud.on("PUT", TARGET, saved(), answer)

    said = iotctl("fleet", "target", "edit", answers.UUID)

    (kept,) = left_over(state_dir)
    assert said.code in {1, 5}
    assert f"your text is kept in {kept}" in said.err
    assert "store" in kept.read_text()
    assert kept.parent.stat().st_mode & 0o077 == 0


def test_an_editor_that_is_not_there_is_2(
    iotctl: Iotctl, cloud: Script, monkeypatch: pytest.MonkeyPatch, state_dir: Path
) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/editor")

    said = iotctl("fleet", "target", "edit", answers.UUID)

    assert said.code == 2
    assert "EDITOR" in said.err
    assert left_over(state_dir) == []


def test_an_editor_that_fails_saves_nothing(
    iotctl: Iotctl, cloud: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "false")

    assert iotctl("fleet", "target", "edit", answers.UUID).code == 1
    assert [asked.method for asked in cloud.asked] == ["GET"]

"""A target as text that a person edits: YAML, or JSON, with comment lines on top."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iotistic.cli.failure import ExitCode, Failure
from iotistic.compose import YAML_BYTES_MAX, YamlDocument, read_yaml, yaml_text
from iotistic.model.errors import InvalidField

TEXT_BYTES_MAX = 10 * 1024 * 1024
_COMMENT = "#"
_HELP = (
    "What this device is to run. Lines on top that begin with # are left out.",
    "*** stands for a secret: left as it is it stays, another value takes its place.",
    "Save and leave to deploy; leave without a change, or with nothing, to stop.",
)


def target_text(found: dict[str, Any], *, etag: str | None) -> str:
    """The part of a target that people write, in one layout."""
    shown: dict[str, Any] = {"etag": etag} if etag else {}
    shown |= {"apps": found["apps"], "config": found["config"]}
    if found.get("strict"):
        shown["strict"] = True
    text = yaml_text(shown)
    if (
        len(text.encode()) > YAML_BYTES_MAX
    ):  # more than is read of it; JSON is read ten times as far
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    return text


def read_target_text(text: str) -> YamlDocument:
    """The document of a text, YAML or JSON. Raises Failure with the line of the fault."""
    lines = text.splitlines()
    on_top = 0
    while on_top < len(lines) and lines[on_top].lstrip().startswith(_COMMENT):
        on_top += 1
    body = "\n".join(lines[on_top:])
    if body.lstrip().startswith(("{", "[")):
        # Empty lines in place of the comments, so that the fault's line is the text's.
        document = YamlDocument(value=_json("\n" * on_top + body), lines={})
    else:
        try:
            document = read_yaml(text)
        except InvalidField as error:
            raise Failure(error.message, ExitCode.USAGE, code="bad-yaml") from error
    if not isinstance(document.value, dict):
        raise Failure("expected an object with apps and config", ExitCode.USAGE, code="bad-json")
    return document


def parse_target_text(text: str) -> dict[str, Any]:
    """The document of a text as it is sent. Raises Failure with the line of the fault."""
    return dict(read_target_text(text).value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(
            f"line {error.lineno}, column {error.colno}: {error.msg}",
            ExitCode.USAGE,
            code="bad-json",
        ) from error
    except RecursionError as error:
        raise Failure("it is nested too deeply", ExitCode.USAGE, code="bad-json") from error


class Editing:
    """A text in the user's editor, again and again until it is right.

    It may hold secrets, so it lies in a folder of mode 0700. That folder goes when all is done;
    when something failed it stays, for it may be an hour's work.
    """

    def __init__(self, text: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="iotctl-"))
        self._file = self._folder / "target.yaml"
        self._before = text
        self._done = False
        self._write(_HELP, text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._done or self._body(self._read()) == self._before:
            shutil.rmtree(self._folder, ignore_errors=True)
        elif isinstance(error, Failure):
            kept = f"your text is kept in {self._file}"
            error.remedy = f"{error.remedy}; {kept}" if error.remedy else kept

    def next_document(self) -> dict[str, Any] | None:
        """What the user made of it; None: nothing, or not a change.

        Raises Failure when a text that was refused is left as it is, or the editor fails.
        """
        while True:
            shown = self._read()
            self._run_editor()
            text = self._read()
            body = self._body(text)
            if not body.strip() or body == self._before:
                return None
            if text == shown:
                raise Failure("it was left as it was refused; nothing was saved")
            try:
                return parse_target_text(text)
            except Failure as failure:
                self.refuse(str(failure))

    def refuse(self, why: str) -> None:
        """Say on top of the text what is wrong with it, for the next round."""
        self._write((*_HELP, "", *why.splitlines()), self._body(self._read()))

    def done(self) -> None:
        """The text is not needed any more."""
        self._done = True

    def _run_editor(self) -> None:
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            command = [*shlex.split(editor), str(self._file)]
            ended = subprocess.run(command, check=False).returncode  # noqa: S603  the user's own
        except (OSError, ValueError) as error:
            raise Failure(
                f"the editor {editor} cannot be started",
                ExitCode.USAGE,
                remedy="name one with EDITOR",
            ) from error
        if ended != 0:
            raise Failure(f"the editor {editor} ended with {ended}; nothing was saved")

    def _write(self, comments: tuple[str, ...], body: str) -> None:
        head = "".join(f"{_COMMENT} {comment}".rstrip() + "\n" for comment in comments)
        self._file.write_text(head + body, "utf-8")

    def _read(self) -> str:
        try:
            return self._file.read_text("utf-8")[:TEXT_BYTES_MAX]
        except (OSError, UnicodeDecodeError) as error:
            raise Failure("what the editor left cannot be read as text") from error

    @staticmethod
    def _body(text: str) -> str:
        lines = text.splitlines(keepends=True)
        while lines and lines[0].lstrip().startswith(_COMMENT):
            del lines[0]
        return "".join(lines)

"""A compose file at the desk: the file itself, what it names beside it, what was given for it."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from iotistic.cli.failure import ExitCode, Failure
from iotistic.compose import (
    Gathered,
    NotOnADevice,
    YamlDocument,
    own_app_id,
    own_name,
    parse_env_file,
    resolved,
)
from iotistic.model.errors import InvalidField

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"
_FILE_BYTES_MAX = 256 * 1024
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,255})=(.*)", re.DOTALL)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def with_variables(command: F) -> F:
    """The options that give values for what a compose file leaves open."""
    for option in (
        click.option(
            "--env-file",
            "env_files",
            multiple=True,
            metavar="FILE",
            help="Values for ${NAME}: lines of NAME=VALUE.",
        ),
        click.option(
            "--env",
            "env",
            multiple=True,
            metavar="NAME=VALUE",
            help="One value for ${NAME}; others on this machine can see it, so no secret.",
        ),
    ):
        command = option(command)
    return command


def chosen_app(word: str | None) -> tuple[int | None, str | None]:
    """The id and the name that `--app` gives: one of both, or none. Raises Failure."""
    if word is None or not word.isascii() or not word.isdigit():
        return None, word
    if len(word) > 16 or not 0 < int(word) < 2**53:
        raise Failure("--app: expected an id from 1 to 2^53 - 1, or a name", ExitCode.USAGE)
    return int(word), None


def variables_of(env: tuple[str, ...], env_files: tuple[str, ...]) -> dict[str, str]:
    """What was given, files in their order and single values over them. Raises Failure."""
    found: dict[str, str] = {}
    for file in env_files:
        text = _read_small(Path(file), f"--env-file {file}")
        if text is None:
            raise Failure(f"--env-file {file}: there is no such file", ExitCode.USAGE)
        try:
            found |= parse_env_file(text, file, found)
        except InvalidField as error:
            raise Failure(
                error.message, ExitCode.USAGE, code=error.code, remedy=error.remedy
            ) from error
    for given in env:
        match = _VARIABLE.fullmatch(given)
        if match is None:
            # Not shown: it may be a value whose name was forgotten.
            raise Failure("--env: expected NAME=VALUE", ExitCode.USAGE, code="invalid-field")
        found[match[1]] = match[2]
    return found


def resolve(document: YamlDocument, file: str, variables: Mapping[str, str]) -> Gathered:
    """The document of a file with everything in it that stands elsewhere. Raises InvalidField."""
    folder = Path() if file == STDIN else Path(file).parent
    return resolved(document.value, variables=variables, files=_Beside(folder))


def name_for(document: Mapping[str, Any], file: str) -> str | None:
    """What an app is called that has neither a name nor an id: as the folder, as compose has it."""
    if own_name(document) or own_app_id(document) or file == STDIN:
        return None
    folder = Path(file).resolve().parent.name
    return _NOT_IN_A_NAME.sub("-", folder).strip("-._")[:63] or None


@contextmanager
def faults_of(
    file: str,
    document: YamlDocument,
    *,
    fault: ExitCode = ExitCode.USAGE,
    refused: ExitCode = ExitCode.USAGE,
) -> Iterator[None]:
    """Tell what is wrong with a file by its name and line, or what of it a device does not do."""
    try:
        yield
    except InvalidField as error:
        first, *others = (f"{_where(file, document, one.path)}: {one.message}" for one in error.all)
        raise Failure(
            first,
            refused if isinstance(error, NotOnADevice) else fault,
            code=error.code,
            remedy=error.remedy,
            also=others,
        ) from error


def _where(file: str, document: YamlDocument, path: str) -> str:
    line = document.line_of(path)
    return file if line is None else f"{file} line {line}"


@contextmanager
def places_in(file: str, document: YamlDocument) -> Iterator[None]:
    """Add file and line to a refusal that names a place in the document."""
    try:
        yield
    except Failure as failure:
        details = (failure.body or {}).get("details")
        path = details.get("path") if isinstance(details, Mapping) else None
        if isinstance(path, str) and (line := document.line_of(path)) is not None:
            failure.message = f"{file} line {line}: {failure.message}"
        failure.also = tuple(_further(file, document, details))
        raise


def _further(file: str, document: YamlDocument, details: object) -> Iterator[str]:
    """What else an API found wrong in the document."""
    more = details.get("more") if isinstance(details, Mapping) else None
    for one in more if isinstance(more, list) else ():
        if isinstance(one, Mapping) and isinstance(path := one.get("path"), str):
            where = _where(file, document, path)
            yield f"{where}: {path}: expected {one.get('expected')}, found {one.get('found')}"


def read_document(file: str, *, bytes_max: int) -> str:
    """The text of FILE, or of stdin for `-`. Raises Failure."""
    try:
        if file == STDIN:
            raw = sys.stdin.read(bytes_max + 1)
        else:
            with Path(file).open(encoding="utf-8") as source:
                raw = source.read(bytes_max + 1)
    except OSError as error:
        raise Failure(
            f"{file} cannot be read: {error.strerror or error}", ExitCode.USAGE
        ) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text", ExitCode.USAGE) from error
    if len(raw) > bytes_max:
        raise Failure(f"{file} is larger than {bytes_max} bytes", ExitCode.USAGE)
    return raw


@dataclass(frozen=True, slots=True)
class _Beside:
    """Files beside a compose file."""

    folder: Path

    def read(self, path: str, *, at: str) -> str | None:
        """The text of a file, by its path from the folder. Raises InvalidField."""
        try:
            return _read_small(self.folder / path, path)
        except Failure as failure:
            raise InvalidField(
                at, expected="a file with text that can be read", found=failure.message
            ) from failure


def _read_small(path: Path, what: str) -> str | None:
    """The text of a small file, None when there is none. Raises Failure."""
    try:
        # What is no file might be read from for ever, or wait for a writer.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise Failure(f"{what} is no file", ExitCode.USAGE)
            data = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is none"
        raise Failure(f"{what} cannot be read: {reason}", ExitCode.USAGE) from error
    if len(data) > _FILE_BYTES_MAX:
        raise Failure(f"{what} is larger than {_FILE_BYTES_MAX} bytes", ExitCode.USAGE)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Failure(f"{what} is not UTF-8 text", ExitCode.USAGE) from error

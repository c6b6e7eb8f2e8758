"""A target in a file, as the agent is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.cli.commands.target_text import TEXT_BYTES_MAX, read_target_text
from iotistic.cli.compose_file import faults_of, name_for, read_document, resolve
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.session import Session
from iotistic.compose import YamlDocument, is_compose

_NOT_OF_THE_TARGET = ("etag", "comment", "newEpoch")


def read_target(file: str) -> YamlDocument:
    """The document of FILE, or of stdin for `-`. Raises Failure."""
    return read_target_text(read_document(file, bytes_max=TEXT_BYTES_MAX))


def question(
    session: Session,
    file: str,
    found: YamlDocument,
    *,
    app_id: int | None,
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """What to ask of the agent: a whole target as it stands, a compose file as one app."""
    if not is_compose(found.value):
        if app_id is not None or variables:
            raise Failure(
                f"{file} is no compose file: --app, --env and --env-file mean nothing for it",
                ExitCode.USAGE,
            )
        return {
            name: value for name, value in found.value.items() if name not in _NOT_OF_THE_TARGET
        }
    with faults_of(file, found):
        gathered = resolve(found, file, variables)
    for note in gathered.notes:
        session.out.message(f"note: {note}")
    body: dict[str, Any] = {"compose": gathered.document}
    if app_id is not None:
        body["appId"] = app_id
    elif name := name_for(gathered.document, file):
        body["appName"] = name
    return body

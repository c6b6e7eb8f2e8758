"""A target in a file, as the agent is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.cli.commands.target_text import TEXT_BYTES_MAX, read_target_text
from iotistic.cli.compose_file import chosen_app, faults_of, name_for, read_document, resolve
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import unknown_form
from iotistic.cli.session import Session
from iotistic.compose import (
    YamlDocument,
    app_id_of,
    from_compose,
    is_compose,
    own_app_id,
    own_name,
)

_NOT_OF_THE_TARGET = ("etag", "comment", "newEpoch")


def read_target(file: str) -> YamlDocument:
    """The document of FILE, or of stdin for `-`. Raises Failure."""
    return read_target_text(read_document(file, bytes_max=TEXT_BYTES_MAX))


def question(
    session: Session,
    file: str,
    found: YamlDocument,
    *,
    app: str | None,
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """What to ask of the agent: a whole target as it stands, a compose file as one app."""
    if not is_compose(found.value):
        if app is not None or variables:
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
    held = _held_apps(session)
    document = gathered.document
    app_id, app_name = chosen_app(app)
    name = app_name or own_name(document) or name_for(document, file)
    own_id = None if app_name else own_app_id(document)
    chosen = app_id or own_id or app_id_of(name, held)
    before = held.get(str(chosen), {})
    with faults_of(file, found):
        made = from_compose(
            document,
            app_id=chosen,
            app_name=name or before.get("appName"),
            # A service that is there keeps its id, so that it is not taken for another one.
            service_ids={s["serviceName"]: s["serviceId"] for s in before.get("services", ())},
        )
    for warning in made.warnings:
        session.out.message(f"warning: {warning}")
    return {"apps": {str(chosen): made.app}, "keepOthers": True}


def _held_apps(session: Session) -> Mapping[str, Any]:
    try:
        reply = session.device.json("GET", "/v1/state/target")
    except Failure as failure:
        if failure.exit_code is ExitCode.NOT_FOUND:
            return {}
        raise
    apps = reply.json().get("apps")
    if not isinstance(apps, Mapping):
        raise unknown_form()
    return apps

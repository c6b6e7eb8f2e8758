"""Compose files: is one good for a device, and an app as one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from iotistic.cli.compose_file import (
    faults_of,
    name_for,
    read_document,
    resolve,
    variables_of,
    with_variables,
)
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import unknown_form
from iotistic.cli.lazy import Group
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session
from iotistic.compose import (
    APP_ID_DEFAULT,
    YAML_BYTES_MAX,
    FromCompose,
    Gathered,
    YamlDocument,
    from_compose,
    own_app_id,
    read_yaml,
    to_compose,
    yaml_text,
)
from iotistic.model.errors import InvalidField
from iotistic.model.target_secrets import hidden

_NOT_READ = YamlDocument(value=None, lines={})
_APP_ID = click.IntRange(min=1, max=2**53 - 1)


@click.group(cls=Group)
def compose() -> None:
    """Compose files: bring one along, take one away."""


@compose.command()
@click.argument("file")
@click.option("--strict", is_flag=True, help="Refuse fields that are not known or not applied.")
@with_variables
@click.pass_obj
def check(
    session: Session, file: str, strict: bool, env: tuple[str, ...], env_files: tuple[str, ...]
) -> None:
    """Say whether a device can run what FILE (- for stdin) describes.

    It is read by the code that reads it in the cloud and on the device; nothing is sent anywhere.
    Exit code 1: it has a fault; 5: it asks for what a device does not do, or with --strict for
    what is not known.
    """
    variables = variables_of(env, env_files)
    text = read_document(file, bytes_max=YAML_BYTES_MAX)
    with faults_of(file, _NOT_READ, fault=ExitCode.FAILED):
        document = read_yaml(text)
    with faults_of(file, document, fault=ExitCode.FAILED, refused=ExitCode.REFUSED):
        gathered = resolve(document, file, variables)
        found = _app(gathered, file)
    for warning in found.warnings:
        line = document.line_of(warning.partition(": ")[0])
        session.out.message(f"warning: line {line}: {warning}" if line else f"warning: {warning}")
    for note in gathered.notes:
        session.out.message(f"note: {note}")
    if strict:
        with faults_of(file, document, fault=ExitCode.REFUSED):
            _app(gathered, file, strict=True)
    _show(session, found, gathered)


def _app(gathered: Gathered, file: str, *, strict: bool = False) -> FromCompose:
    document = gathered.document
    return from_compose(
        document,
        app_id=own_app_id(document) or APP_ID_DEFAULT,
        app_name=name_for(document, file),
        strict=strict,
    )


def _show(session: Session, found: FromCompose, gathered: Gathered) -> None:
    app = found.parsed
    if session.out.as_json:
        told = {
            "valid": True,
            "app": hidden({"apps": {"0": found.app}})["apps"]["0"],
            "warnings": list(found.warnings),
            "notes": list(gathered.notes),
        }
        session.out.document(json.dumps(told, ensure_ascii=False).encode())
        return
    session.out.table(
        ("SERVICE", "IMAGE", "STATE", "AFTER"),
        [
            (
                service.service_name,
                str(service.spec.image),
                str(service.state),
                ", ".join(dependency.service for dependency in service.depends_on) or None,
            )
            for service in app.services
        ],
    )
    session.out.line(f"{app.app_name}: {_count(len(app.services), 'service')}, good")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@compose.command()
@click.argument("app_id", metavar="APP", type=_APP_ID)
@click.pass_obj
def export(session: Session, app_id: int) -> None:
    """Print an app of this device as a compose file.

    Secrets, and all values of the environment, are not in it: they are ${NAME}, for --env-file.
    """
    reply = session.device.json("GET", "/v1/state/target")
    try:
        app = _find(reply.json()["apps"], app_id)
        found = to_compose(app)
    except (InvalidField, *UNKNOWN_FORM) as error:
        raise unknown_form() from error
    if session.out.as_json:
        session.out.document(json.dumps(found.document, ensure_ascii=False).encode())
    else:
        session.out.text(yaml_text(found.document))
    if found.variables:
        session.out.message(f"it needs values for: {', '.join(found.variables)}")


def _find(apps: Any, app_id: int) -> Mapping[str, Any]:
    entries = apps.items() if isinstance(apps, Mapping) else ((None, app) for app in apps)
    for key, app in entries:
        if str(app.get("appId", key)) == str(app_id):
            return {**app, "appId": app_id}
    raise Failure(
        f"the target of this device has no app {app_id}",
        ExitCode.NOT_FOUND,
        code="app-not-found",
        remedy="iotctl apps list shows them",
    )

"""What a device is to run."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from iotistic.cli.commands.fleet_devices import find_device
from iotistic.cli.commands.target_text import (
    TEXT_BYTES_MAX,
    Editing,
    read_target_text,
    target_text,
)
from iotistic.cli.compose_file import (
    chosen_app,
    faults_of,
    name_for,
    places_in,
    read_document,
    resolve,
    variables_of,
    with_variables,
)
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import HttpClient, Reply, unknown_form
from iotistic.cli.lazy import Group
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session
from iotistic.cli.times import short_iso
from iotistic.compose import YamlDocument, is_compose

_device = click.argument("device")
_comment = click.option("--comment", "-m", default="", help="Why, for the history.")


@click.group(cls=Group)
def target() -> None:
    """What a device is to run.

    A DEVICE is named by its uuid, the beginning of it, its name, or its id.
    """


@target.command()
@_device
@click.option(
    "--version",
    "version",
    type=click.IntRange(min=1),
    help="An older one; rollback takes it back, secrets too.",
)
@click.pass_obj
def get(session: Session, device: str, version: int | None) -> None:
    """Print the newest target, as "set" takes it; secrets are masked.

    Its "etag" says on which version a change of it builds: if somebody else has saved one
    meanwhile, "set" is refused.
    """
    cloud = session.cloud
    path = f"/devices/{find_device(cloud, device)}/target-state"
    reply = cloud.json("GET", path if version is None else f"{path}/history/{version}")

    def render(found: dict[str, Any]) -> None:
        etag = reply.headers.get("etag") if version is None else None
        session.out.text(target_text(found, etag=etag))
        session.out.message(_standing(found) if version is None else f"version {version}")

    session.out.show(reply, render)


@target.command("set")
@_device
@click.argument("file")
@click.option("--stage", is_flag=True, help="Save it only; deploy it later.")
@click.option("--dry-run", is_flag=True, help="Check it only.")
@click.option("--new-epoch", is_flag=True, help="Also for a device that holds a higher version.")
@click.option("--force", is_flag=True, help="Whatever was saved meanwhile.")
@click.option("--replace", is_flag=True, help="Also an app that seems to be another one.")
@_comment
@click.option(
    "--app",
    "app",
    metavar="APP",
    help="Which app a compose file is (else that of its name, or a new one).",
)
@with_variables
@click.pass_obj
def set_(
    session: Session,
    device: str,
    file: str,
    stage: bool,
    dry_run: bool,
    new_epoch: bool,
    force: bool,
    replace: bool,
    comment: str,
    app: str | None,
    env: tuple[str, ...],
    env_files: tuple[str, ...],
) -> None:
    """Save a target from FILE (- for stdin) and deploy it.

    FILE is the whole target, YAML or JSON; or a compose file, which becomes one app of it while
    the others stay. A secret that is masked stays as it was.
    """
    found = read_target_text(read_document(file, bytes_max=TEXT_BYTES_MAX))
    if is_compose(found.value):
        document = _compose_body(session, file, found, app, variables_of(env, env_files))
        if replace:
            document["replace"] = True
    elif app or env or env_files:
        raise Failure(
            f"{file} is no compose file: --app, --env and --env-file mean nothing for it",
            ExitCode.USAGE,
        )
    else:
        document = dict(found.value)
    etag = _etag(document.pop("etag", None))
    if new_epoch:
        session.confirm(f"Make {device} take this even if it holds a higher version?")
        document["newEpoch"] = True
    if comment:
        document["comment"] = comment
    cloud = session.cloud
    uuid = find_device(cloud, device)
    query = {name: "1" for name, given in (("stage", stage), ("dryRun", dry_run)) if given}
    with places_in(file, found):
        reply = _put(cloud, uuid, document, etag=None if force else etag, query=query)
    _tell(session, reply)


def _compose_body(
    session: Session,
    file: str,
    document: YamlDocument,
    app: str | None,
    variables: dict[str, str],
) -> dict[str, Any]:
    with faults_of(file, document):
        gathered = resolve(document, file, variables)
    for note in gathered.notes:
        session.out.message(f"note: {note}")
    body: dict[str, Any] = {"compose": gathered.document}
    app_id, app_name = chosen_app(app)
    if app_id is not None:
        body["appId"] = app_id
    elif app_name:
        # Who names the app means that one.
        body |= {"appName": app_name, "replace": True}
    elif name := name_for(gathered.document, file):
        body["appName"] = name
    return body


@target.command()
@_device
@click.option("--stage", is_flag=True, help="Save it only; deploy it later.")
@_comment
@click.pass_obj
def edit(session: Session, device: str, stage: bool, comment: str) -> None:
    """Change the newest target in $EDITOR.

    It is checked before it is saved; if something is wrong, the editor opens again and says so.
    If somebody else saved a target meanwhile, nothing is saved and the text is kept.
    """
    cloud = session.cloud
    uuid = find_device(cloud, device)
    reply = cloud.json("GET", f"/devices/{uuid}/target-state")
    etag = reply.headers.get("etag")
    with Editing(_text_of(reply)) as editing:
        while (document := editing.next_document()) is not None:
            if comment:
                document["comment"] = comment
            try:
                _put(cloud, uuid, document, etag=None, query={"dryRun": "1"})
            except Failure as failure:
                if failure.exit_code is not ExitCode.USAGE:
                    raise
                editing.refuse(str(failure))
                continue
            query = {"stage": "1"} if stage else {}
            saved = _put(cloud, uuid, document, etag=etag, query=query)
            editing.done()
            _tell(session, saved)
            return
        editing.done()
        session.out.message("nothing was changed")


@target.command()
@_device
@click.pass_obj
def history(session: Session, device: str) -> None:
    """The versions that are kept, newest first."""
    cloud = session.cloud
    reply = cloud.json("GET", f"/devices/{find_device(cloud, device)}/target-state/history")

    def render(found: dict[str, Any]) -> None:
        rows = [
            (
                one["version"],
                short_iso(one["createdAt"]),
                one["author"],
                short_iso(one["deployedAt"]),
                one["comment"],
            )
            for one in found["versions"]
        ]
        session.out.table(("VERSION", "SAVED", "BY", "DEPLOYED", "COMMENT"), rows)

    session.out.show(reply, render)


@target.command()
@_device
@click.argument("version", type=click.IntRange(min=1))
@click.pass_obj
def rollback(session: Session, device: str, version: int) -> None:
    """Make an old version the newest one, and deploy it."""
    cloud = session.cloud
    path = f"/devices/{find_device(cloud, device)}/target-state/rollback"
    _tell(session, cloud.json("POST", path, {"version": version}))


@target.command()
@_device
@click.pass_obj
def deploy(session: Session, device: str) -> None:
    """Give the newest version to the device."""
    cloud = session.cloud
    _tell(session, cloud.json("POST", f"/devices/{find_device(cloud, device)}/deploy", {}))


def _etag(found: object) -> str | None:
    if found is None:
        return None
    if not isinstance(found, str) or not (found.isascii() and found.isprintable()):
        raise Failure('etag: expected what "get" printed, or nothing', ExitCode.USAGE)
    return found


def _text_of(reply: Reply) -> str:
    try:
        return target_text(reply.json(), etag=None)
    except UNKNOWN_FORM as error:
        raise unknown_form() from error


def _put(
    cloud: HttpClient,
    uuid: str,
    document: dict[str, Any],
    *,
    etag: str | None,
    query: dict[str, str],
) -> Reply:
    path = f"/devices/{quote(uuid, safe='')}/target-state"
    return cloud.json(
        "PUT",
        f"{path}?{urlencode(query)}" if query else path,
        document,
        headers={"If-Match": etag} if etag else {},
    )


def _tell(session: Session, reply: Reply) -> None:
    found = session.out.show(reply, lambda found: session.out.line(_outcome(found)))
    warnings = found.get("warnings")
    for warning in warnings if isinstance(warnings, list) else ():
        session.out.message(f"warning: {warning}")


def _outcome(found: dict[str, Any]) -> str:
    version = found.get("version")
    message = str(found["message"])
    return message if version is None else f"version {version}: {message}"


def _standing(found: dict[str, Any]) -> str:
    version, deployed = found["version"], found["deployedVersion"]
    if version is None:
        return "no target yet"
    if version == deployed:
        return f"version {version}, deployed"
    return f"version {version}, staged; deployed is {deployed or 'none'}"

"""What a device is to run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from iotistic.cli.commands.fleet_devices import find_device
from iotistic.cli.commands.target_text import (
    TEXT_BYTES_MAX,
    Editing,
    parse_target_text,
    target_text,
)
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import HttpClient, Reply, unknown_form
from iotistic.cli.lazy import Group
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session
from iotistic.cli.times import short_iso

_device = click.argument("device")
_comment = click.option("--comment", "-m", default="", help="Why, for the history.")


@click.group(cls=Group)
def target() -> None:
    """What a device is to run.

    A DEVICE is named by its uuid, the beginning of it, its name, or its id.
    """


@target.command()
@_device
@click.option("--version", "version", type=click.IntRange(min=1), help="An older version.")
@click.pass_obj
def get(session: Session, device: str, version: int | None) -> None:
    """Print the newest target, as "set" takes it.

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
@_comment
@click.pass_obj
def set_(
    session: Session,
    device: str,
    file: str,
    stage: bool,
    dry_run: bool,
    new_epoch: bool,
    force: bool,
    comment: str,
) -> None:
    """Save a target from FILE (- for stdin) and deploy it."""
    document = parse_target_text(_read(file))
    etag = _etag(document.pop("etag", None))
    if new_epoch:
        session.confirm(f"Make {device} take this even if it holds a higher version?")
        document["newEpoch"] = True
    if comment:
        document["comment"] = comment
    cloud = session.cloud
    reply = _put(
        cloud,
        find_device(cloud, device),
        document,
        etag=None if force else etag,
        query={name: "1" for name, given in (("stage", stage), ("dryRun", dry_run)) if given},
    )
    _tell(session, reply)


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


def _read(file: str) -> str:
    try:
        if file == "-":
            raw = sys.stdin.read(TEXT_BYTES_MAX + 1)
        else:
            with Path(file).open(encoding="utf-8") as source:
                raw = source.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise Failure(
            f"{file} cannot be read: {error.strerror or error}", ExitCode.USAGE
        ) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text", ExitCode.USAGE) from error
    if len(raw) > TEXT_BYTES_MAX:
        raise Failure(f"{file} is larger than {TEXT_BYTES_MAX} bytes", ExitCode.USAGE)
    return raw

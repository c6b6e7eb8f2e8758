"""Joining a cloud, and leaving it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.http_client import Reply
from iotistic.cli.lazy import Command
from iotistic.cli.output import Output
from iotistic.cli.session import Session
from iotistic.cli.table import Cell, Style
from iotistic.cli.times import span, stamp

_LOOK_AGAIN_S = 0.3
_KEY_LENGTH_MAX = 512
_STATUS = "status"


@click.command(cls=Command)
@click.argument("key", required=False)
@click.option(
    "--key-file",
    metavar="FILE",
    help="Read the key from a file, or from stdin (-), so that no list of processes shows it.",
)
@click.option("--api", "endpoint", metavar="URL", help="Address of the cloud.")
@click.option("--name", help="Name of this device.")
@click.option("--type", "device_type", help="Type of this device.")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificate (PEM) of a private authority.",
)
@click.option("--ca-pin", metavar="sha256:HEX", help="Hash of that certificate, in its place.")
@click.option("--wait", is_flag=True, help="Wait until it is done, however long it takes.")
@click.pass_obj
def provision(
    session: Session,
    key: str | None,
    key_file: str | None,
    endpoint: str | None,
    name: str | None,
    device_type: str | None,
    ca_file: str | None,
    ca_pin: str | None,
    wait: bool,
) -> ExitCode:
    """Join a cloud, or see how joining goes.

    "iotctl provision status" tells how far it has come. Else this gives the agent the
    provisioning key that "iotctl fleet keys create" showed; without KEY and --key-file it is
    asked for. The agent goes on by itself, also after a restart, until it has joined or been
    refused.
    """
    if key == _STATUS:
        reply = session.device.json("GET", "/v1/provision/status")
        session.out.show(reply, lambda found: _show(session.out, found))
        return ExitCode.OK
    body = {
        "provisioningApiKey": _key(session, key, key_file),
        "apiEndpoint": endpoint,
        "deviceName": name,
        "deviceType": device_type,
        "caCert": Path(ca_file).read_text("utf-8") if ca_file else None,
        "caPin": ca_pin,
    }
    given = {field: value for field, value in body.items() if value is not None}
    reply = session.device.json("POST", "/v1/provision", given)
    return _watch(session, reply, wait=wait)


def _key(session: Session, key: str | None, key_file: str | None) -> str:
    if key and key_file:
        raise click.UsageError("give KEY or --key-file, not both")
    if key is None and key_file is None:
        if not sys.stdin.isatty():
            raise click.UsageError(
                "no key: give it with --key-file FILE, or --key-file - for stdin"
            )
        session.out.message("The key that 'iotctl fleet keys create' showed (it is not echoed).")
        key = click.prompt("Provisioning key", hide_input=True, err=True)
    elif key_file == "-":
        key = sys.stdin.read(_KEY_LENGTH_MAX + 1)
    elif key_file is not None:
        try:
            with Path(key_file).open(encoding="utf-8") as file:
                key = file.read(_KEY_LENGTH_MAX + 1)
        except OSError as error:
            why = error.strerror or error
            raise click.UsageError(f"--key-file: {key_file} cannot be read: {why}") from error
        except UnicodeDecodeError as error:
            raise click.UsageError(f"--key-file: {key_file} is not UTF-8 text") from error
    key = (key or "").strip()
    if not key or len(key) > _KEY_LENGTH_MAX or not key.isprintable():
        raise click.UsageError(f"a key is one line of at most {_KEY_LENGTH_MAX} characters")
    return key


def _watch(session: Session, reply: Reply, *, wait: bool) -> ExitCode:
    """Follow the joining until it is done, refused, or our time is up."""
    endless = wait and session.options.timeout_s is None
    until_s = time.monotonic() + session.timeout_s
    told = ""
    while True:
        found = reply.json()
        error = found.get("error")
        error = error if isinstance(error, dict) else {}
        joined, refused = found.get("phase") == "provisioned", bool(found.get("final") and error)
        if joined or refused or (not endless and time.monotonic() >= until_s):
            break
        message = error.get("message")
        if isinstance(message, str) and message != told:
            told = message
            session.out.message(f"not yet: {told}; the agent tries again")
        time.sleep(_LOOK_AGAIN_S)
        reply = session.device.json("GET", "/v1/provision/status")
    session.out.show(reply, lambda found: _show(session.out, found))
    if joined:
        return ExitCode.OK
    if refused:
        raise Failure(
            f"not provisioned: {error.get('message')}",
            ExitCode.REFUSED,
            code=str(error.get("code")),
            remedy=str(error["remedy"]) if error.get("remedy") else None,
        )
    session.out.message("the agent goes on with it; see iotctl provision status")
    return ExitCode.TIMEOUT


def _show(out: Output, found: dict[str, Any]) -> None:
    styles = {"provisioned": Style.GOOD, "registered": Style.GOOD}
    pairs: list[tuple[str, Cell | str | int | None]] = [
        ("phase", Cell(found["phase"], styles.get(found["phase"], Style.CAUTION))),
        ("uuid", found["uuid"]),
        ("device id", found["deviceId"]),
        ("name", found["deviceName"]),
        ("type", found["deviceType"]),
        ("cloud", found["apiEndpoint"]),
        ("dialect", found["dialect"]),
    ]
    if found["registeredAt"] is not None:
        pairs.append(("registered", stamp(found["registeredAt"])))
    if error := found["error"]:
        pairs.append(("failures", found["attempts"]))
        pairs.append(("error", Cell(error["message"], Style.BAD)))
        if found["retryInMs"] is not None:
            in_vain = ", in vain until somebody acts" if found["final"] else ""
            pairs.append(("tries again", f"in {span(found['retryInMs'] / 1000)}{in_vain}"))
    if found["farewell"]:
        pairs.append(("farewell", "the cloud that was left is still to be told"))
    if found["resetting"]:
        pairs.append(("reset", Cell("a factory reset is under way", Style.CAUTION)))
    out.pairs([(name, value) for name, value in pairs if value is not None])
    if found["phase"] in {"new", "deprovisioned"} and not found["hasKey"]:
        out.line("next: iotctl provision --key-file FILE --api URL")


@click.command(cls=Command)
@click.pass_obj
def deprovision(session: Session) -> None:
    """Leave the cloud; services go on.

    The device keeps its uuid and keys and can join again. Asks first.
    """
    session.confirm("The cloud will no longer reach this device. Leave it?")
    reply = session.device.json("POST", "/v1/deprovision", {})
    found = session.out.show(reply, lambda _: session.out.line("left the cloud"))
    if found.get("cloudTold") is False:
        session.out.message("the cloud could not be told yet; the agent tells it later")

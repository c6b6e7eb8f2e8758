"""Starting over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import click

from iotistic.cli.commands.agent import running_agent, wait_for_another
from iotistic.cli.http_client import unknown_form
from iotistic.cli.lazy import Command
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session

_LISTED_MAX = 30


@click.command("factory-reset", cls=Command)
@click.option("--keep-volumes", is_flag=True, help="Keep the data of the apps.")
@click.option("--keep-identity", is_flag=True, help="Keep uuid and keys: for a repair.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
@click.pass_obj
def factory_reset(session: Session, keep_volumes: bool, keep_identity: bool, no_wait: bool) -> None:
    """Remove all the agent made, start anew.

    Lists what will go and asks first: containers, volumes, settings, the place in the cloud, and
    the identity. What the agent did not make is left alone.
    """
    query = urlencode(
        {"keepVolumes": str(keep_volumes).lower(), "keepIdentity": str(keep_identity).lower()}
    )
    preview = session.device.json("GET", f"/v1/factory-reset?{query}").json()
    try:
        uuid = preview["uuid"]
        _list(session, preview)
    except UNKNOWN_FORM as error:
        raise unknown_form() from error
    session.confirm("This cannot be undone. Reset the device?")
    gone = {} if no_wait else running_agent(session)
    reply = session.device.json(
        "POST",
        "/v1/factory-reset",
        {"confirm": uuid, "keepVolumes": keep_volumes, "keepIdentity": keep_identity},
    )
    session.out.show(reply, lambda found: session.out.line(f"{found['status']}: {found['uuid']}"))
    if no_wait:
        session.out.message("the agent resets the device and restarts; see iotctl status")
    else:
        wait_for_another(session, gone, slow="the reset goes on, see iotctl status")


def _list(session: Session, preview: dict[str, Any]) -> None:
    """What will go, as messages: it is what the question is about, not the result."""
    say = session.out.message
    say("This will go:")
    containers = [one["name"] for one in preview["containers"]]
    for what, names in (
        ("containers", containers),
        ("networks", preview["networks"]),
        ("volumes", preview["volumes"]),
        ("files", preview["files"]),
    ):
        say(f"  {what}: {_named(names)}")
    if preview["identity"]:
        say(f"  identity: {preview['uuid']} and its keys")
    if preview["provisioned"]:
        say("  the place in the cloud: the device leaves it")


def _named(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
    return f"{len(names)} ({', '.join(names[:_LISTED_MAX])}{more})"

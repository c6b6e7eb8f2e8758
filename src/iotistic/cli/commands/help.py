"""What helps to use `iotctl` itself: help, version, completion."""

from __future__ import annotations

from typing import Any

import click

from iotistic import __version__
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.lazy import Command
from iotistic.cli.session import Session


@click.command("help", cls=Command)
@click.argument("command", nargs=-1)
@click.pass_context
def help_(context: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of a command."""
    at = context.find_root()
    for name in command:
        found = at.command.get_command(at, name) if isinstance(at.command, click.Group) else None
        if found is None:
            raise click.UsageError(f"there is no command {' '.join(command)!r}", ctx=at)
        at = click.Context(found, info_name=name, parent=at)
    click.echo(at.get_help())


@click.command(cls=Command)
@click.pass_obj
def version(session: Session) -> None:
    """Versions of iotctl and of the agent."""
    found: dict[str, Any] = {"iotctl": __version__, "agent": None}
    try:
        found["agent"] = session.device.json("GET", "/v1/device").json().get("agentVersion")
    except Failure as failure:
        session.out.message(f"the agent's version is not known: {failure.message}")
    if session.options.as_json:
        import json

        session.out.document(json.dumps(found).encode())
    else:
        session.out.pairs([("iotctl", found["iotctl"]), ("agent", found["agent"])])


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> ExitCode:
    """Print a script that completes commands.

    For bash: iotctl completion bash > ~/.local/share/bash-completion/completions/iotctl
    """
    from click.shell_completion import get_completion_class

    from iotistic.cli.app import iotctl

    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"no completion for {shell}")
    # Not `source()`, which starts bash to ask its version: printing text needs no other program.
    maker = found(iotctl, {}, "iotctl", "_IOTCTL_COMPLETE")
    click.echo(maker.source_template % maker.source_vars())
    return ExitCode.OK

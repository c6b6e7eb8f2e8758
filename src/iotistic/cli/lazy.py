"""Groups that import a command when it is called, and global options that may stand anywhere."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from iotistic.cli.session import Session

_NOTE = "Global options may stand here as well: see iotctl --help."


@dataclass(frozen=True, slots=True)
class Late:
    """Where a command is (`module:name`) and the line that the group's help shows of it.

    The line stands here too, so that a group's help imports nothing; a test keeps both equal.
    """

    where: str
    summary: str
    alias_of: str | None = None


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    name = parameter.name
    if name and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        setattr(context.ensure_object(Session).options, name, value)


def _global_options(*, hidden: bool) -> list[click.Parameter]:
    def option(*names: str, help_text: str, **more: Any) -> click.Option:
        return click.Option(
            names, help=help_text, expose_value=False, hidden=hidden, callback=_remember, **more
        )

    return [
        option(
            "--state-dir",
            metavar="FOLDER",
            help_text="The agent's folder (else STATE_DIR, CONFIG_DIR, that of DATABASE_PATH, "
            "/var/lib/iotistic, ./data).",
        ),
        option(
            "--api-url",
            metavar="URL",
            help_text="The agent's address, instead of its socket (DEVICE_API_URL).",
        ),
        option("--json", "as_json", is_flag=True, help_text="Data as the API gave it."),
        option("--quiet", "-q", is_flag=True, help_text="No messages, only data and errors."),
        option("--no-color", is_flag=True, help_text="No colors (also NO_COLOR)."),
        option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0.1, max=86_400),
            metavar="SECONDS",
            help_text="How long to wait for an answer (30).",
        ),
        option("--yes", "-y", is_flag=True, help_text="Do not ask."),
    ]


class Command(click.Command):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options(hidden=True)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the global options are told."""
        super().format_epilog(ctx, formatter)
        _write_note(formatter)


class Group(click.Group):
    """A group that takes the global options too, its commands in the order they are written."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options(hidden=True)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of writing."""
        del ctx
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the global options are told."""
        super().format_epilog(ctx, formatter)
        _write_note(formatter)


class LazyGroup(click.Group):
    """A group whose commands are named in a table and imported when called.

    The outermost one shows the global options, the others only take them.
    """

    def __init__(self, *args: Any, late: Mapping[str, Late], outer: bool = False, **more: Any):
        super().__init__(*args, **more)
        self._late = late
        self._outer = outer
        self.params += _global_options(hidden=not outer)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names in the order of the table, without aliases."""
        del ctx
        return [name for name, late in self._late.items() if late.alias_of is None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        del ctx
        late = self._late.get(cmd_name)
        if late is None:
            return None
        module, _, name = late.where.partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{late.where} is not a command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's lines, without importing what they are about."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self._late[name].summary) for name in self.list_commands(ctx)]
            )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the global options are told."""
        super().format_epilog(ctx, formatter)
        if not self._outer:
            _write_note(formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and the rest; an alias goes by its command's own name."""
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            # click knows only what is imported already; here it can name what was meant.
            name = error.command_name
            raise click.NoSuchCommand(name, possibilities=self._late, ctx=ctx) from error
        late = self._late.get(name or "")
        return (late.alias_of if late and late.alias_of else name), command, rest


def _write_note(formatter: click.HelpFormatter) -> None:
    formatter.write_paragraph()
    formatter.write_text(_NOTE)

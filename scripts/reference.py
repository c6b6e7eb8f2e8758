"""Writes the parts of the reference that the code knows: `python -m scripts.reference`.

A page keeps what stands outside of its two marks. A test tells when a page is behind the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from iotistic.agent.setting_list import ALIASES, SETTINGS
from iotistic.cli.app import iotctl

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
BEGIN = "<!-- from the code: python -m scripts.reference -->"
END = "<!-- end -->"


def settings_table() -> str:
    """Every setting of the agent, as a table."""
    rows = ["| name | default | | |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        marks = [
            "secret" if setting.secret else "",
            "environment only" if setting.local_only else "",
            "at the next start" if setting.restart and not setting.local_only else "",
        ]
        about = setting.about
        if also := ALIASES.get(setting.name):
            about += f" Also read as {', '.join(f'`{name}`' for name in also)}."
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(
            f"| `{setting.name}` | {default} | {_cell(about)} | "
            f"{', '.join(mark for mark in marks if mark)} |"
        )
    return "\n".join(rows)


def commands() -> str:
    """Every command of `iotctl`, with its arguments and options."""
    return "\n\n".join(_command(path, command) for path, command in walk(iotctl, "iotctl"))


def walk(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below a group in the order of its help, other names of one left out."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        below = f"{path} {name}"
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield below, command
            yield from walk(command, below)
        else:
            yield below, command


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    pieces = command.collect_usage_pieces(context)
    arguments = [piece for piece in pieces if not piece.startswith(("[OPTIONS]", "COMMAND"))]
    usage = " ".join([path, *(piece for piece in arguments if "[ARGS]" not in piece)])
    lines = [f"### {usage}", "", _prose(command.help or "")]
    options = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and parameter.name != "help"
        and (record := parameter.get_help_record(context))
    ]
    if options:
        lines += ["", "| option | |", "| --- | --- |"]
        lines += [f"| `{_cell(names)}` | {_cell(about)} |" for names, about in options]
    return "\n".join(lines)


def _prose(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: Mapping[str, Callable[[], str]] = {"settings.md": settings_table, "iotctl.md": commands}


def renewed(page: str, text: str) -> str:
    """The text of a page with its part as the code has it now."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page}: the marks {BEGIN!r} and {END!r} are missing")
    return f"{before}{BEGIN}\n\n{PARTS[page]()}\n\n{END}{after}"


def main() -> int:
    """Write every page that has changed."""
    for page in PARTS:
        path = FOLDER / page
        old = path.read_text()
        new = renewed(page, old)
        if new != old:
            path.write_text(new)
            print(f"docs/reference/{page}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes the parts of the reference that the code knows: `python -m scripts.reference`.

A page keeps what stands outside of its two marks. A test tells when a page is behind the code.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from litestar.handlers import HTTPRouteHandler

from iotistic import cloud
from iotistic.agent.config.keys import NOT_BUILT, SETTING_KEYS
from iotistic.agent.setting_list import ALIASES, BY_NAME, SETTINGS
from iotistic.cli.app import iotctl
from iotistic.cloud.__main__ import main as server
from iotistic.cloud.access import Access
from iotistic.cloud.audit import list_audit
from scripts.field_reference import fields_table

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
            "not from the cloud" if setting.device_only else "",
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


def config_keys() -> str:
    """Every key of a target's config, as a table."""
    rows = ["| key | sets | |", "| --- | --- | --- |"]
    for path, key in SETTING_KEYS.items():
        if path.removeprefix("settings.") not in BY_NAME:
            mark = "" if BY_NAME[key.setting].is_for_the_cloud else "rejected: `local-only`"
            rows.append(f"| `{path}` | `{key.setting}` | {mark} |")
    rows += [f"| `{path}` | | {form}; not supported |" for path, form in NOT_BUILT.items()]
    return "\n".join(rows)


def commands() -> str:
    """Every command of `iotctl`, with its arguments and options."""
    return "\n\n".join(_command(path, command) for path, command in walk(iotctl, "iotctl"))


def server_commands() -> str:
    """Every command of `iotistic-cloud`."""
    found = walk(server, "iotistic-cloud")
    return "\n\n".join(_command(path, command) for path, command in found)


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


def endpoints() -> str:
    """Every endpoint of the cloud, as a table."""
    handlers = [
        (_PREFIXES.get(module.__name__, "/api/v1"), handler)
        for module in _route_modules()
        for handler in module.HANDLERS
    ]
    handlers.append(("/api/v1", list_audit))
    rows = ["| request | for | |", "| --- | --- | --- |"]
    rows += [row for prefix, handler in handlers for row in _endpoint(prefix, handler)]
    return "\n".join(rows)


_PREFIXES = {"iotistic.cloud.health": "", "iotistic.cloud.provisioning.routes": "/api"}


def _route_modules() -> Iterator[Any]:
    """The modules that say which routes they answer, as `cloud.app` takes them up."""
    for found in pkgutil.walk_packages(cloud.__path__, "iotistic.cloud."):
        if not found.name.startswith(("iotistic.cloud.db", "iotistic.cloud.__main__")):
            module = importlib.import_module(found.name)
            if hasattr(module, "HANDLERS"):
                yield module


def _endpoint(prefix: str, handler: HTTPRouteHandler) -> Iterator[str]:
    access = str(handler.opt.get("access", Access.PUBLIC)).replace("-leaving", "")
    for path in sorted(handler.paths):
        address = prefix + re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
        for method in sorted(handler.http_methods):
            yield f"| `{method} {address}` | {access} | {_cell(_prose(handler.fn.__doc__ or ''))} |"


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
        and "--help" not in parameter.opts
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


PARTS: Mapping[str, Callable[[], str]] = {
    "cloud-api.md": endpoints,
    "config.md": config_keys,
    "iotctl.md": commands,
    "iotistic-cloud.md": server_commands,
    "settings.md": settings_table,
    "target-state.md": fields_table,
}


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

"""The tree of commands. Importing this imports click and nothing else."""

from __future__ import annotations

import click

from iotistic import __version__
from iotistic.cli.lazy import Late, LazyGroup

_AT = "iotistic.cli.commands"

_LATE = {
    "status": Late(f"{_AT}.status:status", "How this device stands, on one screen."),
    "diagnostics": Late(f"{_AT}.doctor:diagnostics", "Check everything the agent depends on."),
    "doctor": Late(f"{_AT}.doctor:diagnostics", "", alias_of="diagnostics"),
    "diag": Late(f"{_AT}.doctor:diagnostics", "", alias_of="diagnostics"),
    "plan": Late(f"{_AT}.plan:plan", "What the agent will do next, and why it waits."),
    "explain": Late(
        f"{_AT}.explain:explain",
        "Why an app is as it is: what is done, waited for, failed and was done before.",
    ),
    "apps": Late(f"{_AT}.apps:apps", "The apps of this device."),
    "services": Late(f"{_AT}.services:services", "The services of the apps: one container each."),
    "logs": Late(f"{_AT}.agent:logs", "The agent's own log."),
    "sync": Late(f"{_AT}.agent:sync", "Ask the cloud now, and report to it."),
    "outbox": Late(
        f"{_AT}.outbox:outbox",
        "What waits here for the cloud, by class, and what became of the rest.",
    ),
    "traffic": Late(
        f"{_AT}.traffic:traffic",
        "What the link to the cloud costs: today, this month, and what the month will come to.",
    ),
    "restart": Late(f"{_AT}.agent:restart", "Restart the agent; services are not touched."),
    "safe-mode": Late(
        f"{_AT}.safe_mode:safe_mode",
        "Safe mode, after crashes in a row: services go on, nothing is applied.",
    ),
    "provision": Late(f"{_AT}.provision:provision", "Join a cloud, or see how joining goes."),
    "deprovision": Late(f"{_AT}.provision:deprovision", "Leave the cloud; services go on."),
    "factory-reset": Late(f"{_AT}.reset:factory_reset", "Remove all the agent made, start anew."),
    "compose": Late(f"{_AT}.compose:compose", "Compose files: bring one along, take one away."),
    "config": Late(f"{_AT}.config:config", "Settings of the agent, and where each comes from."),
    "identity": Late(f"{_AT}.identity:identity", "Who this device is."),
    "support-bundle": Late(
        f"{_AT}.support_bundle:support_bundle",
        "Write what others need to help into one file, without secrets.",
    ),
    "bundle": Late(f"{_AT}.support_bundle:support_bundle", "", alias_of="support-bundle"),
    "db": Late(f"{_AT}.database:database", "Back up and restore the agent's database."),
    "fleet": Late(f"{_AT}.fleet:fleet", "The fleet: the cloud's side, for operators."),
    "completion": Late(f"{_AT}.help:completion", "Print a script that completes commands."),
    "help": Late(f"{_AT}.help:help_", "Show the help of a command."),
    "version": Late(f"{_AT}.help:version", "Versions of iotctl and of the agent."),
}


@click.group(
    cls=LazyGroup,
    late=_LATE,
    outer=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-v", "--version", prog_name="iotctl")
def iotctl() -> None:
    """Iotistic on this device, and (iotctl fleet) across the fleet.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 agent or cloud unreachable, 4 not found, 5 refused,
    6 timeout, 7 differs or unhealthy (plan, diagnostics).
    """

"""The fleet's commands: the cloud's side of `iotctl`."""

from __future__ import annotations

import click

from iotistic.cli.lazy import Late, LazyGroup

_AT = "iotistic.cli.commands"


@click.group(
    cls=LazyGroup,
    late={
        "login": Late(f"{_AT}.fleet_login:login", "Log in to a cloud."),
        "logout": Late(f"{_AT}.fleet_login:logout", "End the session here and in the cloud."),
        "whoami": Late(f"{_AT}.fleet_login:whoami", "Who is logged in, and where."),
        "devices": Late(f"{_AT}.fleet_devices:devices", "The devices of the fleet."),
        "target": Late(f"{_AT}.fleet_target:target", "What a device is to run."),
        "logs": Late(f"{_AT}.fleet_records:logs", "What a device logged, its services and itself."),
        "metrics": Late(
            f"{_AT}.fleet_records:metrics",
            "A device's figures: the last, the mean, the lowest and the highest, of the last hour.",
        ),
        "events": Late(
            f"{_AT}.fleet_records:events",
            "What happened to a device: releases, crashes, reboots.",
        ),
        "gaps": Late(
            f"{_AT}.fleet_records:gaps",
            "What came from a device and what never did, by class of records.",
        ),
        "keys": Late(f"{_AT}.fleet_keys:keys", "Keys with which devices join the fleet."),
    },
)
def fleet() -> None:
    """The fleet: the cloud's side, for operators.

    IOTISTIC_CLOUD_URL, IOTISTIC_CLOUD_TOKEN and IOTISTIC_CLOUD_CA (a file) may stand in for a
    login.
    """

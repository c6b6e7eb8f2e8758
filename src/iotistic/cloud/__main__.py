"""`iotistic-cloud`: serve a fleet, and let its owner in."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from iotistic import __version__
from iotistic.cloud.clock import system_clock
from iotistic.cloud.log import set_up_logging
from iotistic.cloud.settings import DEFAULT_PORT, Settings
from iotistic.model.errors import IotisticError

try:
    import uvloop
except ModuleNotFoundError:
    # A device's installation brings this command too, without what it takes.
    sys.exit("iotistic-cloud: the cloud is not installed here; pip install 'iotistic[cloud]'")

DEFAULT_DATA = "./cloud-data"
EXIT_FAILED = 1


@click.group(context_settings={"auto_envvar_prefix": "IOTISTIC_CLOUD"})
@click.version_option(__version__, prog_name="iotistic-cloud")
def main() -> None:
    """The fleet server: devices join here, fetch what they should run, and report."""


def _where(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which cloud is meant."""
    for option in (
        click.option(
            "--database",
            metavar="URL",
            envvar="IOTISTIC_CLOUD_DATABASE",
            help="SQLAlchemy URL with an async driver; a SQLite file in --data by default.",
        ),
        click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            default=DEFAULT_DATA,
            show_default=True,
            envvar="IOTISTIC_CLOUD_DATA",
            help="Folder for the database and the server's key.",
        ),
    ):
        command = option(command)
    return command


def _days(what: str, default: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that says how long something is kept."""
    return click.option(
        f"--keep-{what}",
        type=click.IntRange(1, 3650),
        metavar="DAYS",
        default=default,
        show_default=True,
        envvar=f"IOTISTIC_CLOUD_KEEP_{what.upper()}",
        help=f"How long devices' {what} are kept.",
    )


@main.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="IOTISTIC_CLOUD_HOST",
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    envvar="IOTISTIC_CLOUD_PORT",
    help="Port to listen on; 0 takes a free one.",
)
@_where
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="IOTISTIC_CLOUD_TLS_CERT",
    help="Certificate chain, PEM.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="IOTISTIC_CLOUD_TLS_KEY",
    help="Its private key, PEM.",
)
@click.option(
    "--public-url",
    metavar="URL",
    envvar="IOTISTIC_CLOUD_PUBLIC_URL",
    help="How devices reach this cloud, where that is another address.",
)
@click.option(
    "--mqtt-broker-url",
    metavar="URL",
    default="",
    envvar="IOTISTIC_CLOUD_MQTT_BROKER_URL",
    help="Broker that devices are told of; none by default.",
)
@click.option(
    "--trust-proxy",
    is_flag=True,
    envvar="IOTISTIC_CLOUD_TRUST_PROXY",
    help="Take callers' addresses from a TLS proxy on this machine.",
)
@_days("logs", 7)
@_days("metrics", 30)
@_days("events", 90)
@click.option(
    "--rows-per-device",
    type=click.IntRange(100, 100_000_000),
    default=200_000,
    show_default=True,
    envvar="IOTISTIC_CLOUD_ROWS_PER_DEVICE",
    help="Log lines, metric points, or events kept of a device; the oldest go.",
)
@click.option(
    "--megabytes-per-device",
    type=click.IntRange(1, 1_000_000),
    default=64,
    show_default=True,
    envvar="IOTISTIC_CLOUD_MEGABYTES_PER_DEVICE",
    help="The same in megabytes of each.",
)
@click.option(
    "--records-per-minute",
    type=click.IntRange(1000, 100_000_000),
    default=60_000,
    show_default=True,
    envvar="IOTISTIC_CLOUD_RECORDS_PER_MINUTE",
    help="How many records a device may send.",
)
def serve(**options: Any) -> None:
    """Serve until SIGTERM."""
    from iotistic.cloud.serving import serve as serve_cloud

    def run() -> Coroutine[Any, Any, None]:
        return serve_cloud(_settings(**options), clock=system_clock)

    _run(run)


@main.group()
def admin() -> None:
    """What is done on the server itself, without a login."""


@admin.command("reset-link")
@_where
def reset_link(data: Path, database: str | None) -> None:
    """Make a new one-time login for an administrator."""
    from iotistic.cloud.administration import offer_login

    _run(lambda: offer_login(_settings(data=data, database=database), clock=system_clock))


@admin.command("add")
@click.argument("username")
@click.option(
    "--password-file",
    type=click.File("r"),
    metavar="FILE",
    help="File with the password, - for standard input; asked for otherwise.",
)
@_where
def add(username: str, password_file: Any, data: Path, database: str | None) -> None:
    """Make USERNAME an administrator, or give that user a new password."""
    from iotistic.cloud.administration import put_admin

    if password_file is not None:
        password = password_file.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    settings = _settings(data=data, database=database)
    _run(lambda: put_admin(settings, username, password, clock=system_clock))


@admin.command("address")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    show_default=True,
    envvar="IOTISTIC_CLOUD_DATA",
    help="Folder of a running cloud.",
)
def address(data: Path) -> None:
    """Print where the cloud with this data folder listens."""
    from iotistic.cloud.address_file import running_url

    try:
        url = running_url(data)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    if url is None:
        raise click.ClickException(f"no cloud runs with {data}")
    click.echo(url)


def _settings(**options: Any) -> Settings:
    return Settings(**{name: value for name, value in options.items() if value is not None})


def _run(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end; an error of ours or of the system is one line, not a stack trace."""
    os.umask(0o077)  # what is made here is for its owner, the database included
    set_up_logging()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(make())
    except* (IotisticError, OSError) as group:  # such as a folder that is full or not ours
        for error in _leaves(group):
            click.echo(f"iotistic-cloud: {error}", err=True)
        sys.exit(EXIT_FAILED)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    main()

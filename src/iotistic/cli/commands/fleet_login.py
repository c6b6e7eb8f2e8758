"""Logging in to a cloud, and out."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import click

from iotistic.cli.cloud_peer import check_url, make_cloud_peer
from iotistic.cli.failure import ExitCode, Failure
from iotistic.cli.fleet_file import (
    Login,
    current_login,
    forget_login,
    load_login,
    login_path,
    read_ca,
    save_login,
)
from iotistic.cli.http_client import HttpClient, unknown_form
from iotistic.cli.lazy import Command
from iotistic.cli.output import UNKNOWN_FORM
from iotistic.cli.session import Session
from iotistic.model.secret import Secret

_LINE_MAX = 4096


@click.command(cls=Command)
@click.argument("url", required=False)
@click.option("--user", "-u", metavar="NAME", help="Who logs in.")
@click.option(
    "--setup",
    metavar="TOKEN|-",
    help="Become the first administrator with the one-time token that the cloud showed at its "
    "first start; - reads it from stdin.",
)
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificate (PEM) of a private authority; it is remembered.",
)
@click.pass_obj
def login(
    session: Session, url: str | None, user: str | None, setup: str | None, ca_file: str | None
) -> None:
    """Log in to a cloud.

    The password is asked for, or read from stdin as one line. What is kept is the session's
    token, in ~/.config/iotistic/fleet.json, readable by this user only.
    """
    former = _former_login()
    asked = url or os.environ.get("IOTISTIC_CLOUD_URL") or (former.url if former else None)
    if not asked:
        raise click.UsageError("which cloud? iotctl fleet login https://cloud.example.com")
    cloud = Login(url=check_url(asked))
    if ca_file:
        cloud = replace(cloud, ca_cert=read_ca(ca_file, "--ca"))
    elif former is not None and former.url == cloud.url:
        cloud = replace(cloud, ca_cert=former.ca_cert)
    token = _line("One-time token") if setup == "-" else setup
    name = user or _line("User", hidden=False)
    password = _line("Password", twice=token is not None)
    body = {"username": name, "password": password}
    path = "/auth/login"
    if token is not None:
        path, body = "/auth/setup", {"token": token, **body}
    client = HttpClient(make_cloud_peer(cloud), timeout_s=session.timeout_s)
    found = client.json("POST", path, body).json()
    try:
        user, role = found["user"]["username"], found["user"]["role"]
        cloud = replace(cloud, token=Secret(found["token"]), user=user)
    except UNKNOWN_FORM as error:
        raise unknown_form() from error
    save_login(login_path(os.environ), cloud)
    session.out.message(f"logged in to {cloud.url} as {cloud.user} ({role})")


@click.command(cls=Command)
@click.pass_obj
def logout(session: Session) -> None:
    """End the session here and in the cloud."""
    path = login_path(os.environ)
    try:
        login = load_login(path)
    except Failure:
        forget_login(path)
        raise
    if login is None:
        session.out.message("nobody was logged in")
        return
    # The token is forgotten here whatever the cloud says; that it still counts there is told.
    forget_login(path)
    client = HttpClient(make_cloud_peer(login), timeout_s=session.timeout_s)
    try:
        client.json("POST", "/auth/logout", {})
    except Failure as failure:
        if failure.exit_code is not ExitCode.REFUSED:
            raise Failure(
                f"forgotten here, but the cloud could not be told: {failure.message}",
                failure.exit_code,
                remedy="the session ends there by itself; or change the password",
            ) from failure
    session.out.message(f"logged out of {login.url}")


@click.command(cls=Command)
@click.pass_obj
def whoami(session: Session) -> None:
    """Who is logged in, and where."""
    url = current_login(os.environ).url
    reply = session.cloud.json("GET", "/auth/me")

    def render(found: dict[str, Any]) -> None:
        session.out.pairs([("user", found["username"]), ("role", found["role"]), ("cloud", url)])

    session.out.show(reply, render)


def _former_login() -> Login | None:
    """What was kept, if it can be used: one that is damaged is what a login repairs."""
    try:
        return load_login(login_path(os.environ))
    except Failure:
        return None


def _line(what: str, *, hidden: bool = True, twice: bool = False) -> str:
    """One line from the user, or from stdin where nobody sits."""
    if sys.stdin.isatty():
        found = click.prompt(what, hide_input=hidden, confirmation_prompt=twice, err=True)
    else:
        found = sys.stdin.readline(_LINE_MAX).removesuffix("\n").removesuffix("\r")
    if not found:
        raise click.UsageError(f"no {what.lower()}: it is asked for, or read from stdin")
    return str(found)

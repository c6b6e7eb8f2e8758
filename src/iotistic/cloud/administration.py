"""What the server's owner does on the server itself, where access to the data is the proof."""

from __future__ import annotations

import asyncio

import click

from iotistic.cloud.address_file import running_url
from iotistic.cloud.app import open_cloud
from iotistic.cloud.auth.passwords import check_password
from iotistic.cloud.auth.users import USERNAME, USERNAME_EXPECTED
from iotistic.cloud.clock import Clock
from iotistic.cloud.durable_file import make_folder
from iotistic.cloud.provisioning.replies import PublicFace
from iotistic.cloud.server_key import load_server_key
from iotistic.cloud.serving import hand_out_login
from iotistic.cloud.settings import DEFAULT_PORT, Settings
from iotistic.model.reader import check_text

LOCAL = "the server itself"
NOT_RUNNING = f"http://127.0.0.1:{DEFAULT_PORT}"


async def offer_login(settings: Settings, *, clock: Clock) -> None:
    """Make a one-time login and hand it out."""
    await asyncio.to_thread(make_folder, settings.data)
    running = await asyncio.to_thread(running_url, settings.data)
    face = PublicFace(url=running or settings.public_url or NOT_RUNNING)
    server_key = await asyncio.to_thread(load_server_key, settings.data)
    async with open_cloud(
        settings.database_url, server_key=server_key, face=face, clock=clock
    ) as cloud:
        token = await cloud.sessions.offer_one_time_login(only_first=False)
        if token is not None:
            await hand_out_login(token, url=face.url, data=settings.data, clock=clock)


async def put_admin(settings: Settings, username: str, password: str, *, clock: Clock) -> None:
    """Make somebody an administrator. Raises InvalidField."""
    check_text(username, "USERNAME", pattern=USERNAME, expected=USERNAME_EXPECTED)
    check_password(password)
    face = PublicFace(url="")
    await asyncio.to_thread(make_folder, settings.data)
    server_key = await asyncio.to_thread(load_server_key, settings.data)
    async with open_cloud(
        settings.database_url, server_key=server_key, face=face, clock=clock
    ) as cloud:
        token = await cloud.sessions.offer_one_time_login(only_first=False)
        if token is not None:
            await cloud.sessions.set_up(token, username, password, LOCAL)
    click.echo(f"{username} is an administrator")

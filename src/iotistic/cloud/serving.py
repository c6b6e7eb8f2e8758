"""A cloud on a socket: from the settings to the last answer after SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import uvicorn

from iotistic.cloud.address_file import announcing, remove_address, write_address
from iotistic.cloud.app import Cloud, open_cloud
from iotistic.cloud.auth.sessions import ONE_TIME_SPAN_MS
from iotistic.cloud.certificates import private_authority
from iotistic.cloud.clock import MINUTE_MS, Clock, iso
from iotistic.cloud.connections import BoundedHttp
from iotistic.cloud.durable_file import make_folder, write_private
from iotistic.cloud.provisioning.replies import PublicFace
from iotistic.cloud.server_key import ServerKey, load_server_key
from iotistic.cloud.settings import Settings
from iotistic.model.canonical import canonical_json
from iotistic.model.errors import Refused

FIRST_LOGIN_FILE = "first-login.json"
BACKLOG = 512
GRACE_S = 5
CONNECTIONS_MAX = 4096

_log = logging.getLogger("iotistic.cloud")


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn's way raises them again once it has stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, *, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT. Raises IotisticError when it cannot begin."""
    listening, server_key = await asyncio.to_thread(_prepare, settings)
    with contextlib.closing(listening), announcing(settings.data) as is_announcing:
        url = _url(settings, listening)
        face = await asyncio.to_thread(_face, settings, url)
        first_login = settings.data / FIRST_LOGIN_FILE
        async with open_cloud(
            settings.database_url,
            server_key=server_key,
            face=face,
            clock=clock,
            limits=settings.limits,
            on_set_up=partial(first_login.unlink, missing_ok=True),
        ) as cloud:
            server = _server(settings, cloud)
            _stop_on_signals(server, cloud)
            async with asyncio.TaskGroup() as group:
                housekeeping = group.create_task(cloud.housekeeping.run(), name="housekeeping")
                announce = _announce(
                    settings, server, cloud, url=url, clock=clock, is_announcing=is_announcing
                )
                group.create_task(announce, name="announce")
                await server.serve(sockets=[listening])
                housekeeping.cancel()
            await asyncio.to_thread(remove_address, settings.data)
    _log.info("stopped")


def _prepare(settings: Settings) -> tuple[socket.socket, ServerKey]:
    make_folder(settings.data)
    return _listen(settings), load_server_key(settings.data)


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        raise Refused(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            code="cannot-listen",
            remedy="choose another --port, or stop what listens there",
        ) from error
    listening.setblocking(False)
    return listening


def _url(settings: Settings, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{settings.scheme}://{shown}:{port}"


def _face(settings: Settings, url: str) -> PublicFace:
    authority = private_authority(settings.tls_cert) if settings.tls_cert else None
    return PublicFace(
        url=(settings.public_url or url).rstrip("/"),
        ca_cert=authority.pem if authority else None,
        ca_pin=authority.pin if authority else None,
        mqtt_broker_url=settings.mqtt_broker_url,
    )


def _server(settings: Settings, cloud: Cloud) -> _Server:
    config = uvicorn.Config(
        cloud.app,
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Addresses decide about 429: a header may say them only where a proxy is trusted.
        proxy_headers=settings.trust_proxy,
        forwarded_allow_ips="127.0.0.1,::1" if settings.trust_proxy else "",
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=CONNECTIONS_MAX,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:  # of which the one about TLS is a kind
        raise Refused(
            f"--tls-cert and --tls-key cannot be used: {error.strerror or error}",
            code="tls-files",
            remedy="give a certificate chain and the unencrypted key that belongs to it, as PEM",
        ) from error
    return _Server(config)


def _stop_on_signals(server: uvicorn.Server, cloud: Cloud) -> None:
    def stop() -> None:
        server.should_exit = True
        # Who follows a log would otherwise be waited for.
        cloud.bells.close()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def _announce(
    settings: Settings,
    server: uvicorn.Server,
    cloud: Cloud,
    *,
    url: str,
    clock: Clock,
    is_announcing: bool,
) -> None:
    """Say where it listens once it does, and hand out the first login where nobody has one."""
    while not server.started:
        if server.should_exit:
            return
        await asyncio.sleep(0.01)
    token = await cloud.sessions.offer_one_time_login(only_first=True)
    if token is not None:
        await hand_out_login(token, url=url, data=settings.data, clock=clock)
    else:
        await asyncio.to_thread((settings.data / FIRST_LOGIN_FILE).unlink, missing_ok=True)
    # Last: who finds the address finds everything else in place.
    if is_announcing:
        await asyncio.to_thread(write_address, settings.data, url)
    else:
        _log.warning(
            "another cloud runs with this folder, and its address stays in cloud.json",
            extra={"data": str(settings.data)},
        )
    _log.info("listening", extra={"url": url, "data": str(settings.data)})


async def hand_out_login(token: str, *, url: str, data: Path, clock: Clock) -> None:
    """Show a one-time login to who sits before it, else put it where only the owner reads it."""
    minutes = ONE_TIME_SPAN_MS // MINUTE_MS
    setup = f"{url}/api/v1/auth/setup"
    if sys.stdout.isatty():
        click.echo(
            f"One-time login, good for {minutes} minutes:\n\n    {token}\n\n"
            f"Become administrator: iotctl fleet login {url} --user NAME --setup -\n"
        )
        return
    path = data / FIRST_LOGIN_FILE
    content = {"url": setup, "token": token, "expiresAt": iso(clock() + ONE_TIME_SPAN_MS)}
    await asyncio.to_thread(write_private, path, canonical_json(content) + b"\n")
    _log.info("one-time login written", extra={"path": str(path), "minutes": minutes})

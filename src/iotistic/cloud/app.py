"""Wires the rooms together: one database, one server key, the services on them, the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Response, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Message, Scope
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from iotistic import __version__
from iotistic.cloud import health
from iotistic.cloud.access import Access, Guardian
from iotistic.cloud.audit import AuditLog, list_audit
from iotistic.cloud.auth import routes as auth_routes
from iotistic.cloud.auth.attempts import Attempts
from iotistic.cloud.auth.passwords import Passwords
from iotistic.cloud.auth.sessions import Sessions
from iotistic.cloud.auth.users import Users
from iotistic.cloud.clock import Clock
from iotistic.cloud.db.database import Database
from iotistic.cloud.db.tables import facts
from iotistic.cloud.devices import routes as device_routes
from iotistic.cloud.devices.credentials import Credentials
from iotistic.cloud.devices.fleet import Fleet
from iotistic.cloud.devices.reports import Reports
from iotistic.cloud.errors import answer_error
from iotistic.cloud.housekeeping import Housekeeping
from iotistic.cloud.idempotency import Idempotency
from iotistic.cloud.provisioning import routes as provisioning_routes
from iotistic.cloud.provisioning.decryption import Decryption
from iotistic.cloud.provisioning.exchange import KeyExchange
from iotistic.cloud.provisioning.keys import ProvisioningKeys
from iotistic.cloud.provisioning.o1 import O1Registrar
from iotistic.cloud.provisioning.refusals import Refusals
from iotistic.cloud.provisioning.registrar import Registrar
from iotistic.cloud.provisioning.replies import PublicFace
from iotistic.cloud.provisioning.ring import KeyRing
from iotistic.cloud.records import device_routes as intake_routes
from iotistic.cloud.records import routes as record_routes
from iotistic.cloud.records.follow import Bells
from iotistic.cloud.records.intake import Intake
from iotistic.cloud.records.limits import DEFAULT_LIMITS, MEGABYTE, RecordLimits
from iotistic.cloud.records.metrics import Metrics
from iotistic.cloud.records.pace import Pace
from iotistic.cloud.records.room import Retention
from iotistic.cloud.records.shelf import Shelf
from iotistic.cloud.records.stream import LogStream
from iotistic.cloud.requests import AnyRequest
from iotistic.cloud.server_key import ServerKey
from iotistic.cloud.targets import routes as target_routes
from iotistic.cloud.targets.history import TargetHistory
from iotistic.cloud.targets.targets import Targets
from iotistic.model.errors import Refused

_KEY_FACT = "server-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A cloud that is ready to serve: the ASGI application and what it is made of."""

    app: Litestar
    sessions: Sessions
    housekeeping: Housekeeping
    bells: Bells


@asynccontextmanager
async def open_cloud(
    database_url: str,
    *,
    server_key: ServerKey,
    face: PublicFace,
    clock: Clock,
    limits: RecordLimits = DEFAULT_LIMITS,
    on_set_up: Callable[[], None] = lambda: None,
) -> AsyncIterator[Cloud]:
    """Migrate, check the key, make what is missing, and wire it all.

    `on_set_up` is called when a one-time login was used. Raises DatabaseTooNew, MigrationFailed,
    Refused (the server key is not this database's) and DatabaseUnavailable.
    """
    database = await asyncio.to_thread(_prepare, database_url)
    try:
        async with database.write() as connection:
            await _check_key(connection, server_key)
        cloud = _wire(
            database,
            server_key=server_key,
            face=face,
            clock=clock,
            limits=limits,
            on_set_up=on_set_up,
        )
        await cloud.housekeeping.prepare()
        yield cloud
    finally:
        await database.close()


def _prepare(database_url: str) -> Database:
    # Alembic is needed here alone: a cloud's modules can be imported without it.
    from iotistic.cloud.db.migrate import migrate

    migrate(database_url)
    return Database(database_url)


async def _check_key(connection: AsyncConnection, server_key: ServerKey) -> None:
    query = select(facts.c.value).where(facts.c.name == _KEY_FACT)
    found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        await connection.execute(insert(facts).values(name=_KEY_FACT, value=server_key.fingerprint))
    elif found != server_key.fingerprint:
        raise Refused(
            "this database was made with another server.key, and cannot be read without it",
            code="server-key-differs",
            remedy="bring the server.key that belongs to this database back into the data folder",
        )


def _wire(
    database: Database,
    *,
    server_key: ServerKey,
    face: PublicFace,
    clock: Clock,
    limits: RecordLimits,
    on_set_up: Callable[[], None],
) -> Cloud:
    audit_log = AuditLog(database, clock)
    attempts = Attempts(clock)
    passwords = Passwords()
    users = Users(database, clock, attempts=attempts, audit_log=audit_log, passwords=passwords)
    sessions = Sessions(
        database,
        clock,
        attempts=attempts,
        audit_log=audit_log,
        passwords=passwords,
        users=users,
        on_set_up=on_set_up,
    )
    keys = ProvisioningKeys(database, clock, server_key=server_key, audit_log=audit_log)
    ring = KeyRing(database, clock, server_key=server_key)
    refusals = Refusals(database, attempts=attempts, audit_log=audit_log)
    exchange = KeyExchange(database, clock, keys=keys, ring=ring, refusals=refusals)
    credentials = Credentials(database, clock)
    registrar = Registrar(
        database,
        clock,
        keys=keys,
        exchange=exchange,
        decryption=Decryption(ring),
        credentials=credentials,
        refusals=refusals,
        audit_log=audit_log,
    )
    o1_registrar = O1Registrar(
        database,
        clock,
        keys=keys,
        credentials=credentials,
        refusals=refusals,
        audit_log=audit_log,
    )
    bells, shelf = Bells(), Shelf(database)
    services: Mapping[str, object] = {
        "audit_log": audit_log,
        "credentials": credentials,
        "database": database,
        "exchange": exchange,
        "face": face,
        "fleet": Fleet(database, clock, credentials=credentials, audit_log=audit_log),
        "idempotency": Idempotency(database, clock, server_key=server_key),
        "intake": Intake(database, clock, limits=limits, wake=bells.ring),
        "log_stream": LogStream(shelf, bells),
        "metrics": Metrics(database, clock),
        "o1_registrar": o1_registrar,
        "pace": Pace(
            clock,
            records_per_minute=limits.records_per_minute,
            bytes_per_minute=limits.megabytes_per_minute * MEGABYTE,
        ),
        "provisioning_keys": keys,
        "registrar": registrar,
        "reports": Reports(database, clock, server_key=server_key, audit_log=audit_log),
        "sessions": sessions,
        "shelf": shelf,
        "target_history": TargetHistory(database),
        "targets": Targets(database, clock, server_key=server_key, audit_log=audit_log),
        "users": users,
    }
    return Cloud(
        app=_application(services, Guardian(sessions, credentials)),
        sessions=sessions,
        housekeeping=Housekeeping(
            database,
            ring=ring,
            sessions=sessions,
            attempts=attempts,
            audit_log=audit_log,
            retention=Retention(database, clock, limits=limits),
        ),
        bells=bells,
    )


def _application(services: Mapping[str, object], guardian: Guardian) -> Litestar:
    v1 = [
        list_audit,
        *auth_routes.HANDLERS,
        *device_routes.HANDLERS,
        *intake_routes.HANDLERS,
        *record_routes.HANDLERS,
        *target_routes.HANDLERS,
    ]
    return Litestar(
        route_handlers=[
            *health.HANDLERS,
            Router("/api/v1", route_handlers=v1),
            Router("/api", route_handlers=list(provisioning_routes.HANDLERS)),
        ],
        dependencies={
            **{name: _handed(service) for name, service in services.items()},
            "caller": Provide(_caller, sync_to_thread=False),
            "device": Provide(_device, sync_to_thread=False),
        },
        guards=[guardian.guard],
        exception_handlers={Exception: answer_error},
        before_send=[_keep_private],
        openapi_config=OpenAPIConfig(
            title="Iotistic cloud",
            version=__version__,
            description="Devices join, fetch what they should run and report; operators see to it.",
            use_handler_docstrings=True,
            components=Components(
                security_schemes={
                    "person": SecurityScheme(type="http", scheme="bearer"),
                    "device": SecurityScheme(
                        type="apiKey", name="X-Device-API-Key", security_scheme_in="header"
                    ),
                }
            ),
            openapi_router=Router(
                "/api/schema",
                route_handlers=[],
                opt={"access": Access.PUBLIC},
                after_request=_in_our_form,
            ),
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        # Bodies are read, inflated and limited in `requests`.
        request_max_body_size=None,
        logging_config=None,
        debug=False,
    )


async def _keep_private(message: Message, _: Scope) -> None:
    # On all answers: tokens and keys are in many, and one that is forgotten would be kept.
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("X-Content-Type-Options", "nosniff")


def _in_our_form(response: Response[Any]) -> Response[Any]:
    # Beside the schema the framework has a page of its own for what is not there.
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise NotFoundException
    return response


def _handed(service: object) -> Provide:
    return Provide(lambda: service, sync_to_thread=False, use_cache=True)


def _caller(request: AnyRequest) -> Any:
    return request.state.caller


def _device(request: AnyRequest) -> Any:
    return request.state.caller

"""`/devices/{uuid}/target-state` for operators, and the poll of a device."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from iotistic.cloud.access import Access, Caller, DeviceCaller
from iotistic.cloud.clock import optional_iso
from iotistic.cloud.devices.credentials import Credentials
from iotistic.cloud.devices.fleet import Fleet
from iotistic.cloud.requests import AnyRequest, path_number, query_flag, read_object
from iotistic.cloud.targets.bodies import read_change
from iotistic.cloud.targets.draft import Content
from iotistic.cloud.targets.history import TargetHistory
from iotistic.cloud.targets.targets import Targets
from iotistic.cloud.targets.version import Saved, nothing_yet
from iotistic.model.canonical import same_etag
from iotistic.model.reader import Fields
from iotistic.model.target_secrets import hidden
from iotistic.model.words import Dialect

_NO_CACHE = {"Cache-Control": "private, no-cache"}


@get("/device/{uuid:str}/state", access=Access.DEVICE)
async def poll(
    request: AnyRequest,
    device: NamedDependency[DeviceCaller],
    targets: NamedDependency[Targets],
    credentials: NamedDependency[Credentials],
) -> Response[Any]:
    """What the device should run, under its uuid. `If-None-Match` → 304 when that is unchanged."""
    await credentials.seen(device)
    # The guard's query has brought the ETag already: a 304 costs no other one.
    held = request.headers.get("if-none-match")
    etag = device.target_etag or nothing_yet(device.dialect).etag
    if held and any(same_etag(etag, one) for one in held.split(",")):
        return Response(None, status_code=304, headers={"ETag": etag, **_NO_CACHE})
    served = await targets.served(device)
    body = b'{"' + device.uuid.encode() + b'":' + served.body + b"}"
    return Response(
        msgspec.Raw(body),
        media_type="application/json",
        headers={"ETag": served.etag, **_NO_CACHE},
    )


@get("/devices/{uuid:str}/target-state", access=Access.VIEWER)
async def show_target(
    uuid: FromPath[str], fleet: NamedDependency[Fleet], targets: NamedDependency[Targets]
) -> Response[dict[str, Any]]:
    """The newest version. Secrets are masked; saved with the mask they stay as they were."""
    return _answer(uuid, await targets.newest((await fleet.find(uuid)).id))


@put("/devices/{uuid:str}/target-state", access=Access.OPERATOR)
async def save_target(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
    targets: NamedDependency[Targets],
) -> Response[dict[str, Any]]:
    """Save and deploy. Body: `{apps, config?, strict?, comment?, newEpoch?}`, or one app as
    `{compose, appId?, appName?, variables?, comment?, newEpoch?}`; either as YAML too. Header
    `If-Match`.

    Query: `stage=1` saves only, `dryRun=1` only checks; `appId`, `appName` of a compose file.
    """
    device = await fleet.find(uuid)
    change = await read_change(request, Dialect(device.dialect))
    if query_flag(request, "dryRun"):
        newest = await targets.newest(device.id)
        checked = await asyncio.to_thread(change.onto, newest.body)
        return Response(
            {
                "status": "ok",
                "message": "valid; nothing was saved",
                "uuid": uuid,
                **_shown(checked.body),
                **_about(checked),
            }
        )
    stage = query_flag(request, "stage")
    saved, content = await targets.save(
        caller, device, change, deploy=not stage, if_match=request.headers.get("if-match")
    )
    message = "saved; deploy it to give it to the device" if stage else "saved and deployed"
    return _answer(uuid, saved, message=message, content=content)


@post("/devices/{uuid:str}/deploy", access=Access.OPERATOR, status_code=200)
async def deploy_target(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
    targets: NamedDependency[Targets],
) -> Response[dict[str, Any]]:
    """Give the newest version to the device. Header `If-Match`."""
    device = await fleet.find(uuid)
    saved = await targets.deploy(caller, device, if_match=request.headers.get("if-match"))
    return _answer(uuid, saved, message="deployed")


@post("/devices/{uuid:str}/deploy/cancel", access=Access.OPERATOR, status_code=200)
async def cancel_deploy(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
    targets: NamedDependency[Targets],
) -> Response[dict[str, Any]]:
    """Drop what is saved but not deployed. Header `If-Match`."""
    device = await fleet.find(uuid)
    saved = await targets.cancel(caller, device, if_match=request.headers.get("if-match"))
    return _answer(uuid, saved, message="nothing is staged any more")


@get("/devices/{uuid:str}/deployment-status", access=Access.VIEWER)
async def show_deployment(
    uuid: FromPath[str], fleet: NamedDependency[Fleet], targets: NamedDependency[Targets]
) -> dict[str, Any]:
    """Which version is saved, deployed, and held by the device."""
    shown = await fleet.show(uuid)
    newest = await targets.newest((await fleet.find(uuid)).id)
    return {
        "uuid": uuid,
        "version": newest.version,
        "deployedVersion": newest.deployed_version,
        "currentVersion": shown["currentVersion"],
        "needsDeployment": newest.needs_deployment,
        "lastDeployedAt": optional_iso(newest.deployed_at),
    }


@get("/devices/{uuid:str}/target-state/history", access=Access.VIEWER)
async def show_history(
    uuid: FromPath[str],
    fleet: NamedDependency[Fleet],
    target_history: NamedDependency[TargetHistory],
) -> dict[str, Any]:
    """The versions that are kept, newest first."""
    versions = await target_history.newest_first((await fleet.find(uuid)).id)
    return {"count": len(versions), "versions": versions}


@get("/devices/{uuid:str}/target-state/history/{version:str}", access=Access.VIEWER)
async def show_version(
    uuid: FromPath[str],
    version: FromPath[str],
    fleet: NamedDependency[Fleet],
    targets: NamedDependency[Targets],
) -> dict[str, Any]:
    """One version's content, secrets masked."""
    number = path_number(version, "version")
    body = await targets.version((await fleet.find(uuid)).id, number)
    return {"uuid": uuid, "version": number, **_shown(body)}


@post("/devices/{uuid:str}/target-state/rollback", access=Access.OPERATOR, status_code=200)
async def roll_back(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
    targets: NamedDependency[Targets],
) -> Response[dict[str, Any]]:
    """An old version's content as a new version. Body: `{version}`; header `If-Match`."""
    device = await fleet.find(uuid)
    version = Fields(await read_object(request), "").integer("version", low=1)
    saved = await targets.roll_back(
        caller, device, version, if_match=request.headers.get("if-match")
    )
    return _answer(uuid, saved, message=f"version {version} again, and deployed")


def _answer(
    uuid: str, saved: Saved, *, message: str = "", content: Content | None = None
) -> Response[dict[str, Any]]:
    body: dict[str, Any] = {
        "status": "ok",
        "message": message,
        "uuid": uuid,
        "version": saved.version,
        "deployedVersion": saved.deployed_version,
        "needs_deployment": saved.needs_deployment,
        "last_deployed_at": optional_iso(saved.deployed_at),
        "target_epoch": saved.epoch,
        **_shown(saved.body),
        **_about(content),
    }
    return Response(body, headers={"ETag": saved.etag})


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """A target as every answer to people has it."""
    shown: dict[str, Any] = hidden(body)
    return shown


def _about(content: Content | None) -> dict[str, Any]:
    about: dict[str, Any] = {"warnings": list(content.warnings) if content else []}
    if content is not None and content.app_id is not None:
        about["appId"] = content.app_id
    return about


HANDLERS = (
    poll,
    show_target,
    save_target,
    deploy_target,
    cancel_deploy,
    show_deployment,
    show_history,
    show_version,
    roll_back,
)

"""`/devices` for operators, and the calls by which devices report and leave."""

from __future__ import annotations

from typing import Any

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from iotistic.cloud.access import Access, Caller, DeviceCaller
from iotistic.cloud.devices.fleet import DeviceChange, Fleet
from iotistic.cloud.devices.reports import Reports
from iotistic.cloud.requests import (
    AnyRequest,
    client_address,
    query_flag,
    query_integer,
    read_json,
)
from iotistic.model.reader import BODY_BYTES_MAX, Fields

_PAGE_MAX = 1000
_NAME_LENGTH_MAX = 255


@patch("/device/state", access=Access.DEVICE)
async def report(
    request: AnyRequest, device: NamedDependency[DeviceCaller], reports: NamedDependency[Reports]
) -> dict[str, Any]:
    """A device's report. Body: `{<uuid>: {…}}`, a whole document or a merge patch with `base`.

    409 with the code `resync` asks for the whole document.
    """
    body = await read_json(request, bytes_max=BODY_BYTES_MAX)
    await reports.accept(device, body, address=client_address(request))
    answer: dict[str, Any] = {"status": "ok"}
    if device.target_version is not None:
        answer["targetVersion"] = device.target_version
    return answer


@post("/device/{uuid:str}/deprovision", access=Access.DEVICE_LEAVING, status_code=204)
async def deprovision(
    request: AnyRequest,
    device: NamedDependency[DeviceCaller],
    fleet: NamedDependency[Fleet],
) -> None:
    """The device leaves; its keys end. May be repeated."""
    await fleet.let_go(device, client_address(request))


@get("/devices", access=Access.VIEWER)
async def list_devices(request: AnyRequest, fleet: NamedDependency[Fleet]) -> dict[str, Any]:
    """The fleet. Query: `fleetId`, `limit`, `after` (an id), `removed=1` for tombstones too."""
    found = await fleet.page(
        fleet_id=request.query_params.get("fleetId"),
        after=query_integer(request, "after", default=0, high=2**53),
        limit=query_integer(request, "limit", default=100, high=_PAGE_MAX),
        removed=query_flag(request, "removed"),
    )
    return {"count": len(found), "devices": found}


@get("/devices/{uuid:str}", access=Access.DEVICE_OR_VIEWER)
async def show_device(uuid: FromPath[str], fleet: NamedDependency[Fleet]) -> dict[str, Any]:
    """One device; a device may look at itself."""
    return await fleet.show(uuid)


@patch("/devices/{uuid:str}", access=Access.OPERATOR)
async def change_device(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
) -> dict[str, Any]:
    """Rename it, switch it off or on. Body: `{deviceName?, isActive?}`."""
    fields = Fields(await read_json(request), "")
    change = DeviceChange(
        name=fields.optional_text("deviceName", "name", length_max=_NAME_LENGTH_MAX),
        is_active=_active(fields),
    )
    return await fleet.change(caller, uuid, change)


@patch("/devices/{uuid:str}/active", access=Access.OPERATOR)
async def switch_device(
    uuid: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[Caller],
    fleet: NamedDependency[Fleet],
) -> dict[str, Any]:
    """Switch it off or on. Body: `{isActive}`."""
    fields = Fields(await read_json(request), "")
    fields.required("isActive", "active", "is_active", expected="true or false")
    return await fleet.change(caller, uuid, DeviceChange(is_active=_active(fields)))


@delete("/devices/{uuid:str}", access=Access.OPERATOR)
async def remove_device(
    uuid: FromPath[str], caller: NamedDependency[Caller], fleet: NamedDependency[Fleet]
) -> None:
    """Take it out of the fleet; a tombstone stays."""
    await fleet.remove(caller, uuid)


@post("/devices/{uuid:str}/reprovision", access=Access.OPERATOR, status_code=200)
async def open_window(
    uuid: FromPath[str], caller: NamedDependency[Caller], fleet: NamedDependency[Fleet]
) -> dict[str, Any]:
    """Let it register anew, once, within 24 hours."""
    return await fleet.open_window(caller, uuid)


@get("/devices/{uuid:str}/current-state", access=Access.VIEWER)
async def show_current_state(
    uuid: FromPath[str], fleet: NamedDependency[Fleet], reports: NamedDependency[Reports]
) -> dict[str, Any]:
    """What it last reported; 404 before the first report."""
    return await reports.current((await fleet.find(uuid)).id)


def _active(fields: Fields) -> bool | None:
    names = ("isActive", "active", "is_active")
    return None if fields.raw(*names) is None else fields.boolean(*names, default=True)


HANDLERS = (
    report,
    deprovision,
    list_devices,
    show_device,
    change_device,
    switch_device,
    remove_device,
    open_window,
    show_current_state,
)

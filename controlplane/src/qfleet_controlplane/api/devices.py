"""Routes for devices: invite, look, take out of service."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import backends_of
from qfleet_controlplane.authority.roles import Caller
from qfleet_wire import api
from qfleet_wire.names import DeviceName, Millis

Call = Request[Any, Caller, Any]
_MOST_SAMPLES = 10_000
_LATEST_MS = 2**53


@post(
    "/devices",
    guards=[authentication.admin],
    summary="Invite a device",
    description="The token in the answer is a secret, good for one device and one use; it is shown once.",
)
async def invite(request: Call, data: JSONBody[api.InviteRequest]) -> api.Invitation:
    """Make a one-time join token."""
    return await backends_of(request).devices.invite(data, request.auth.name)


@get("/devices", guards=[authentication.viewer], summary="List devices")
async def listing(request: Call) -> Sequence[api.DeviceView]:
    """List every device, revoked ones too."""
    return await backends_of(request).devices.devices()


@get("/devices/{name:str}", guards=[authentication.viewer], summary="Show a device")
async def detail(request: Call, name: FromPath[str]) -> api.DeviceView:
    """Show one device."""
    return await backends_of(request).devices.device(DeviceName(name))


@get(
    "/devices/{name:str}/telemetry",
    guards=[authentication.viewer],
    summary="Show what a device measured",
    description="The last `limit` samples not older than `since`, in milliseconds since 1970.",
)
async def telemetry(
    request: Call,
    name: FromPath[str],
    since: Annotated[int, QueryParameter(ge=0, le=_LATEST_MS)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=_MOST_SAMPLES)] = 500,
) -> api.TelemetryView:
    """Show the telemetry of one device."""
    return await backends_of(request).devices.telemetry(DeviceName(name), Millis(since), limit)


@post("/devices/{name:str}/revoke", guards=[authentication.admin], status_code=200, summary="Revoke a device")
async def revoke(request: Call, name: FromPath[str], data: JSONBody[api.RevokeRequest]) -> api.DeviceView:
    """Revoke a device for good: its sessions end at once and its name is spent."""
    return await backends_of(request).devices.revoke(DeviceName(name), data.reason, request.auth.name)


@post(
    "/devices/{name:str}/quarantine",
    guards=[authentication.admin],
    status_code=200,
    summary="Quarantine a device",
)
async def quarantine(request: Call, name: FromPath[str], data: JSONBody[api.RevokeRequest]) -> api.DeviceView:
    """Take a device out of service until it is released; its tasks go to others at once."""
    return await backends_of(request).devices.quarantine(DeviceName(name), data.reason, request.auth.name)


@post(
    "/devices/{name:str}/release", guards=[authentication.admin], status_code=200, summary="Release a device"
)
async def release(request: Call, name: FromPath[str]) -> api.DeviceView:
    """End a device's quarantine; its next session brings it back to work."""
    return await backends_of(request).devices.release(DeviceName(name), request.auth.name)


@post("/devices/{name:str}/retire", guards=[authentication.admin], status_code=200, summary="Retire a device")
async def retire(request: Call, name: FromPath[str], data: JSONBody[api.RevokeRequest]) -> api.DeviceView:
    """Take a device out of the fleet for good, with its name; its tasks go to others at once."""
    return await backends_of(request).devices.retire(DeviceName(name), data.reason, request.auth.name)


ROUTES = (invite, listing, detail, telemetry, revoke, quarantine, release, retire)

"""The routes that say what this control plane leads, and who leads what."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import backends_of
from qfleet_wire import api


@get("/fleet", guards=[authentication.viewer], summary="What this control plane leads")
async def overview(request: Request[Any, Any, Any]) -> api.FleetView:
    """Names, version and counts."""
    return await backends_of(request).fleet.overview()


@get("/regions", guards=[authentication.viewer], summary="List regions and who leads them")
async def regions(request: Request[Any, Any, Any]) -> Sequence[api.RegionView]:
    """List every region, led or not."""
    return await backends_of(request).fleet.regions()


ROUTES = (overview, regions)

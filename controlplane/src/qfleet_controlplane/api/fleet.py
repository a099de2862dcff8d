"""The route that says what this control plane leads."""

from typing import Any

from litestar import Request, get

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import backends_of
from qfleet_wire import api


@get("/fleet", guards=[authentication.viewer], summary="What this control plane leads")
async def overview(request: Request[Any, Any, Any]) -> api.FleetView:
    """Names, version and counts."""
    return await backends_of(request).fleet.overview()


ROUTES = (overview,)

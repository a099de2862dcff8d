"""Routes for the quantum network: load a scenario, look at it, ask for ways, run its twin."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import Backends, backends_of
from qfleet_controlplane.authority.roles import Caller
from qfleet_wire.api import network as api

Call = Request[Any, Caller, Any]
_EVERY_S = 1.0

_encode = msgspec.json.Encoder().encode


@get("/network/scenarios", guards=[authentication.viewer], summary="List the scenarios that ship")
async def scenarios(request: Call) -> Sequence[api.ShippedScenario]:
    """List the scenarios that come with the control plane."""
    return await backends_of(request).network.shipped()


@get("/network/text", guards=[authentication.viewer], summary="Give a scenario as it was written")
async def text(request: Call, name: FromQuery[str] = "") -> api.ScenarioText:
    """Give the file of a scenario that ships, or of the one that is loaded."""
    return await backends_of(request).network.text(name)


@post(
    "/network",
    guards=[authentication.operator],
    summary="Load a scenario of the quantum network",
    description="It takes the place of the one that is loaded, with its twin. Everything is simulated.",
)
async def load(request: Call, data: JSONBody[api.ScenarioRequest]) -> api.NetworkView:
    """Check a scenario, compute its passes and contacts, and store it."""
    return await backends_of(request).network.load(data, request.auth.name)


@get("/network", guards=[authentication.viewer], summary="Show the scenario that is loaded")
async def overview(request: Call) -> api.NetworkView:
    """Sites, links and counts."""
    return await backends_of(request).network.overview()


@get("/network/passes", guards=[authentication.viewer], summary="List passes of satellites over sites")
async def passes(
    request: Call,
    satellite: FromQuery[str] = "",
    site: FromQuery[str] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=api.MOST_LISTED)] = 1000,
) -> api.PassesView:
    """List passes by rise."""
    return await backends_of(request).network.passes(satellite, site, limit)


@get("/network/contacts", guards=[authentication.viewer], summary="List the contact plan")
async def contacts(
    request: Call,
    a: FromQuery[str] = "",
    b: FromQuery[str] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=api.MOST_LISTED)] = 1000,
) -> api.ContactsView:
    """List contacts by start."""
    return await backends_of(request).network.contacts(a, b, limit)


@post(
    "/network/routes",
    guards=[authentication.viewer],
    status_code=200,
    summary="Say how a key comes from one node to another",
    description="Over trusted nodes that store and carry it, by contact graph routing; nothing is booked.",
)
async def routes(request: Call, data: JSONBody[api.RouteRequest]) -> api.RoutesView:
    """Find the best ways."""
    return await backends_of(request).network.routes(data)


@post(
    "/network/entanglement",
    guards=[authentication.viewer],
    status_code=200,
    summary="Say which ways deliver most entangled pairs",
    description="By swaps and purification over the scenario's fibres, at a demanded fidelity.",
)
async def entanglement(request: Call, data: JSONBody[api.EntanglementRequest]) -> api.EntanglementView:
    """Find the ways of the highest rate."""
    return await backends_of(request).network.entanglement(data)


@get("/network/plan", guards=[authentication.viewer], summary="Plan every demand of the scenario")
async def plan(request: Call) -> api.KeyPlanView:
    """Book all demands one after another, the most urgent first."""
    return await backends_of(request).network.plan()


@post("/network/simulation", guards=[authentication.operator], status_code=200, summary="Run the twin")
async def simulate(request: Call, data: JSONBody[api.SimulationRequest]) -> api.TwinView:
    """Let the twin run, faster than the clock."""
    return await backends_of(request).network.simulate(data, request.auth.name)


@post("/network/simulation/stop", guards=[authentication.operator], status_code=200, summary="Stop the twin")
async def stop(request: Call) -> api.TwinView:
    """Let the twin stand still where it is."""
    return await backends_of(request).network.stop(request.auth.name)


@post("/network/faults", guards=[authentication.operator], status_code=200, summary="Break or mend a link")
async def fault(request: Call, data: JSONBody[api.FaultRequest]) -> api.TwinView:
    """Let a link of the twin fail, be eavesdropped on, or be well again."""
    return await backends_of(request).network.fault(data, request.auth.name)


@get("/network/simulation", guards=[authentication.viewer], summary="Show the twin")
async def twin(request: Call) -> api.TwinView:
    """Stores, demands, faults and alarms as they are."""
    return await backends_of(request).network.twin()


@get(
    "/network/simulation/events",
    guards=[authentication.viewer],
    summary="Watch the twin",
    description="Server-sent events `twin`, each with the whole twin, once a second while it changes.",
    media_type="text/event-stream",
)
async def events(request: Call) -> ServerSentEvent:
    """Stream the twin."""
    backends = backends_of(request)
    return ServerSentEvent(_changes(backends, await backends.network.twin()))


async def _changes(backends: Backends, found: api.TwinView) -> AsyncIterator[ServerSentEventMessage]:
    told: api.TwinView | None = None
    while not backends.stopping.done():
        if found != told:
            told = found
            yield ServerSentEventMessage(event="twin", data=_encode(found).decode())
        else:
            yield ServerSentEventMessage(comment="alive", data=None)
        await asyncio.wait([backends.stopping], timeout=_EVERY_S)
        found = await backends.network.twin()


ROUTES = (
    scenarios, text, load, overview, passes, contacts, routes, entanglement, plan,
    simulate, stop, fault, twin, events,
)  # fmt: skip

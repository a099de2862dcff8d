"""Routes for keys between devices: which links make them, and what came of what was ordered."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import backends_of
from qfleet_controlplane.authority.roles import Caller
from qfleet_wire.api import keys as api

Call = Request[Any, Caller, Any]
Key = Annotated[str | None, HeaderParameter(name="Idempotency-Key")]
Limit = Annotated[int, QueryParameter(ge=1, le=api.MOST_LISTED)]


@get("/keys/links", guards=[authentication.viewer], summary="List the links that join two devices")
async def links(request: Call) -> Sequence[api.KeyLinkView]:
    """List links of the twin with their state and the stock of both ends."""
    return await backends_of(request).keys.links()


@get("/keys/sessions", guards=[authentication.viewer], summary="List key sessions")
async def sessions(
    request: Call, link: FromQuery[str] = "", limit: Limit = 100
) -> Sequence[api.KeySessionView]:
    """List sessions, the latest first; of one link where it is named, as `A|B`."""
    return await backends_of(request).keys.sessions(limit, link)


@get("/keys/relays", guards=[authentication.viewer], summary="List relays of keys")
async def relays(request: Call, limit: Limit = 100) -> Sequence[api.KeyRelayView]:
    """List relays, the latest first, with the nodes that were trusted."""
    return await backends_of(request).keys.relays(limit)


@get(
    "/keys/sessions/{session:str}",
    guards=[authentication.viewer],
    summary="Show a session with what both ends said",
    description="By its name or how that begins, four letters at least; 409 where several begin so.",
)
async def session(request: Call, session: FromPath[str]) -> api.KeySessionDetail:
    """Show a session."""
    return await backends_of(request).keys.session(session)


@get(
    "/keys/relays/{relay:str}",
    guards=[authentication.viewer],
    summary="Show a relay with what its ends said",
    description="By its name or how that begins, four letters at least; 409 where several begin so.",
)
async def carried(request: Call, relay: FromPath[str]) -> api.KeyRelayDetail:
    """Show a relay."""
    return await backends_of(request).keys.carried(relay)


@get("/keys/alarms", guards=[authentication.viewer], summary="List alarms of links and routes")
async def alarms(request: Call, limit: Limit = 100) -> Sequence[api.KeyAlarmView]:
    """List alarms, the latest first."""
    return await backends_of(request).keys.alarms(limit)


@post(
    "/keys/exchange",
    guards=[authentication.operator],
    summary="Let two devices with a link make a key",
    description="Both ends are ordered when it returns. An eavesdropper is for exercises on simulated light. "
    "Asked again with the same Idempotency-Key, it answers with the session that was ordered the first time, "
    "as it stands now; 409 if that asks for something else.",
)
async def exchange(
    request: Call, data: JSONBody[api.KeyExchangeRequest], key: Key = None
) -> api.KeySessionView:
    """Order a session of a link."""
    return await backends_of(request).keys.exchange(data, request.auth.name, key)


@post(
    "/keys/relay",
    guards=[authentication.operator],
    summary="Let two devices without a link share a key",
    description="Over trusted nodes, which the answer names; every device of the route is ordered. "
    "Asked again with the same Idempotency-Key, it answers with the relay that was ordered the first time, "
    "as it stands now; 409 if that asks for something else.",
)
async def relay(request: Call, data: JSONBody[api.KeyRelayRequest], key: Key = None) -> api.KeyRelayView:
    """Order a relay."""
    return await backends_of(request).keys.relay(data, request.auth.name, key)


ROUTES = (links, sessions, session, relays, carried, alarms, exchange, relay)

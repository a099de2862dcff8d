"""The ASGI application: reads a request, has the KME answer it, writes the answer; decides nothing.

Written on ASGI itself and not on a framework, because a path is decoded only after it was split
(an SAE ID may have a slash in it), and because every status and body is the standard's.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from qfleet_agent import __version__
from qfleet_agent.delivery import formats, openapi, requests
from qfleet_agent.delivery.entity import Entity
from qfleet_agent.delivery.refusals import BadRequest, Refused
from qfleet_agent.delivery.requests import MOST_BODY_BYTES, Request

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CALLER: Final = "qfleet.caller"
"""Where the server puts the SAE ID of the caller in the scope's state; None: nobody."""

_encode = msgspec.json.Encoder().encode


class Application:
    """Serves one KME."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self._description = _encode(openapi.describe(__version__, entity.bounds))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        caller: str | None = scope["state"].get(CALLER)
        try:
            status, body = 200, await self._answer(scope, receive, caller)
        except Refused as refused:
            status, body = refused.status, _refusal(refused)
        except Exception:
            log.exception("A request failed unexpectedly.", extra={"action": "key-request-failed"})
            status, body = 503, _encode(formats.Error("the KME failed; its log says why"))
        await _respond(send, status, body)

    async def _answer(self, scope: Scope, receive: Receive, caller: str | None) -> bytes:
        if scope["path"] == openapi.PATH and scope["method"] == "GET":
            return self._description
        asked = requests.read(await _request(scope, receive), self._entity.bounds)
        match asked:
            case requests.Status():
                return _encode(await self._entity.status(caller, asked))
            case requests.Encrypt():
                given = await self._entity.encrypt(caller, asked)
                log.debug("%s was given %d keys for %s.", caller, len(given.keys), asked.slave)
                return _encode(given)
            case requests.Decrypt():
                given = await self._entity.decrypt(caller, asked)
                log.debug("%s was given %d keys of %s.", caller, len(given.keys), asked.master)
                return _encode(given)


def _refusal(refused: Refused) -> bytes:
    if refused.status == 401:
        return b""
    return _encode(formats.Error(refused.message, tuple(map(dict, refused.details))))


async def _request(scope: Scope, receive: Receive) -> Request:
    return Request(
        scope["method"],
        scope["raw_path"].decode("ascii", "replace"),
        scope["query_string"].decode("ascii", "replace"),
        next((value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), ""),
        await _body(receive),
    )


async def _body(receive: Receive) -> bytes:
    """Read the body, never much more than may be."""
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended early")
        parts += message.get("body", b"")
        if len(parts) > MOST_BODY_BYTES:
            raise BadRequest(f"the body has more than {MOST_BODY_BYTES} bytes")
        more = message.get("more_body", False)
    return bytes(parts)


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if body:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

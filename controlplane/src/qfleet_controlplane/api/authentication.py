"""Bearer tokens and roles: who may call which route.

Tokens are known by their SHA-256 only. A guard puts the caller into ``request.auth`` for the
audit log; nothing here may log or echo a token.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from qfleet_controlplane.api.backends import backends_of
from qfleet_controlplane.authority.roles import Role
from qfleet_controlplane.errors import Forbidden, Unauthenticated

_SCHEME = "bearer "
_TOKENS = "`qfleet-controlplane token add` makes one on the control plane's machine"


Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def requires(role: Role) -> Guard:
    """Make a guard that admits callers of at least this role."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        header = connection.headers.get("authorization", "")
        if header[: len(_SCHEME)].lower() != _SCHEME:
            raise Unauthenticated("this request needs a header 'Authorization: Bearer TOKEN'", hint=_TOKENS)
        tokens = backends_of(connection).tokens
        caller = await tokens.caller_of(header[len(_SCHEME) :].strip())
        if caller is None:
            raise Unauthenticated(
                "the API token is not known here; it may be another control plane's", hint=_TOKENS
            )
        if caller.role < role:
            raise Forbidden(
                f"this needs the role {role.name.lower()}; the token has {caller.role.name.lower()}",
                hint=_TOKENS,
            )
        connection.scope["auth"] = caller

    return guard


viewer = requires(Role.VIEWER)
operator = requires(Role.OPERATOR)
admin = requires(Role.ADMIN)

"""One session or relay by its name, or by how the name begins: tables show the first letters only."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

import sqlalchemy as sa

from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound
from qfleet_controlplane.keys.model import Relay, Session
from qfleet_controlplane.store import key_rows
from qfleet_wire.api.keys import FEWEST_LETTERS

_T = TypeVar("_T", Session, Relay)

_NAME: Final = re.compile(f"[0-9a-f]{{{FEWEST_LETTERS},32}}")


def session(connection: sa.Connection, name: str) -> Session:
    """A session.

    Raises:
        InvalidRequest: it is no name.
        NotFound: there is none of that name.
        Conflict: there are several.
    """
    _check(name, "session")
    return _only(key_rows.sessions_like(connection, name, 2), name, "session")


def relay(connection: sa.Connection, name: str) -> Relay:
    """A relay; raises as ``session`` does."""
    _check(name, "relay")
    return _only(key_rows.relays_like(connection, name, 2), name, "relay")


def _check(name: str, what: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{name[:64]!r} is no name of a {what}",
            hint=f"names have 32 letters of 0 to 9 and a to f; the first {FEWEST_LETTERS} or more will do",
            field=what,
        )


def _only(found: Sequence[_T], name: str, what: str) -> _T:
    if not found:
        raise NotFound(
            f"no {what} has a name that begins with {name!r}",
            hint=f"`qfleet key {what}s` shows them; they are kept for {key_rows.KEPT_MS // 86_400_000} days",
            field=what,
        )
    if len(found) > 1:
        raise Conflict(
            f"more than one {what} has a name that begins with {name!r}",
            hint=f"give more letters: `qfleet key {what}s --json` shows whole names",
            field=what,
        )
    return found[0]

"""Sessions and relays under a key of the caller's: each is ordered once, however often it is asked for.

All of it is read and stored in the transaction that decides, of which there is one at a time: no two
controllers and no two callers make something of one key.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.keys.model import Relay, Session
from qfleet_controlplane.service import repeats
from qfleet_controlplane.store import key_asks, key_rows
from qfleet_controlplane.store.key_asks import Answered, Ask, What
from qfleet_wire.api.keys import KeyExchangeRequest, KeyRelayRequest
from qfleet_wire.names import Millis

Request: TypeAlias = KeyExchangeRequest | KeyRelayRequest

_KINDS: Final[Mapping[What, type[Request]]] = {"exchange": KeyExchangeRequest, "relay": KeyRelayRequest}


def ask(key: str | None, what: What, request: Request) -> Ask | None:
    """What is stored of a request under a key; raises ``RequestRefused`` for what is no key."""
    return None if key is None else Ask(repeats.digest(key), what, msgspec.json.encode(request))


def made(connection: sa.Connection, asked: Ask) -> Session | Relay | None:
    """What was made when this was asked before.

    Raises:
        Conflict: something else was asked for under its key.
    """
    known = key_asks.find(connection, asked.key)
    if known is None:
        return None
    if known.ask.what != asked.what or _read(known.ask) != _read(asked):
        raise repeats.differs(f"{known.ask.what} {known.name} was ordered")
    if asked.what == "relay":
        return key_rows.relay(connection, known.name)
    return key_rows.session(connection, known.name)


def keep(connection: sa.Connection, asked: Ask, name: str, now: Millis) -> None:
    """Store what was asked for, and the name of what it made."""
    key_asks.keep(connection, Answered(asked, name), now)


def _read(asked: Ask) -> Request:
    """The request: a version that spells it in another way finds it again."""
    return msgspec.json.decode(asked.request, type=_KINDS[asked.what])

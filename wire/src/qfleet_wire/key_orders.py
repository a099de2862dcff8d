"""Bodies of ``payloads.KeyOrder`` and ``payloads.KeyReport``: what key processes are told, and what they say.

The order's and the report's names make them repeatable. A report never holds a key, nor anything that a key
follows from.
"""

from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec

from qfleet_wire import codec
from qfleet_wire.errors import InvalidMessage
from qfleet_wire.key_plans import Plan, SessionName
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis

Role: TypeAlias = Literal["alice", "bob"]
Outcome: TypeAlias = Literal["key", "aborted"]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]
RelayId = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Route = Annotated[tuple[DeviceName, ...], msgspec.Meta(min_length=3, max_length=32)]


class Eavesdropper(msgspec.Struct, frozen=True, kw_only=True):
    """Who listens on a simulated channel, for exercises: a real channel has none to be ordered."""

    kind: Literal["intercept", "split", "blind"]
    share: Share


class Exchange(msgspec.Struct, frozen=True, kw_only=True, tag="exchange"):
    """Make a key with ``peer`` by ``plan``, as this end of it; both ends are ordered. Void once expired."""

    plan: Plan
    peer: DeviceName
    role: Role
    expires: Millis
    eavesdropper: Eavesdropper | None = None


class Relay(msgspec.Struct, frozen=True, kw_only=True, tag="relay"):
    """Carry a key of ``size`` bytes from the first device of ``route`` to the last; each is ordered."""

    relay: RelayId
    route: Route
    size: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    expires: Millis


class ExchangeEnded(msgspec.Struct, frozen=True, kw_only=True, tag="exchange-ended"):
    """A session has ended at this end.

    ``bits`` of key came of ``sifted`` bits with ``error_rate`` in the check basis, ``leak_bits`` of which
    were told. Where it was aborted, ``reason`` says why in one word and ``seen`` what was seen. ``simulated``
    says whether its light was; None where the session never came to have any.
    """

    session: SessionName
    role: Role
    peer: DeviceName
    outcome: Outcome
    bits: Count = 0
    sifted: Count = 0
    error_rate: Share = 0.0
    leak_bits: Count = 0
    reason: Words = ""
    seen: Words = ""
    simulated: bool | None = None


class RelayEnded(msgspec.Struct, frozen=True, kw_only=True, tag="relay-ended"):
    """A relay has ended at this device."""

    relay: RelayId
    outcome: Outcome
    bits: Count = 0
    reason: Words = ""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What an application here has taken of a link's key, by its SAE ID: made for others, and fetched."""

    application: Annotated[str, msgspec.Meta(max_length=256)]
    issued_bits: Count = 0
    issued_keys: Count = 0
    fetched_keys: Count = 0


class LinkStock(msgspec.Struct, frozen=True, kw_only=True):
    """Key that is shared with ``peer``: what this end may still allot, what both may, and what was used.

    ``uses`` are the first ``MOST_USES`` applications by name.
    """

    peer: DeviceName
    ours_bits: Count
    all_bits: Count
    used_bits: Count
    uses: Annotated[tuple[Use, ...], msgspec.Meta(max_length=64)] = ()


class Stock(msgspec.Struct, frozen=True, kw_only=True, tag="stock"):
    """What each link has; the last one counts."""

    links: Annotated[tuple[LinkStock, ...], msgspec.Meta(max_length=256)]


class RouteAlarm(msgspec.Struct, frozen=True, kw_only=True, tag="route-alarm"):
    """Somebody may be forging on the route of a relay: what was seen."""

    relay: RelayId
    seen: Words


Order: TypeAlias = Exchange | Relay
Report: TypeAlias = ExchangeEnded | RelayEnded | Stock | RouteAlarm

MOST_USES = 64

_T = TypeVar("_T")

_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def encode(body: Order | Report) -> bytes:
    """Encode a body."""
    return codec.encode(body)


def order(data: bytes) -> Order:
    """Read an order.

    Raises:
        InvalidMessage: it is none.
    """
    return _read(_orders, data)


def report(data: bytes) -> Report:
    """Read a report.

    Raises:
        InvalidMessage: it is none.
    """
    return _read(_reports, data)


def _read(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    if len(data) > LIMITS.key_body_bytes:
        raise InvalidMessage(f"a body of {len(data)} bytes is over the limit of {LIMITS.key_body_bytes}")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidMessage(f"not a body of a key process: {error}") from error

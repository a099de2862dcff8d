"""What a contact plan is made of: contacts, demands, routes, bookings.

A quantum contact makes one secret key that both its ends hold. It has no direction: the same bits serve
a relay from ``a`` to ``b`` or back, and once used they are gone, so that both directions share one
volume.

**What order a relay needs.** A chain of trusted nodes relays a key when each inner node announces the
exclusive or of the keys that it shares with its two neighbours. Exclusive or commutes, and a key keeps,
so physics asks for no order of the contacts at all: the relayed key is there as soon as the *last* of
the hops' keys is, whichever hop that is (``Timing(order="any")``). Contact graph routing asks for more:
CCSDS 734.3-B-1 (SABR) moves a message, which must have arrived at a node before it can leave on the next
contact, so a contact that ended before is of no use (3.2.4.1.1: excluded if it ends before the earliest
transmission; it is still usable at its end instant). That is what a node needs which can be spoken to
only during its contacts and forwards what it carries (``Timing(order="carried")``, the default), and
it costs: whatever is reachable in carried order is reachable in any order no later.

Times are seconds since the scenario's epoch.
"""

from typing import Literal

import msgspec

Kind = Literal["satellite", "fibre", "air"]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which two nodes make key: how much is expected of it, and how much is booked."""

    number: int
    a: str
    b: str
    start_s: float
    end_s: float
    expected_bits: int
    booked_bits: int = 0
    kind: Kind = "satellite"


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When a contact's key can be used.

    ``ready``: ``"end"`` when the key of a whole contact is distilled after it (a finite-key block needs its
    last pulse); ``"start"`` is SABR's best case, in which the first bit counts. ``hop_latency_s`` is added
    for each hop: the one-way light time of SABR, or the classical delivery over the internet. ``order``:
    see the module.
    """

    ready: Literal["end", "start"] = "end"
    order: Literal["carried", "any"] = "carried"
    hop_latency_s: float = 0.0


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """Key wanted between two sites: this many bits, not before and not after, over at most so many routes."""

    name: str
    a: str
    b: str
    bits: int
    from_s: float = 0.0
    deadline_s: float | None = None
    most_routes: int = 4


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts in the order of their hops; ``nodes`` has one more entry, the two ends included.

    ``arrival_s`` is when the relayed key is there, ``terminates_s`` the earliest end of its contacts, after
    which the route as a whole is of no use (SABR 1.4), ``bits`` the least volume that was free on its
    contacts.
    """

    contacts: tuple[int, ...]
    nodes: tuple[str, ...]
    arrival_s: float
    terminates_s: float
    bits: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking takes along one route: this many bits of each of its contacts."""

    route: Route
    bits: int


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A demand and the parts that serve it."""

    demand: Demand
    parts: tuple[Part, ...]

    @property
    def bits(self) -> int:
        """Bits served by all parts together."""
        return sum(part.bits for part in self.parts)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a demand, or the rest of one, is not served, and how many bits could have been."""

    demand: Demand
    reason: str
    servable_bits: int

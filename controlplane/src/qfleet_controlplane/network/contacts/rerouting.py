"""What breaks when a link fails, the sky clouds over or a node alarms, and which way the key goes instead.

All three are one thing to the ledger: some contacts will give fewer bits than was expected of them, perhaps
none. The latest bookings on such a contact break first, a whole part of a booking at a time, until what is
left fits. A broken part gives its bits back and is served anew from now on; where its first contacts are
behind it and still good, the key already carried to an inner node goes on from there.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from qfleet_controlplane.network.contacts import model
from qfleet_controlplane.network.contacts.ledger import Ledger
from qfleet_controlplane.network.contacts.plan import InvalidPlan, Plan


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``broken``: bookings as they were; ``moved``: as they are now; ``unserved``: what is left over."""

    broken: tuple[model.Booking, ...] = ()
    moved: tuple[model.Booking, ...] = ()
    unserved: tuple[model.Refusal, ...] = ()


def of_link(plan: Plan, a: str, b: str, since_s: float = -math.inf) -> list[int]:
    """Contacts of two nodes that are not over at an instant: what fails when their link does.

    Raises:
        InvalidPlan: for an unknown node, or two that have no contact at all.
    """
    ends = {plan.nodes[plan.place(a)], plan.nodes[plan.place(b)]}
    theirs = [each for each in plan.contacts.values() if {each.a, each.b} == ends]
    if not theirs:
        raise InvalidPlan(f"{a} and {b} have no contact in the plan")
    return [each.number for each in theirs if each.end_s > since_s]


def of_node(plan: Plan, node: str, since_s: float = -math.inf) -> list[int]:
    """Contacts of a node that are not over at an instant; all of them for a node that cannot be trusted.

    Raises:
        InvalidPlan: for an unknown node.
    """
    name = plan.nodes[plan.place(node)]
    return [
        each.number for each in plan.contacts.values() if name in (each.a, each.b) and each.end_s > since_s
    ]


def revise(ledger: Ledger, expected: Mapping[int, int], now_s: float) -> Outcome:
    """Change the expected bits of contacts, and move the bookings that no longer fit.

    Raises:
        InvalidPlan: for an unknown contact, a negative volume, or one below what is taken for good; nothing
        has
            changed then.
    """
    _check(ledger, expected)
    for number, bits in expected.items():
        ledger.expect(number, bits)
    broken = _broken(ledger, expected)
    before = [each for name, each in ledger.bookings.items() if name in broken]
    for booking in before:
        lost = [booking.parts[index] for index in broken[booking.demand.name]]
        ledger.give_back(lost)
    outcomes = [_serve(ledger, booking, broken[booking.demand.name], now_s) for booking in before]
    return Outcome(
        broken=tuple(before),
        moved=tuple(moved for moved, _ in outcomes),
        unserved=tuple(rest for _, rest in outcomes if rest is not None),
    )


def _check(ledger: Ledger, expected: Mapping[int, int]) -> None:
    held = ledger.held()
    now = {each.number: each for each in ledger.contacts()}
    for number, bits in expected.items():
        ledger.plan.contact(number)
        gone = now[number].booked_bits - held.get(number, 0)
        if bits < 0:
            raise InvalidPlan(f"contact {number} cannot give {bits} bits; give 0 when it fails")
        if bits < gone:
            raise InvalidPlan(
                f"contact {number} cannot give only {bits} bits: {gone} of it are taken for good already"
            )


def _broken(ledger: Ledger, numbers: Iterable[int]) -> dict[str, list[int]]:
    """Indices of the parts that no longer fit, by booking: the latest bookings break first."""
    broken: dict[str, list[int]] = {}
    over = {number: -ledger.free[number] for number in numbers}
    for name, booking in reversed(list(ledger.bookings.items())):
        for index, part in reversed(list(enumerate(booking.parts))):
            if any(over.get(number, 0) > 0 for number in part.route.contacts):
                broken.setdefault(name, []).append(index)
                for number in part.route.contacts:
                    over[number] = over.get(number, 0) - part.bits
    return broken


def _serve(
    ledger: Ledger, booking: model.Booking, lost: Collection[int], now_s: float
) -> tuple[model.Booking, model.Refusal | None]:
    """Find other ways for the lost parts of a booking, as far as there are any."""
    parts = [part for index, part in enumerate(booking.parts) if index not in lost]
    for index in sorted(lost):
        part = booking.parts[index]
        again = replace(booking.demand, bits=part.bits)
        parts += ledger.take(again, begun=_behind(ledger.plan, part.route, now_s), since_s=now_s)
    after = ledger.keep(replace(booking, parts=tuple(parts)))
    if not parts:
        ledger.forget(booking.demand.name)
    missing = booking.bits - after.bits
    if not missing:
        return after, None
    rest = replace(booking.demand, bits=missing, from_s=max(now_s, booking.demand.from_s))
    return after, model.Refusal(demand=rest, reason=ledger.why(rest, 0), servable_bits=0)


def _behind(plan: Plan, route: model.Route, now_s: float) -> tuple[int, ...]:
    """The first contacts of a route that are over; where any order serves, their keys are found anyway."""
    if not plan.carried:
        return ()
    return tuple(takewhile(lambda number: plan.contacts[number].end_s <= now_s, route.contacts))

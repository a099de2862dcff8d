"""A checked contact plan, laid out for route search.

Between two nodes the contacts do not overlap, so one sorted row per pair answers both questions of the
search by bisection: the first contact usable from an instant on, and the last one ready by an instant.
Times are whole microseconds inside (``ticks``), because the search adds and subtracts latencies and compares
for equality.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from qfleet_controlplane import errors
from qfleet_controlplane.network.contacts import model

TICKS_PER_S = 1_000_000


class InvalidPlan(errors.InvalidRequest):
    """The contact plan is not valid."""


def ticks(seconds: float) -> int:
    """Round seconds to whole microseconds."""
    return round(seconds * TICKS_PER_S)


@dataclass(slots=True)
class Row:
    """The contacts of one pair in order of time; ``ready`` and ``ends`` never fall."""

    ends: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


class Plan:
    """Nodes and contacts that were checked; never changes.

    A node's number, by which ties of SABR's order are broken, is its place in ``nodes``. Only ``relays``
    may stand inside a route; by default every node is trusted to.

    Raises:
        InvalidPlan: naming the contact and what is wrong with it.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        contacts: Iterable[model.Contact],
        *,
        timing: model.Timing | None = None,
        relays: Collection[str] | None = None,
    ) -> None:
        self.nodes = tuple(nodes)
        self.timing = timing or model.Timing()
        self.latency = _latency(self.timing)
        self.carried = self.timing.order == "carried"
        self.places = _places(self.nodes)
        trusted = self.nodes if relays is None else relays
        self.relays = frozenset(self.place(name) for name in trusted)
        self.contacts: dict[int, model.Contact] = {}
        rows: dict[tuple[int, int], Row] = {}
        for contact in sorted(contacts, key=lambda each: (each.start_s, each.end_s)):
            self._add(contact, rows)
        self.neighbours: list[list[tuple[int, Row]]] = [[] for _ in self.nodes]
        for (a, b), row in rows.items():
            self.neighbours[a].append((b, row))
            self.neighbours[b].append((a, row))
        for near in self.neighbours:
            near.sort(key=lambda each: each[0])

    def place(self, node: str) -> int:
        """The node's number.

        Raises:
            InvalidPlan: for a name that the plan does not know.
        """
        if node not in self.places:
            raise InvalidPlan(f"no node is named {node!r}; the plan has {_some(self.nodes)}")
        return self.places[node]

    def contact(self, number: int) -> model.Contact:
        """The contact of that number, as planned.

        Raises:
            InvalidPlan: for a number that the plan does not know.
        """
        if number not in self.contacts:
            raise InvalidPlan(f"the plan has no contact {number}")
        return self.contacts[number]

    def ready_s(self, contact: model.Contact) -> float:
        """When the contact's key can first be used."""
        return contact.end_s if self.timing.ready == "end" else contact.start_s

    def _add(self, contact: model.Contact, rows: dict[tuple[int, int], Row]) -> None:
        _check(contact)
        if contact.number in self.contacts:
            raise InvalidPlan(f"two contacts have the number {contact.number}; each needs its own")
        a, b = sorted((self.place(contact.a), self.place(contact.b)))
        row = rows.setdefault((a, b), Row())
        start = ticks(contact.start_s)
        if row.ends and start < row.ends[-1]:
            raise InvalidPlan(
                f"contact {contact.number} of {contact.a} and {contact.b} starts at {contact.start_s:g} s, "
                f"before contact {row.numbers[-1]} of the same pair ends at "
                f"{row.ends[-1] / TICKS_PER_S:g} s; merge them or cut one short"
            )
        row.ends.append(ticks(contact.end_s))
        row.ready.append(ticks(self.ready_s(contact)))
        row.numbers.append(contact.number)
        self.contacts[contact.number] = contact


def _places(nodes: tuple[str, ...]) -> dict[str, int]:
    places = {name: place for place, name in enumerate(nodes)}
    if len(places) != len(nodes):
        twice = next(after for before, after in pairwise(sorted(nodes)) if before == after)
        raise InvalidPlan(f"two nodes are named {twice!r}; each needs its own name")
    return places


def _latency(timing: model.Timing) -> int:
    if not (math.isfinite(timing.hop_latency_s) and timing.hop_latency_s >= 0):
        raise InvalidPlan(
            f"a latency of {timing.hop_latency_s:g} s for each hop is not possible; give 0 or more"
        )
    return ticks(timing.hop_latency_s)


def _check(contact: model.Contact) -> None:
    named = f"contact {contact.number} of {contact.a} and {contact.b}"
    if contact.a == contact.b:
        raise InvalidPlan(f"{named} joins a node to itself")
    if not (math.isfinite(contact.start_s) and math.isfinite(contact.end_s)):
        raise InvalidPlan(
            f"{named} has no finite start and end: {contact.start_s:g} s to {contact.end_s:g} s"
        )
    if ticks(contact.end_s) <= ticks(contact.start_s):
        raise InvalidPlan(
            f"{named} ends at {contact.end_s:g} s, not after its start at {contact.start_s:g} s"
        )
    if contact.expected_bits < 0 or contact.booked_bits < 0:
        raise InvalidPlan(
            f"{named} has a negative volume: {contact.expected_bits} bits expected, "
            f"{contact.booked_bits} booked"
        )
    if contact.booked_bits > contact.expected_bits:
        raise InvalidPlan(
            f"{named} has {contact.booked_bits} bits booked, more than the {contact.expected_bits} expected"
        )


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"

"""The best route through a contact plan, in the whole order of SABR.

CCSDS 734.3-B-1, 3.2.8.1.4 a) orders routes by earliest arrival, then fewest contacts, then latest
termination (the earliest end among a route's contacts), then smallest entry node. The order is made total
by the contacts' numbers, compared hop by hop. Contact graph routing as it is usually built finds the earliest
arrival by Dijkstra's algorithm and compares the rest only among the routes that it happened to find; here
the whole order is exact, in three passes:

1. forwards, the earliest arrival at every node (Dijkstra's algorithm over the first usable contact of each
   pair; leaving earlier never arrives later, so nothing else can be better);
2. backwards from the destination, one hop at a time, the latest instant at which each node could still
   make that arrival, with the latest termination (of each pair only the last contact that is ready in time
   counts: it is best in both). The first layer that reaches the source gives the fewest contacts;
3. forwards along those layers, the smallest entry node and contact numbers.

A route of fewest contacts visits no node twice, so walks need no list of visited nodes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

import msgspec

from qfleet_controlplane.network.contacts.plan import Plan, Row

NEVER = 1 << 62  # microseconds: past every plan

_NONE: frozenset[int] = frozenset()

Label = tuple[int, int]  # latest instant to be there, termination of the rest of the route
Layer = dict[int, list[Label]]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """From which node to which, since and until when (ticks), with how many bits free on each contact.

    ``first_hop`` says that the entry node is still open; ``terminates`` caps the termination where contacts
    before the source are already chosen. ``avoid`` are nodes, ``barred`` contacts that must not be the first.
    """

    source: int
    destination: int
    since: int
    until: int = NEVER
    bits: int = 1
    first_hop: bool = True
    terminates: int = NEVER
    avoid: frozenset[int] = frozenset()
    barred: frozenset[int] = frozenset()


def best(plan: Plan, free: Mapping[int, int], ask: Ask) -> tuple[int, ...] | None:
    """Contact numbers of the best route; None where no route arrives in time."""
    search = _Search(plan, free, ask)
    earliest = search.earliest()
    if ask.destination not in earliest:
        return None
    layers = search.layers(earliest)
    latest_end = max(termination for _, termination in layers[-1][ask.source])
    return tuple(search.trace(layers, min(latest_end, ask.terminates)))


@dataclass(frozen=True, slots=True)
class _Search:
    """The three passes."""

    plan: Plan
    free: Mapping[int, int]
    ask: Ask

    def earliest(self) -> dict[int, int]:
        """Earliest arrival at each node that can be reached no later than the destination."""
        plan, ask = self.plan, self.ask
        found = {ask.source: ask.since}
        # The destination comes last among equals: all nodes that are reached in time must be known.
        heap = [(ask.since, False, ask.source)]
        settled = set(ask.avoid)
        until = ask.until
        while heap:
            now, last, node = heappop(heap)
            if last:
                break
            if node in settled:
                continue
            settled.add(node)
            if not self._forwards(node):
                continue
            barred = ask.barred if node == ask.source else _NONE
            for near, row in plan.neighbours[node]:
                if near in settled:
                    continue
                before = min(found.get(near, NEVER), until + 1)
                arrival = self._arrival(row, now, before, barred)
                if arrival >= before:
                    continue
                found[near] = arrival
                if near == ask.destination:
                    until = arrival
                heappush(heap, (arrival, near == ask.destination, near))
        return found

    def layers(self, earliest: dict[int, int]) -> list[Layer]:
        """For each number of hops that are left, who can still make the earliest arrival."""
        ask = self.ask
        layers: list[Layer] = [{ask.destination: [(earliest[ask.destination], NEVER)]}]
        while ask.source not in layers[-1]:
            layer: Layer = {}
            for node, labels in layers[-1].items():
                for near, row in self.plan.neighbours[node]:
                    least = earliest.get(near)
                    if least is None or near == ask.destination or not self._forwards(near):
                        continue
                    for label in labels:
                        back = self._last(row, label, near, least)
                        if back is not None:
                            _keep(layer.setdefault(near, []), back)
            layers.append(layer)
        return layers

    def trace(self, layers: list[Layer], termination: int) -> Iterator[int]:
        """The contacts of the best among the routes that the layers hold and that last so long."""
        node, now, entry_open = self.ask.source, self.ask.since, self.ask.first_hop
        for layer in reversed(layers[:-1]):
            choices = self._choices(layer, node, now, termination)
            if entry_open:
                number, near, ready = min(choices, key=lambda each: (each[1], each[0]))
            else:
                number, near, ready = min(choices)
            yield number
            node, now, entry_open = near, max(now, ready) + self.plan.latency, False

    def _forwards(self, node: int) -> bool:
        return node in self.plan.relays or node == self.ask.source

    def _arrival(self, row: Row, now: int, before: int, barred: frozenset[int]) -> int:
        """Arrival over the first contact that is usable from now on; NEVER unless it is before an instant."""
        index = bisect_left(row.ends, now) if self.plan.carried else 0
        while index < len(row.numbers):
            ready = row.ready[index]
            arrival = max(now, ready) + self.plan.latency
            if arrival >= before:
                return NEVER
            number = row.numbers[index]
            if self.free[number] >= self.ask.bits and number not in barred:
                return arrival
            index += 1
        return NEVER

    def _last(self, row: Row, label: Label, node: int, least: int) -> Label | None:
        """The label of a node before this one, by the last contact that is ready in time."""
        by = label[0] - self.plan.latency
        barred = self.ask.barred if node == self.ask.source else _NONE
        index = bisect_right(row.ready, by) - 1
        while by >= least and index >= 0:
            end, number = row.ends[index], row.numbers[index]
            if self.plan.carried and end < least:
                return None
            if self.free[number] >= self.ask.bits and number not in barred:
                return (min(end, by) if self.plan.carried else by), min(end, label[1])
            index -= 1
        return None

    def _choices(self, layer: Layer, node: int, now: int, termination: int) -> Iterator[tuple[int, int, int]]:
        """Number, next node and readiness of each contact that a best route may take from here."""
        barred = self.ask.barred if node == self.ask.source else _NONE
        opens = max(now, termination) if self.plan.carried else termination
        for near, row in self.plan.neighbours[node]:
            latest = max((by for by, end in layer.get(near, ()) if end >= termination), default=-NEVER)
            latest -= self.plan.latency
            if now > latest:
                continue
            for index in range(bisect_left(row.ends, opens), bisect_right(row.ready, latest)):
                number = row.numbers[index]
                if self.free[number] >= self.ask.bits and number not in barred:
                    yield number, near, row.ready[index]


def _keep(labels: list[Label], new: Label) -> None:
    """Add a label unless one is as good in both, and drop those that it beats."""
    if any(old[0] >= new[0] and old[1] >= new[1] for old in labels):
        return
    labels[:] = [old for old in labels if old[0] > new[0] or old[1] > new[1]]
    labels.append(new)

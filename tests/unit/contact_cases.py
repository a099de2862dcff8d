"""Contact plans that the tests of routing are made of, and the slow way to know every route."""

import itertools
import random
from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

from qfleet_controlplane.network.contacts import model, plan, routes

NODES = ("A", "B", "C", "D", "E")


def contact(number: int, ends: str, start_s: float, end_s: float, bits: int = 100) -> model.Contact:
    """A contact of two nodes with names of one letter."""
    return model.Contact(
        number=number, a=ends[0], b=ends[1], start_s=start_s, end_s=end_s, expected_bits=bits
    )


@st.composite
def contacts(draw: st.DrawFn, nodes: str = "ABCDE", most: int = 3) -> list[model.Contact]:
    """Up to ``most`` contacts for each pair, at whole instants so that many are equal."""
    found: list[model.Contact] = []
    numbers = draw(st.permutations(range(len(nodes) * (len(nodes) - 1) // 2 * most)))
    for ends in itertools.combinations(nodes, 2):
        cuts = sorted(draw(st.sets(st.integers(0, 12), max_size=2 * most)))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False):
            bits = draw(st.integers(0, 9))
            found.append(contact(numbers[len(found)], "".join(ends), start, end, bits))
    return found


def crowded(seed: int) -> list[model.Contact]:
    """Contacts of nearly all pairs at few instants: many routes are equal in the first keys."""
    generator = random.Random(seed)
    found: list[model.Contact] = []
    numbers = generator.sample(range(100), 60)
    for a, b in itertools.combinations(NODES, 2):
        cuts = sorted(generator.sample(range(9), generator.choice((2, 4, 4))))
        for start, end in zip(cuts[::2], cuts[1::2], strict=True):
            if (a, b) != ("A", "E"):
                found.append(contact(numbers.pop(), a + b, start, end, generator.choice((0, 5, 5, 5))))
    return found


def ordered(seed: int) -> list[str]:
    """The nodes in some order, and so with other numbers."""
    return random.Random(seed).sample(NODES, len(NODES))


timings = st.builds(
    model.Timing,
    ready=st.sampled_from(("end", "start")),
    order=st.sampled_from(("carried", "any")),
    hop_latency_s=st.sampled_from((0.0, 0.5, 1.0)),
)


def every_route(where: plan.Plan, free: Mapping[int, int], demand: model.Demand) -> list[model.Route]:
    """All routes without a node twice, best first, found by walking each of them."""
    found = list(_walks(where, free, demand, nodes=(demand.a,), taken=(), now_s=demand.from_s))
    return sorted(found, key=lambda each: routes.key(where, each))


def _walks(
    where: plan.Plan,
    free: Mapping[int, int],
    demand: model.Demand,
    *,
    nodes: tuple[str, ...],
    taken: tuple[int, ...],
    now_s: float,
) -> Iterator[model.Route]:
    if nodes[-1] == demand.b:
        used = [where.contacts[number] for number in taken]
        yield model.Route(
            contacts=taken,
            nodes=nodes,
            arrival_s=now_s,
            terminates_s=min(each.end_s for each in used),
            bits=min(free[number] for number in taken),
        )
        return
    for each in where.contacts.values():
        if nodes[-1] not in (each.a, each.b) or free[each.number] < demand.bits:
            continue
        other = each.b if each.a == nodes[-1] else each.a
        if other in nodes or (where.timing.order == "carried" and each.end_s < now_s):
            continue
        ready_s = each.end_s if where.timing.ready == "end" else each.start_s
        arrival_s = max(now_s, ready_s) + where.timing.hop_latency_s
        if demand.deadline_s is None or arrival_s <= demand.deadline_s:
            yield from _walks(
                where, free, demand, nodes=(*nodes, other), taken=(*taken, each.number), now_s=arrival_s
            )

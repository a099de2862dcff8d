"""Routes between two sites of a plan: the best, and the best k.

The k best follow Yen's algorithm (Management Science 17, 712, 1971), which CCSDS 734.3-B-1, 3.2.6.10 names
for computing routes one after another, with contacts as its edges: two routes differ when one contact does.
Each spur is the exact best of its kind (`search`), so the k routes are the k best of all and none comes
twice.
"""

import math
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from qfleet_controlplane import errors
from qfleet_controlplane.network.contacts import model, search
from qfleet_controlplane.network.contacts.plan import TICKS_PER_S, Plan, ticks

Key = tuple[int, int, int, int, tuple[int, ...]]


class InvalidDemand(errors.InvalidRequest):
    """The demand asks for something that cannot be."""


def check(plan: Plan, demand: model.Demand) -> None:
    """Refuse a demand that makes no sense on this plan.

    Raises:
        InvalidDemand: saying what is wrong with which demand.
        InvalidPlan: for a node that the plan does not know.
    """
    if plan.place(demand.a) == plan.place(demand.b):
        raise InvalidDemand(f"demand {demand.name!r} asks for a key of {demand.a} with itself")
    if demand.bits < 1 or demand.most_routes < 1:
        raise InvalidDemand(
            f"demand {demand.name!r} asks for {demand.bits} bits over {demand.most_routes} routes; "
            "both must be 1 or more"
        )
    times = (demand.from_s, demand.from_s if demand.deadline_s is None else demand.deadline_s)
    if not all(math.isfinite(each) for each in times):
        raise InvalidDemand(f"demand {demand.name!r} has no finite times: {times[0]:g} s to {times[1]:g} s")
    if times[1] < times[0]:
        raise InvalidDemand(
            f"demand {demand.name!r} must be served by {times[1]:g} s and not before {times[0]:g} s"
        )


class Progress(NamedTuple):
    """How far contacts one after another have led: nodes, the instant (ticks), the earliest end."""

    nodes: tuple[str, ...]
    now: int
    terminates: int = search.NEVER


def best(
    plan: Plan,
    free: Mapping[int, int],
    demand: model.Demand,
    *,
    begun: tuple[int, ...] = (),
    since_s: float = -math.inf,
) -> model.Route | None:
    """The best route with all of ``demand.bits`` free, by arrival, hops, termination, entry node.

    ``free`` has the bits that are left of each contact. ``begun`` are contacts from ``demand.a`` on with
    which the route must start, and ``since_s`` is an instant before which it cannot go on. None where there
    is no route.
    """
    progress = _begin(plan, demand, begun, since_s)
    if demand.b in progress.nodes or any(free[number] < demand.bits for number in begun):
        return None
    found = search.best(plan, free, _ask(plan, demand, progress))
    return None if found is None else _route(plan, free, progress, begun, found)


def alternatives(plan: Plan, free: Mapping[int, int], demand: model.Demand, count: int) -> list[model.Route]:
    """The ``count`` best routes in order, fewer where there are no more.

    Raises:
        InvalidDemand: as `check`, and for a count below one.
    """
    check(plan, demand)
    if count < 1:
        raise InvalidDemand(f"{count} alternatives were asked for; ask for 1 or more")
    first = best(plan, free, demand)
    chosen: list[model.Route] = []
    waiting: list[tuple[Key, model.Route]] = [] if first is None else [(key(plan, first), first)]
    seen = {each.contacts for _, each in waiting}
    while waiting and len(chosen) < count:
        _, latest = heappop(waiting)
        chosen.append(latest)
        for hop in range(len(latest.contacts)):
            spur = _spur(plan, free, demand, chosen, hop)
            if spur is not None and spur.contacts not in seen:
                seen.add(spur.contacts)
                heappush(waiting, (key(plan, spur), spur))
    return chosen


def key(plan: Plan, found: model.Route) -> Key:
    """What routes are ordered by: CCSDS 734.3-B-1, 3.2.8.1.4 a), then the contacts' numbers."""
    entry = plan.places[found.nodes[1]]
    return (ticks(found.arrival_s), len(found.contacts), -ticks(found.terminates_s), entry, found.contacts)


def _route(
    plan: Plan, free: Mapping[int, int], progress: Progress, begun: tuple[int, ...], found: tuple[int, ...]
) -> model.Route:
    last = _walk(plan, progress, found)
    return model.Route(
        contacts=begun + found,
        nodes=last.nodes,
        arrival_s=last.now / TICKS_PER_S,
        terminates_s=last.terminates / TICKS_PER_S,
        bits=min(free[number] for number in begun + found),
    )


def _begin(plan: Plan, demand: model.Demand, begun: tuple[int, ...], since_s: float) -> Progress:
    progress = _walk(plan, Progress((demand.a,), ticks(demand.from_s)), begun)
    return progress if since_s == -math.inf else progress._replace(now=max(progress.now, ticks(since_s)))


def _walk(plan: Plan, progress: Progress, contacts: tuple[int, ...]) -> Progress:
    nodes, now, terminates = list(progress.nodes), progress.now, progress.terminates
    for number in contacts:
        contact = plan.contacts[number]
        nodes.append(contact.b if contact.a == nodes[-1] else contact.a)
        now = max(now, ticks(plan.ready_s(contact))) + plan.latency
        terminates = min(terminates, ticks(contact.end_s))
    return Progress(tuple(nodes), now, terminates)


def _ask(
    plan: Plan, demand: model.Demand, progress: Progress, barred: frozenset[int] = frozenset()
) -> search.Ask:
    return search.Ask(
        source=plan.places[progress.nodes[-1]],
        destination=plan.places[demand.b],
        since=progress.now,
        until=search.NEVER if demand.deadline_s is None else ticks(demand.deadline_s),
        bits=demand.bits,
        first_hop=len(progress.nodes) == 1,
        terminates=progress.terminates,
        avoid=frozenset(plan.places[each] for each in progress.nodes[:-1]),
        barred=barred,
    )


def _spur(
    plan: Plan, free: Mapping[int, int], demand: model.Demand, chosen: list[model.Route], hop: int
) -> model.Route | None:
    """Best route that shares the latest one's first hops and then differs from all chosen ones."""
    begun = chosen[-1].contacts[:hop]
    progress = _begin(plan, demand, begun, -math.inf)
    barred = frozenset(each.contacts[hop] for each in chosen if each.contacts[:hop] == begun)
    found = search.best(plan, free, _ask(plan, demand, progress, barred))
    return None if found is None else _route(plan, free, progress, begun, found)

"""How long one relay route takes on a day's contact plan, and a thousand demands booked one after another.

Two plans: a synthetic one, larger than 96 satellites over 24 stations give, and that of the scenario
``constellation``. Routes are asked for on the empty plan, each alone; on the synthetic one demands then fill
it, each over up to four routes.
"""

import random
import statistics
import time

from benchmarks import relay_plan
from benchmarks.figures import Figure, number

from qfleet_controlplane.network import scenarios, surveying, ways
from qfleet_controlplane.network.contacts import ledger, model, routes
from qfleet_controlplane.network.contacts.plan import Plan

DEMANDS = 1_000
P50_MS, P99_MS = 10.0, 100.0


def run() -> list[Figure]:
    """One route on the empty plan, one relayed by satellites alone, and the bookings."""
    plan = relay_plan.day()
    free = {each.number: each.expected_bits for each in plan.contacts.values()}
    space = {
        each.number: each.expected_bits if each.kind == "satellite" else 0 for each in plan.contacts.values()
    }
    wanted = relay_plan.demands(DEMANDS)
    size = f"a day of {len(plan.contacts):,} contacts"
    return [
        _times(f"one relay route, {size}", [_milliseconds(plan, free, each) for each in wanted]),
        _times(f"one relay route, {size}, no fibre", [_milliseconds(plan, space, each) for each in wanted]),
        *_booked(plan, wanted),
        _shipped(),
    ]


def _shipped() -> Figure:
    """Routes between cities of the scenario that ships, from any time of its first half; some have none."""
    plan = ways.plan_of(surveying.survey(scenarios.text_of("constellation"), "constellation.toml"))
    free = {each.number: each.expected_bits for each in plan.contacts.values()}
    cities = [name for name in plan.nodes if name.endswith("-city")]
    draw = random.Random(1)
    times = []
    for place in range(DEMANDS):
        a, b = draw.sample(cities, 2)
        demand = model.Demand(name=str(place), a=a, b=b, bits=256, from_s=draw.uniform(0.0, 43_200.0))
        started = time.perf_counter()
        routes.best(plan, free, demand)
        times.append((time.perf_counter() - started) * 1e3)
    return _times(f"one relay route, the constellation's day of {len(plan.contacts):,} contacts", times)


def _milliseconds(plan: Plan, free: dict[int, int], demand: model.Demand) -> float:
    started = time.perf_counter()
    found = routes.best(plan, free, demand)
    took = time.perf_counter() - started
    if found is None:
        raise AssertionError(f"no route for {demand.name}")
    return took * 1e3


def _booked(plan: Plan, wanted: list[model.Demand]) -> list[Figure]:
    book = ledger.Ledger(plan)
    started = time.perf_counter()
    times, served, parts = [], 0, 0
    for demand in wanted:
        each = time.perf_counter()
        answer = book.book(demand)
        times.append((time.perf_counter() - each) * 1e3)
        if isinstance(answer, model.Booking):
            served += 1
            parts += len(answer.parts)
    took = time.perf_counter() - started
    whole = f"{number(took)} s; {served:,} booked over {parts:,} routes, {DEMANDS - served:,} refused"
    return [
        Figure(what=f"{DEMANDS:,} demands booked one after another", ours=whole),
        _times("one of them", times),
    ]


def _times(what: str, milliseconds: list[float]) -> Figure:
    cuts = statistics.quantiles(milliseconds, n=100)
    p50, p99 = cuts[49], cuts[98]
    return Figure(
        what=what,
        ours=f"p50 {number(p50)} ms, p99 {number(p99)} ms, most {number(max(milliseconds))} ms",
        goal=f"p50 ≤ {P50_MS:.0f} ms, p99 ≤ {P99_MS:.0f} ms",
        met=p50 <= P50_MS and p99 <= P99_MS,
    )

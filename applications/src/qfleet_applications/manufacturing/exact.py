"""What CP-SAT proves of the three problems of this pack."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

from qfleet_applications.manufacturing.calendar import Machine, Plant
from qfleet_applications.manufacturing.places import Places
from qfleet_applications.manufacturing.shop import Place, Shop
from qfleet_applications.qubo import proving
from qfleet_applications.qubo.proving import Proof


def shortest_schedule(shop: Shop, *, seed: int = 0) -> Proof[dict[Place, int]]:
    """The schedule of least makespan: intervals that do not overlap on a machine."""
    model = proving.constraints()
    horizon = sum(shop.duration(place) for place in shop.places)
    starts = {place: model.new_int_var(0, horizon, "") for place in shop.places}
    for places in shop.machines.values():
        model.add_no_overlap(
            [model.new_fixed_size_interval_var(starts[one], shop.duration(one), "") for one in places]
        )
    end = model.new_int_var(shop.floor, horizon, "")
    for place in shop.places:
        ready = starts[place] + shop.duration(place)
        model.add(ready <= starts.get(Place(place.job, place.step + 1), end))
    model.minimize(end)
    return proving.minimised(
        model,
        lambda solver: {place: solver.value(start) for place, start in starts.items()},
        shop.name,
        seed=seed,
    )


def shortest_tour(places: Places, *, seed: int = 0) -> Proof[tuple[int, ...]]:
    """The shortest closed path through all places: one circuit of arcs."""
    model = proving.constraints()
    arcs = {
        (one, other): model.new_bool_var("")
        for pair in combinations(range(len(places)), 2)
        for one, other in (pair, pair[::-1])
    }
    model.add_circuit([(one, other, arc) for (one, other), arc in arcs.items()])
    model.minimize(sum(places.distances[one][other] * arc for (one, other), arc in arcs.items()))
    return proving.minimised(model, lambda solver: _walked(solver, arcs, len(places)), places.name, seed=seed)


def _walked(solver: Any, arcs: dict[tuple[int, int], Any], size: int) -> tuple[int, ...]:
    after = {one: other for (one, other), arc in arcs.items() if solver.boolean_value(arc)}
    tour = [0]
    while len(tour) < size:
        tour.append(after[tour[-1]])
    assert all(after[one] == other for one, other in pairwise(tour))
    return tuple(tour)


LEVELLING_S = 0.5
"""No plan of 32 machines is proved best in minutes."""


def levelled(plant: Plant, begun: Sequence[int], *, seed: int = 0) -> Proof[tuple[int, ...]]:
    """The starts of maintenance with the least sum of squares of load and outage, in whole units.

    The search begins at the plan ``begun``.

    Machines that differ by name only are counted, so that plans that only swap them are one.
    """
    model = proving.constraints()
    alike: dict[Machine, list[int]] = {}
    for one, machine in enumerate(plant.machines):
        alike.setdefault(machine._replace(name=""), []).append(one)
    begin = {
        (machine, start): model.new_int_var(0, len(group), "")
        for machine, group in alike.items()
        for start in plant.starts(group[0])
    }
    for machine, group in alike.items():
        model.add(sum(begin[machine, start] for start in plant.starts(group[0])) == len(group))
    squares = [_squared(model, plant, period, begin) for period in range(len(plant.load))]
    _suggest(model, plant, begin, begun)
    model.minimize(sum(squares))
    return proving.minimised(
        model,
        lambda solver: _named(plant, alike, {key: solver.value(count) for key, count in begin.items()}),
        plant.name,
        seed=seed,
        limit_s=LEVELLING_S,
    )


def _squared(model: Any, plant: Plant, period: int, begin: dict[tuple[Machine, int], Any]) -> Any:
    """The square of load and outage in a period."""
    out = [
        machine.capacity * count
        for (machine, start), count in begin.items()
        if start <= period < start + machine.periods
    ]
    least, most = plant.load[period], plant.load[period] + plant.capacity
    level = model.new_int_var(least, most, "")
    model.add(level == least + sum(out))
    square = model.new_int_var(least**2, most**2, "")
    model.add_multiplication_equality(square, [level, level])
    return square


def _suggest(model: Any, plant: Plant, begin: dict[tuple[Machine, int], Any], begun: Sequence[int]) -> None:
    counts = Counter(
        (machine._replace(name=""), start) for machine, start in zip(plant.machines, begun, strict=True)
    )
    for key, count in begin.items():
        model.add_hint(count, counts[key])


def _named(
    plant: Plant, alike: dict[Machine, list[int]], counts: dict[tuple[Machine, int], int]
) -> tuple[int, ...]:
    starts = [0] * len(plant.machines)
    for machine, group in alike.items():
        times = [start for start in plant.starts(group[0]) for _ in range(counts[machine, start])]
        for one, start in zip(group, times, strict=True):
            starts[one] = start
    return tuple(starts)

"""What CP-SAT proves of the three problems of this pack."""

from itertools import combinations, pairwise
from typing import Any

from qfleet_applications.manufacturing.calendar import Plant
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
        model, lambda solver: {place: solver.value(start) for place, start in starts.items()}, shop.name, seed=seed
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


def levelled(plant: Plant, *, seed: int = 0) -> Proof[tuple[int, ...]]:
    """The starts of maintenance with the least sum of squares of load and outage, in whole units."""
    model = proving.constraints()
    chosen = [{start: model.new_bool_var("") for start in plant.starts(one)} for one in range(len(plant.machines))]
    squares = []
    for row in chosen:
        model.add_exactly_one(row.values())
    for week, load in enumerate(plant.load):
        out = [
            (plant.machines[one].capacity, bit)
            for one, row in enumerate(chosen)
            for start, bit in row.items()
            if start <= week < start + plant.machines[one].periods
        ]
        most = load + sum(machine.capacity for machine in plant.machines)
        level = model.new_int_var(load, most, "")
        model.add(level == load + sum(capacity * bit for capacity, bit in out))
        square = model.new_int_var(0, most * most, "")
        model.add_multiplication_equality(square, [level, level])
        squares.append(square)
    model.minimize(sum(squares))
    return proving.minimised(
        model,
        lambda solver: tuple(next(at for at, bit in row.items() if solver.boolean_value(bit)) for row in chosen),
        plant.name,
        seed=seed,
    )

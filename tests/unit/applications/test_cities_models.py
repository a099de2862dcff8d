"""The cities' models against every answer of small problems, their repair, and economic dispatch."""

from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pytest

from qfleet_applications.cities import files
from qfleet_applications.cities.charging import Charging
from qfleet_applications.cities.dispatch import Unit, sets, shared, starting
from qfleet_applications.cities.grid import Grid
from qfleet_applications.cities.roads import Demand, Road, Roads
from qfleet_applications.cities.sensors import Sensors
from qfleet_applications.cities.traffic import Traffic
from qfleet_applications.errors import InvalidData, InvalidProblem, TooLarge

SQUARE = Roads(
    "a square",
    tuple(
        Road(one, other, 10.0, minutes)
        for a, b, minutes in (
            ("a", "b", 1.0),
            ("b", "c", 2.0),
            ("c", "d", 1.0),
            ("d", "a", 3.0),
            ("a", "c", 4.0),
        )
        for one, other in ((a, b), (b, a))
    ),
)
UNITS = (
    Unit("coal", 20.0, 100.0, 50.0, 10.0, 0.05, 200.0),
    Unit("gas", 5.0, 60.0, 10.0, 20.0, 0.1, 30.0),
    Unit("oil", 0.0, 40.0, 0.0, 40.0, 0.0, 5.0),
)


@pytest.mark.parametrize("costs", [(1.0, 1.0, 1.0, 1.0), (1.0, 5.0, 1.0, 2.0)])
def test_the_lowest_state_watches_every_street_at_least_cost(costs: tuple[float, ...]) -> None:
    problem = Sensors(SQUARE, costs)
    qubo = problem.model()
    assert len(SQUARE.streets) == 5
    covers = {
        bits: sum(cost for cost, bit in zip(costs, bits, strict=True) if bit)
        for bits in product((0, 1), repeat=4)
        if all(bits[one] or bits[other] for one, other in problem.ends)
    }
    energies = {bits: qubo.energy(bits) for bits in product((0, 1), repeat=4)}
    best = min(energies, key=lambda bits: energies[bits])
    assert energies[best] == min(covers.values()) == problem.exact(0).value == covers[best]
    for bits in energies:
        answer, valid = problem.read(bits)
        assert valid == (bits in covers)
        assert all(one in answer or other in answer for one, other in problem.ends)


def test_the_lowest_state_places_chargers_where_the_mean_way_is_least() -> None:
    problem = Charging(SQUARE, (1.0, 2.0, 3.0, 4.0), chargers=2, near=2)
    qubo = problem.model()
    assert len(qubo) == 4 + 8
    energies = {bits: qubo.energy(bits) for bits in product((0, 1), repeat=12)}
    best = min(energies, key=lambda bits: energies[bits])
    answer, valid = problem.read(best)
    assert valid
    assert problem.value(answer) == pytest.approx(energies[best])
    pairs = [(one, other) for one in range(4) for other in range(one)]
    assert problem.value(answer) == pytest.approx(min(map(problem.value, pairs)))
    assert problem.exact(0).value == pytest.approx(problem.value(answer))
    for bits in ((0,) * 12, (1,) * 12):
        repaired, valid = problem.read(bits)
        assert len(repaired) == 2
        assert not valid


def test_dispatch_shares_a_load_at_equal_marginal_cost() -> None:
    powers = shared(UNITS[:2], 120.0)
    assert powers is not None
    assert sum(powers) == pytest.approx(120.0)
    coal, gas = powers
    least = min(UNITS[0].cost(120.0 - some / 10) + UNITS[1].cost(some / 10) for some in range(200, 601))
    assert UNITS[0].cost(coal) + UNITS[1].cost(gas) == pytest.approx(least, rel=1e-5)
    assert shared(UNITS, 130.0) == pytest.approx([100.0, 30.0, 0.0])
    assert shared(UNITS, 24.0) is None
    assert shared(UNITS, 201.0) is None
    assert shared((), 0.0) == []


def test_a_state_of_the_grid_costs_what_its_plan_costs() -> None:
    grid = Grid("a town", UNITS, (30.0, 90.0, 150.0, 40.0), choices=8)
    qubo = grid.model()
    sizes = [len(found) for found in grid.chosen]
    costs = {}
    for picks in product(*map(range, sizes)):
        bits = [int(pick == at) for size, pick in zip(sizes, picks, strict=True) for at in range(size)]
        plan, valid = grid.read(bits)
        assert valid
        assert qubo.energy(bits) == pytest.approx(grid.value(plan))
        costs[plan] = grid.value(plan)
    fuel = [dict((on, cost) for cost, on in sets(UNITS, load)) for load in grid.load]  # noqa: C402 - swapped
    best = min(costs, key=lambda plan: costs[plan])
    assert costs[best] == pytest.approx(
        sum(cost[on] for cost, on in zip(fuel, best, strict=True))
        + sum(starting(UNITS, *pair) for pair in pairwise(best))
    )
    assert grid.exact(0).value == pytest.approx(costs[best])
    plan, valid = grid.read([0] * len(qubo))
    assert not valid
    assert len(plan) == 4


def test_too_many_units_and_loads_that_nothing_meets_are_refused() -> None:
    with pytest.raises(TooLarge, match="11 units have 2048 sets an hour and need 4096 variables") as refused:
        Grid("many", UNITS[:1] * 11, (30.0, 40.0))
    assert refused.value.qubits == 4096
    with pytest.raises(InvalidProblem, match="no set of units can meet the load of 500 MW in hour 2"):
        Grid("small", UNITS, (30.0, 500.0))


def test_platoons_share_the_roads_so_that_all_lose_least() -> None:
    traffic = Traffic(SQUARE, (Demand("a", "c", 20.0), Demand("b", "d", 10.0)), platoon=10.0, choices=3)
    assert traffic.platoons == [(0, 10.0), (0, 10.0), (1, 10.0)]
    assert [len(ways) for ways in traffic.ways] == [3, 3]
    answers = list(product(range(3), repeat=3))
    best = min(map(traffic.value, answers))
    assert traffic.exact(0).value == pytest.approx(best)
    qubo, energies = traffic.model(), {}
    for answer in answers:
        bits = [int(way == at) for way in answer for at in range(3)]
        assert traffic.read(bits) == (answer, True)
        energies[answer] = qubo.energy(bits)
    assert traffic.value(min(energies, key=lambda answer: energies[answer])) <= 1.1 * best
    assert traffic.read([0] * 9) == ((0, 0, 0), False)


def test_a_roads_time_is_that_of_the_bureau_of_public_roads() -> None:
    road = Road("a", "b", 100.0, 6.0)
    assert road.total(100.0) == pytest.approx(100 * 6 * 1.15)
    assert road.total(200.0) == pytest.approx(200 * 6 * (1 + 0.15 * 16))


def test_ways_that_are_not_there_and_unequal_platoons_are_refused() -> None:
    one_way = Roads("a lane", (Road("a", "b", 1.0, 1.0),))
    with pytest.raises(InvalidProblem, match="no way from b to a"):
        Traffic(one_way, (Demand("b", "a", 1.0),)).model()
    with pytest.raises(InvalidProblem, match="no way from b to a"):
        Charging(one_way, (1.0, 1.0), 1).model()
    with pytest.raises(InvalidProblem, match="equal platoons"):
        Traffic(SQUARE, (Demand("a", "c", 10.0), Demand("b", "d", 15.0)), platoon=10.0).exact(0)
    with pytest.raises(InvalidProblem, match="4 chargers for 4 places"):
        Charging(SQUARE, (1.0,) * 4, 4)
    with pytest.raises(InvalidProblem, match="all demand is 0"):
        Charging(SQUARE, (0.0,) * 4, 1)


def test_bundled_data_are_what_they_say() -> None:
    roads = files.roads(None, "sioux_falls")
    assert (len(roads.nodes), len(roads.roads), len(roads.streets)) == (24, 76, 38)
    small, demand = files.traffic(None, None)
    assert (len(small.nodes), len(small.roads), sum(one.vehicles for one in demand)) == (13, 19, 2000)
    city, wanted = files.charging(None, None)
    assert city == roads
    assert (sum(wanted), len(files.trips(files.bundled("sioux_falls_demand")))) == (360600, 528)
    grid = files.grid(None, None, 10)
    assert (len(grid.units), len(grid.load), max(grid.load)) == (6, 24, 283.4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to,capacity,time\na,b,5,1\na,b,6,1\n", "line 3: from a to b is no pair, or is given twice"),
        ("from,to,capacity,time\na,b,0,1\n", "line 2, column 'capacity'"),
        (
            "from,to,capacity [veh],time [h]\na,b,1,1\n",
            r"column 'time': it is in \[h\], and \[min\] is needed",
        ),
    ],
)
def test_roads_of_a_file_are_checked(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "roads.csv"
    file.write_text(text)
    with pytest.raises(InvalidData, match=told):
        files.roads(file, "sioux_falls")


def test_other_tables_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text("place,demand\na,1\nb,2\nc,3\n")
    with pytest.raises(InvalidData, match="place d is missing"):
        files.by_place(file, SQUARE, "demand", ())
    file.write_text("place,demand\na,1\nz,2\n")
    with pytest.raises(InvalidData, match="line 3, column 'place': place z is not on the roads"):
        files.by_place(file, SQUARE, "demand", ())
    file.write_text("place,demand\nd,4\na,1\nb,2\nc,3\n")
    assert files.by_place(file, SQUARE, "demand", ()) == (1.0, 2.0, 3.0, 4.0)
    assert files.by_place(file, SQUARE, "demand", (), unit="veh") == (1.0, 2.0, 3.0, 4.0)
    units = tmp_path / "units.csv"
    units.write_text("unit,minimum,maximum,fixed,linear,quadratic,startup\nx,5,4,0,1,0,0\n")
    with pytest.raises(InvalidData, match="unit x has a minimum above its maximum"):
        files.grid(units, files.bundled("ieee30_load"), 10)
    for refused in (files.traffic, files.charging, lambda one, other: files.grid(one, other, 10)):
        with pytest.raises(InvalidData, match="belong together"):
            refused(units, None)


def test_who_arrives_somewhere_wants_to_charge_there(tmp_path: Path) -> None:
    roads = tmp_path / "roads.csv"
    roads.write_text("from,to,capacity,time\na,b,5,1\nb,a,5,1\n")
    demand = tmp_path / "demand.csv"
    demand.write_text("from,to,demand [veh]\na,b,30\n")
    known, wanted = files.charging(roads, demand)
    assert dict(zip(known.nodes, wanted, strict=True)) == {"a": 0.0, "b": 30.0}
    demand.write_text("place,demand [veh]\nb,7\na,2\n")
    assert files.charging(roads, demand)[1] == (2.0, 7.0)
    demand.write_text("from,to,demand\na,z,30\n")
    with pytest.raises(InvalidData, match="place z is not on the roads"):
        files.charging(roads, demand)


def test_highs_finds_what_all_fours_of_places_give() -> None:
    problem = Charging(*files.charging(None, None), chargers=4)
    costs = np.array(problem.costs)
    best = min(combinations(range(24), 4), key=lambda chosen: float(costs[:, chosen].min(axis=1).sum()))
    assert problem.exact(0).solution == best


def test_platoons_that_cannot_be_are_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidProblem, match="equal platoons"):
        Traffic(SQUARE, (Demand("a", "c", 10.0), Demand("b", "d", 15.0)), platoon=10.0).model()
    with pytest.raises(TooLarge, match="traffic needs 200000 variables"):
        Traffic(SQUARE, (Demand("a", "c", 1000.0),), platoon=0.01, choices=2).model()


def test_hours_that_are_missing_and_units_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    units, load = tmp_path / "units.csv", tmp_path / "load.csv"
    heading = "unit,minimum,maximum,fixed,linear,quadratic,startup\n"
    units.write_text(heading + "x,0,9,0,1,0,0\n")
    load.write_text("hour,load [MW]\n1,5\n3,6\n")
    with pytest.raises(InvalidData, match="line 3, column 'hour': hour 3 follows hour 1"):
        files.grid(units, load, 10)
    load.write_text("hour,load [MW]\n7,5\n8,6\n")
    assert files.grid(units, load, 10).load == (5.0, 6.0)
    units.write_text(heading + "x,0,9,0,1,0,0\nx,0,9,0,1,0,0\n")
    with pytest.raises(InvalidData, match="a unit is there twice"):
        files.grid(units, load, 10)

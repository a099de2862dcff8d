"""Maintenance: the model against every plan of a small plant, published data, files."""

import statistics
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.unit.applications.local import Local

from qfleet_applications.errors import InvalidData, InvalidProblem, TooLarge
from qfleet_applications.manufacturing import calendar, exact, files, levelling, planning
from qfleet_applications.manufacturing.calendar import Block, Machine, Plant
from qfleet_applications.manufacturing.maintain import EFFORT, MaintainStudy
from qfleet_applications.manufacturing.planning import Rounds

PLANT = Plant(
    "a mill",
    (Machine("saw", 30, 2, 0, 4), Machine("press", 20, 1, 0, 5), Machine("lathe", 20, 1, 0, 5)),
    (50, 20, 45, 30, 25, 60),
    "units",
)


# the greedy rule does not find the best plan here
UNEVEN = Plant(
    "a works",
    (Machine("saw", 30, 2, 0, 5), Machine("press", 25, 2, 0, 5), Machine("lathe", 20, 1, 0, 5)),
    (60, 30, 40, 30, 25, 65),
    "units",
)


def plans(plant: Plant = PLANT) -> list[tuple[int, ...]]:
    return list(product(*(plant.starts(one) for one in range(3))))


def test_levels_and_spread_are_those_of_the_reserve() -> None:
    assert PLANT.levels((1, 4, 4)) == [50, 50, 75, 30, 65, 60]
    reserve = [PLANT.capacity - level for level in PLANT.levels((1, 4, 4))]
    assert PLANT.spread((1, 4, 4)) == pytest.approx(statistics.pstdev(reserve))


def test_energies_of_valid_states_differ_as_the_sums_of_squares_do() -> None:
    block = Block(PLANT, (0, 0, 0), (0, 2))
    qubo, rows = calendar.model(block)
    first = None
    for saw, lathe in product(PLANT.starts(0), PLANT.starts(2)):
        bits = [0] * len(qubo)
        bits[rows[0][saw]] = bits[rows[1][lathe]] = 1
        starts, valid = calendar.read(block, rows, bits)
        assert (starts, valid) == ((saw, 0, lathe), True)
        rest = qubo.energy(bits) * block.scale - PLANT.squares(starts)
        first = rest if first is None else first
        assert rest == pytest.approx(first)


def test_no_state_without_a_start_or_with_two_is_lowest() -> None:
    block = Block(PLANT, (0, 0, 0), (0, 1, 2), share=1.0)
    qubo, rows = calendar.model(block)
    energies = {bits: qubo.energy(bits) for bits in product((0, 1), repeat=len(qubo)) if sum(bits) <= 4}
    best = min(energies.values())
    lowest = [bits for bits, energy in energies.items() if energy <= best + 1e-9]
    read = [calendar.read(block, rows, bits) for bits in lowest]
    assert any(valid for _, valid in read)
    assert {PLANT.squares(starts) for starts, valid in read if valid} == {min(map(PLANT.squares, plans()))}


def test_the_baseline_finds_the_best_of_all_plans() -> None:
    proof = exact.levelled(PLANT, (0, 0, 0))
    assert proof.proved
    assert proof.value == min(map(PLANT.squares, plans())) == PLANT.squares(proof.solution)


def test_annealing_of_the_starts_finds_it_and_is_never_worse_than_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(levelling, "STEPS", 300)
    best = min(map(PLANT.squares, plans()))
    chance = np.random.default_rng(1)
    assert PLANT.squares(levelling.annealed(PLANT, (0, 0, 0), chance)) == best
    plant = files.plant(None, None)
    begun = planning.begun(plant).starts
    found = levelling.annealed(plant, begun, np.random.default_rng(0))
    assert plant.squares(found) < plant.squares(begun)
    assert all(start in plant.starts(one) for one, start in enumerate(found))
    assert found == levelling.annealed(plant, begun, np.random.default_rng(0))


def test_a_spread_follows_from_the_sum_of_squares() -> None:
    for starts in plans()[::7]:
        assert PLANT.spread_of(PLANT.squares(starts)) == pytest.approx(
            statistics.pstdev(PLANT.levels(starts))
        )


def test_the_fleet_finds_the_best_of_all_plans_where_the_greedy_rule_does_not() -> None:
    report = MaintainStudy(UNEVEN, Rounds(EFFORT, rounds=1)).conduct(Local())
    best, begun = min(map(UNEVEN.spread, plans(UNEVEN))), UNEVEN.spread(calendar.greedy(UNEVEN))
    assert report.comparisons[0].fleet.value == pytest.approx(best) != pytest.approx(begun)
    assert report.comparisons[0].winner == "neither"
    assert f"The search began at {begun:.4g}, by a greedy rule; the sampler found better." in report.notes


def test_a_report_says_plainly_that_the_sampler_found_nothing_better() -> None:
    report = MaintainStudy(PLANT, Rounds(EFFORT, rounds=1)).conduct(Local())
    best = min(map(PLANT.spread, plans()))
    assert report.comparisons[0].fleet.value == pytest.approx(best)
    assert report.comparisons[0].fleet.method.startswith("the greedy rule, which")
    told = f"The search began at {best:.4g}, by a greedy rule; the sampler found nothing better."
    assert told in report.notes


def test_the_published_units_and_weeks_are_there() -> None:
    plant = files.plant(None, None)
    assert (len(plant.machines), plant.capacity, len(plant.load), max(plant.load)) == (32, 3405, 52, 2850)
    assert sum(machine.periods for machine in plant.machines) == 96
    begun = planning.begun(plant)
    desk = Local()
    planning.search(begun, desk, Rounds(EFFORT, rounds=1), MaintainStudy(plant, Rounds(EFFORT))._chance())
    # with temperatures that fit the units of the model, the sampler improves on the rule at once
    assert plant.spread(begun.starts) < 0.99 * plant.spread(calendar.greedy(plant))
    assert sum(step.valid for step in begun.steps) > 0
    assert len(desk.requests) == 3
    assert {step.variables for step in begun.steps} == {16 * 8}


def test_a_machine_may_begin_where_it_does_and_where_the_load_is_least() -> None:
    block = Block(PLANT, (0, 0, 5), (2,), choices=2)
    # without the lathe: saw in 0 and 1, press in 0; the least load is in period 4
    assert block.fixed == [100, 50, 45, 30, 25, 60]
    assert block.times == [[4, 5]]
    assert calendar.read(block, [[0, 1]], (0, 1)) == ((0, 0, 5), True)
    # repaired: of several starts, or of all where there is none, the one with the least load
    assert calendar.read(block, [[0, 1]], (0, 0)) == ((0, 0, 4), False)
    assert calendar.read(block, [[0, 1]], (1, 1)) == ((0, 0, 4), False)


def test_windows_of_a_file_hold_and_impossible_ones_are_refused(tmp_path: Path) -> None:
    machines, load = tmp_path / "machines.csv", tmp_path / "load.csv"
    load.write_text("period,load [units]\n1,5\n2,6\n3,4\n")
    machines.write_text("machine,capacity [units],periods,earliest,latest\na,3,1,2,2\n")
    assert list(files.plant(machines, load, "units").starts(0)) == [1]
    machines.write_text("machine,capacity,periods,earliest,latest\na,3,2,2,2\n")
    with pytest.raises(InvalidProblem, match="machine a is out for 2 periods, and may be from 2 to 2"):
        files.plant(machines, load, "units")
    machines.write_text("machine,capacity,periods\na,3,4\n")
    with pytest.raises(InvalidData, match="column 'periods': 4 is not within 1 to 3"):
        files.plant(machines, load, "units")
    with pytest.raises(InvalidData, match="belong together"):
        files.plant(machines, None)


def test_all_machines_in_one_model_are_asked_or_refused_with_the_qubits() -> None:
    plant = files.plant(None, None)
    with pytest.raises(TooLarge, match="needs 1600 qubits, and qaoa takes at most 24") as error:
        MaintainStudy(plant, Rounds(replace(EFFORT, method="qaoa"), whole=True)).requests()
    assert error.value.qubits == 1600
    study = MaintainStudy(UNEVEN, Rounds(replace(EFFORT, method="qaoa"), whole=True))
    assert (study.qubits, len(study.requests())) == (16, 1)


@pytest.mark.parametrize(
    ("machines", "loads", "told"),
    [
        ("a,3,1\na,4,1\n", "1,5\n2,6\n", "line 3, column 'machine': machine a is given twice"),
        ("a,3,1\n", "1,5\n1,6\n", "line 3, column 'period': period 1 is given twice"),
        ("a,3,1\n", "1,5\n3,6\n", "column 'period': there is no period 2"),
    ],
)
def test_machines_and_periods_stand_there_once(tmp_path: Path, machines: str, loads: str, told: str) -> None:
    (tmp_path / "machines.csv").write_text(f"machine,capacity,periods\n{machines}")
    (tmp_path / "load.csv").write_text(f"period,load\n{loads}")
    with pytest.raises(InvalidData, match=told):
        files.plant(tmp_path / "machines.csv", tmp_path / "load.csv")


def test_periods_may_stand_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "machines.csv").write_text("machine,capacity,periods\na,3,1\n")
    (tmp_path / "load.csv").write_text("period,load\n2,6\n1,5\n")
    assert files.plant(tmp_path / "machines.csv", tmp_path / "load.csv").load == (5, 6)

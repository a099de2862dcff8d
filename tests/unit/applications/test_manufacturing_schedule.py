"""Job shops: published optima, the model against all orders of small shops, and the decomposed search."""

import random
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.applications.local import Local

from qfleet_applications.errors import InvalidData, InvalidProblem, TooLarge
from qfleet_applications.frame.report import Report
from qfleet_applications.manufacturing import decoding, exact, files, neighbourhoods, scheduling
from qfleet_applications.manufacturing.schedule import EFFORT, ScheduleStudy
from qfleet_applications.manufacturing.scheduling import Search
from qfleet_applications.manufacturing.shop import (
    Operation,
    Place,
    Shop,
    dispatched,
    drawn,
    fault,
    makespan,
    orders,
    without_gaps,
)
from qfleet_applications.manufacturing.windows import Question, candidates, model


def tiny(seed: int) -> Shop:
    """Three jobs on two machines, four to six operations."""
    draw = random.Random(seed)
    jobs = tuple(
        tuple(Operation(machine, draw.randint(1, 4)) for machine in draw.sample("AB", draw.randint(1, 2)))
        for _ in range(3)
    )
    return Shop(f"tiny {seed}", ("a", "b", "c"), jobs)


def shortest(shop: Shop) -> int:
    """The least makespan over all orders of all machines."""
    found = []
    for rows in product(*(permutations(places) for places in shop.machines.values())):
        try:
            starts = without_gaps(shop, dict(zip(shop.machines, rows, strict=True)))
        except InvalidProblem:
            continue
        found.append(makespan(shop, starts))
    return min(found)


@pytest.mark.parametrize(("name", "optimum"), [("ft06", 55), ("la01", 666)])
def test_the_baseline_proves_the_published_optimum(name: str, optimum: int) -> None:
    shop = files.shop(Path(name))
    proof = exact.shortest_schedule(shop)
    assert proof.proved
    assert proof.value == optimum == makespan(shop, proof.solution)
    assert fault(shop, proof.solution) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_model_has_energy_zero_exactly_where_a_schedule_is_within_the_limit(seed: int) -> None:
    shop = tiny(seed)
    best, begun = shortest(shop), dispatched(shop)
    question = Question(shop, begun, shop.places)
    longest = max(sum(one.duration for one in job) for job in shop.jobs)
    assert candidates(question, longest - 1) is None
    for limit, possible in ((best - 1, False), (best, True)):
        times = candidates(question, limit)
        if times is None:
            assert not possible
            continue
        asked = model(question, times)
        lowest = min(
            asked.qubo.energy(_bits(asked.meaning, dict(zip(times, chosen, strict=True))))
            for chosen in product(*times.values())
        )
        assert (lowest == 0) == possible


def _bits(meaning: tuple[tuple[Place, int], ...], starts: dict[Place, int]) -> list[int]:
    return [int(starts[place] == start) for place, start in meaning]


def test_a_part_leaves_what_is_not_free_in_order_and_any_state_gives_a_schedule() -> None:
    shop, draw = files.shop(Path("la01")), random.Random(1)
    begun = dispatched(shop)
    for _ in range(10):
        question = Question(shop, begun, tuple(sorted(draw.sample(shop.places, 12))))
        times = candidates(question, makespan(shop, begun))
        assert times is not None
        asked = model(question, times)
        found = decoding.schedule(question, asked, [draw.randint(0, 1) for _ in asked.meaning])
        assert fault(shop, found) is None
        for places in shop.machines.values():
            kept = [place for place in places if place not in question.free]
            assert sorted(kept, key=begun.__getitem__) == sorted(kept, key=found.__getitem__)


def test_a_state_without_broken_constraints_is_the_schedule_that_it_says() -> None:
    shop = files.shop(Path("ft06"))
    best = exact.shortest_schedule(shop).solution
    question = Question(shop, dispatched(shop), shop.places)
    times = candidates(question, 55)
    assert times is not None
    asked = model(question, times)
    early = without_gaps(
        shop, {machine: sorted(row, key=best.__getitem__) for machine, row in shop.machines.items()}
    )
    bits = _bits(asked.meaning, early)
    assert asked.qubo.energy(bits) == 0
    assert decoding.schedule(question, asked, bits) == early


def test_the_fleet_finds_the_optimum_of_ft06_and_says_that_it_is_no_better() -> None:
    study = ScheduleStudy(files.shop(None), Search(replace(EFFORT, reads=8), seed=1, rounds=0))
    desk = Local()
    report = study.conduct(desk)
    assert report.comparisons[0].classical.value == 55
    assert report.comparisons[0].fleet.value == 55
    assert report.comparisons[0].winner == "neither"
    assert desk.requests[0] == study.requests()[0]
    assert study.qubits == 0


def test_la01_is_decomposed_and_its_gap_is_printed() -> None:
    study = ScheduleStudy(files.shop(Path("la01")), Search(EFFORT, seed=1))
    report = study.conduct(Local())
    found = report.comparisons[0].fleet.value
    assert report.comparisons[0].classical.value == 666
    assert 666 <= found <= 680
    assert (
        f"is {100 * (found / 666 - 1):.2f} % above CP-SAT's 666, which is proved optimal" in report.notes[0]
    )
    assert {row[0] for row in report.tables[0].rows} == {"part"}
    assert all(int(str(row[3])) <= 200 for row in report.tables[0].rows)
    assert msgspec.json.decode(msgspec.json.encode(report.comparisons)) != []
    assert isinstance(report, Report)


def test_the_first_round_of_a_decomposed_shop_is_what_is_priced() -> None:
    study = ScheduleStudy(files.shop(Path("la01")), Search(EFFORT, seed=5, rounds=1))
    desk = Local()
    study.conduct(desk)
    assert tuple(desk.requests) == study.requests()
    assert len(desk.requests) == 3


def test_an_operation_is_critical_where_taking_longer_ends_later() -> None:
    shop = files.shop(Path("la01"))
    starts = dispatched(shop)
    length, rows = makespan(shop, starts), orders(shop, starts)
    path = neighbourhoods.critical(shop, starts)
    for place in shop.places:
        jobs = [list(job) for job in shop.jobs]
        jobs[place.job][place.step] = Operation(shop.operation(place).machine, shop.duration(place) + 1)
        slower = replace(shop, jobs=tuple(map(tuple, jobs)))
        assert (place in path) == (makespan(slower, without_gaps(slower, rows)) > length)


def test_every_neighbourhood_begins_at_a_critical_operation_and_fits() -> None:
    shop, chance = files.shop(Path("la01")), np.random.default_rng(2)
    starts = dispatched(shop)
    for kind in range(neighbourhoods.KINDS):
        order = neighbourhoods.ranked(shop, starts, kind, chance)
        assert sorted(order) == list(shop.places)
        assert order[0] in neighbourhoods.critical(shop, starts)
        found = neighbourhoods.largest(shop, starts, order, 150)
        assert found is not None
        question, asked, limit = found
        assert set(question.free) == set(order[: len(question.free)])
        assert len(asked.qubo) <= 150
        assert limit in {makespan(shop, starts) - 1, makespan(shop, starts)}


def test_drawn_weights_give_other_schedules_that_are_possible() -> None:
    shop, draw = files.shop(Path("la01")), random.Random(3)
    found = [drawn(shop, {place: draw.uniform(0.8, 1.2) for place in shop.places}) for _ in range(5)]
    assert all(fault(shop, starts) is None for starts in found)
    assert len({tuple(sorted(starts.items())) for starts in found}) > 1
    assert drawn(shop, dict.fromkeys(shop.places, 1.0)) == drawn(shop, dict.fromkeys(shop.places, 2.0))


def test_a_schedule_that_stands_still_steps_aside_but_not_far_and_never_back() -> None:
    shop = files.shop(Path("la01"))
    draw = random.Random(4)
    many = [drawn(shop, {place: draw.uniform(0.5, 1.5) for place in shop.places}) for _ in range(40)]
    many.sort(key=lambda starts: makespan(shop, starts))
    course = scheduling.begun(shop)
    course.best = many[0]
    course.abreast = [many[0]]
    near = [one for one in many[1:] if makespan(shop, one) <= 1.03 * course.length]
    far = [one for one in many if makespan(shop, one) > 1.03 * course.length]
    assert near
    scheduling.step(course, 0, far)
    assert course.abreast == [many[0]]
    scheduling.step(course, 0, [*far, *reversed(near)])
    assert makespan(shop, course.abreast[0]) == makespan(shop, near[0])
    taken = course.abreast[0]
    course.abreast = [many[0]]
    scheduling.step(course, 0, [taken])
    assert course.abreast == [many[0]]


def test_qaoa_gets_parts_of_sixteen_qubits() -> None:
    study = ScheduleStudy(tiny(2), Search(replace(EFFORT, method="qaoa", layers=1), rounds=1, abreast=1))
    assert 0 < study.qubits <= 24
    assert study.conduct(Local()).comparisons[0].fleet.value == shortest(tiny(2))


def test_a_users_file_is_read_with_its_unit(tmp_path: Path) -> None:
    file = tmp_path / "bikes.csv"
    file.write_text("job,step,machine,duration [h]\nx,1,saw,2\nx,2,drill,1\ny,1,drill,3\n")
    shop = files.shop(file, "h")
    assert shop.jobs == ((Operation("saw", 2), Operation("drill", 1)), (Operation("drill", 3),))
    assert (shop.name, shop.unit, shop.floor) == ("bikes", "h", 4)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("x,1,saw,2\nx,1,drill,1\n", "line 3, column 'step': job x has step 1 twice"),
        ("x,1,saw,2\nx,3,drill,1\n", "job x has no step 2"),
        ("x,1,saw,0\nx,2,drill,1\n", "line 2, column 'duration': 0 is not within"),
        ("x,1,saw,1.5\nx,2,drill,1\n", "line 2, column 'duration': 1.5 is no whole number"),
    ],
)
def test_a_file_that_is_no_shop_is_refused(tmp_path: Path, rows: str, told: str) -> None:
    file = tmp_path / "shop.csv"
    file.write_text(f"job,step,machine,duration\n{rows}")
    with pytest.raises(InvalidData, match=told):
        files.shop(file)


def test_faults_are_found() -> None:
    shop = tiny(0)
    assert fault(shop, {}) is not None
    assert fault(shop, dict.fromkeys(shop.places, 0)) is not None


def test_a_whole_shop_is_asked_only_where_a_model_can_be() -> None:
    course = scheduling.begun(files.shop(None))
    assert scheduling.whole(course, 46, Search(EFFORT)) == "too short"
    assert scheduling.whole(course, 57, Search(EFFORT, largest=700)) == "too large"
    asked = scheduling.whole(course, 55, Search(EFFORT))
    assert isinstance(asked, scheduling.Asked)
    assert len(asked.model.qubo) == 767


def test_what_a_simple_rule_found_is_not_credited_to_the_fleet() -> None:
    chain = Shop("a chain", ("a",), ((Operation("A", 2), Operation("B", 3)),))
    desk = Local()
    report = ScheduleStudy(chain, Search(EFFORT)).conduct(desk)
    assert desk.requests == []
    assert report.comparisons[0].fleet.method.startswith("a dispatching rule, which")
    assert report.comparisons[0].fleet.method.endswith("did not improve")


def test_one_model_of_a_whole_shop_is_refused_with_its_qubits() -> None:
    for name, method, bits in (("ft06", "qaoa", 946), ("la01", "simulated", 19859)):
        effort = replace(EFFORT, method=method)  # type: ignore[arg-type]  # one of the methods
        study = ScheduleStudy(files.shop(Path(name)), Search(effort, whole=True))
        with pytest.raises(TooLarge, match=f"needs {bits} ") as error:
            study.requests()
        assert error.value.qubits == bits
    study = ScheduleStudy(tiny(2), Search(replace(EFFORT, method="qaoa"), whole=True))
    assert 0 < study.qubits <= 24


def test_a_shop_of_too_many_operations_is_refused_with_the_qubits_that_it_may_need() -> None:
    jobs = tuple((Operation("A", 1), Operation("B", 1)) for _ in range(201))
    with pytest.raises(TooLarge, match="may need 80802 qubits"):
        ScheduleStudy(Shop("a mill", tuple(map(str, range(201))), jobs), Search(EFFORT)).requests()

"""What is split, what is not, and the sentences that say why."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.planning import cost, kinds, plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire.workload import SHOTS_PER_BLOCK


def fleet(job: Specification, devices: int = 3, workers: int = 6) -> plan.Fleet:
    return plan.Fleet(devices, workers, kinds.rates(job))


def sampling(
    *, dynamic: bool, shots: int, items: int = 1, qubits: int = 12, gates: int = 60
) -> Specification:
    return Specification(
        kind="circuit.sample",
        seed=1,
        items=items,
        shots=shots,
        points=((),) * items,
        qubits=qubits,
        gates=gates,
        bits=qubits,
        registers=(qubits,),
        dynamic=dynamic,
    )


def expectation(items: int, qubits: int = 20, gates: int = 200) -> Specification:
    return Specification(
        kind="circuit.expect", seed=1, items=items, points=((),) * items, qubits=qubits, gates=gates
    )


def test_an_ideal_program_is_not_split_by_shots() -> None:
    job = sampling(dynamic=False, shots=10_000_000, qubits=20, gates=400)
    planned = kinds.plan(job, fleet(job))
    assert planned.slices == (plan.Slice(0, 1, 0, 10_000_000),)
    assert any("not split by shots" in sentence for sentence in planned.sentences)


def test_a_dynamic_program_is_split_by_blocks() -> None:
    job = sampling(dynamic=True, shots=100_000)
    planned = kinds.plan(job, fleet(job))
    assert len(planned.slices) > 6
    assert all(part.shots % SHOTS_PER_BLOCK == 0 for part in planned.slices[:-1])
    assert any("split by blocks of 1,024" in sentence for sentence in planned.sentences)


def test_a_short_dynamic_program_stays_whole() -> None:
    job = sampling(dynamic=True, shots=2_000, qubits=2, gates=3)
    planned = kinds.plan(job, fleet(job))
    assert planned.slices == (plan.Slice(0, 1, 0, 2_000),)
    assert any("cost more than it saves" in sentence for sentence in planned.sentences)


def test_a_grid_is_spread_over_the_fleet() -> None:
    job = expectation(24)
    planned = kinds.plan(job, fleet(job))
    assert len(planned.slices) == 24
    assert planned.sentences[-1] == "3 devices with 6 workers can run it now."


def test_light_points_stay_together() -> None:
    job = expectation(24, qubits=3, gates=4)
    planned = kinds.plan(job, fleet(job))
    assert planned.slices == (plan.Slice(0, 24, 0, 0),)
    assert any("splitting would cost more than it saves" in sentence for sentence in planned.sentences)


def test_one_worker_is_not_given_pieces() -> None:
    job = sampling(dynamic=True, shots=20_000)
    assert len(kinds.plan(job, fleet(job, 1, 1)).slices) == 1


def test_very_long_work_is_cut_even_for_one_worker() -> None:
    job = sampling(dynamic=True, shots=1_000_000, qubits=14)
    assert len(kinds.plan(job, fleet(job, 1, 1)).slices) > 10


def test_an_empty_fleet_is_said() -> None:
    job = expectation(24)
    planned = kinds.plan(job, plan.Fleet(0, 0, kinds.rates(job)))
    assert planned.sentences[-1] == "No device that can run it is online: the tasks wait for one."


def test_echoes_are_one_task_each_up_to_a_limit() -> None:
    job = Specification(kind="probe.echo", seed=0, items=5)
    assert len(kinds.plan(job, fleet(job)).slices) == 5
    with pytest.raises(plan.PlanRefused, match="100,001 echoes are over the limit of 100,000"):
        kinds.plan(Specification(kind="probe.echo", seed=0, items=100_001), fleet(job))


@settings(max_examples=60, deadline=None)
@given(
    dynamic=st.booleans(),
    shots=st.integers(1, 60_000),
    items=st.integers(1, 40),
    qubits=st.integers(1, 18),
    workers=st.integers(0, 40),
)
def test_every_shot_of_every_item_is_in_exactly_one_slice(
    *, dynamic: bool, shots: int, items: int, qubits: int, workers: int
) -> None:
    job = sampling(dynamic=dynamic, shots=shots, items=items, qubits=qubits)
    planned = kinds.plan(job, fleet(job, workers, workers))
    covered: dict[int, list[tuple[int, int]]] = {}
    for part in planned.slices:
        assert part.shots > 0
        for item in range(part.first_item, part.first_item + part.items):
            covered.setdefault(item, []).append((part.first_block * SHOTS_PER_BLOCK, part.shots))
    assert sorted(covered) == list(range(items))
    for ranges in covered.values():
        ends = itertools.accumulate(count for _, count in ranges)
        assert [start for start, _ in ranges] == [0, *list(ends)[:-1]]
        assert sum(count for _, count in ranges) == shots


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.44, "0.4 ms"),
        (35, "35 ms"),
        (2_100, "2.1 s"),
        (90_000, "90 s"),
        (720_000, "12 min"),
        (9e6, "2.5 h"),
    ],
)
def test_durations_are_spelled_for_people(milliseconds: float, words: str) -> None:
    assert cost.in_words(milliseconds) == words

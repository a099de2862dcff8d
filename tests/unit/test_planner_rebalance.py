"""What moves: stranded and lagging work only, evened out, never against residency, never to and fro."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planner_cases import TAGS, devices, grid, region, some_regions

from qfleet_controlplane.planning import cost, kinds, needs, placement, rebalance, regions

JOB = grid()
NEEDED = needs.Requirement(JOB.kind, JOB.qubits, kinds.memory_bytes(JOB))
EACH_MS = regions.task_ms(devices(), JOB, 1, 0)
HERE = "here"


def waiting(tasks: int, *, stranded: str = "", residency: tuple[str, ...] = ()) -> rebalance.Waiting:
    return rebalance.Waiting("j", NEEDED, JOB, residency, tasks, 1, 0, stranded)


def laden(name: str, tasks: int, *, online: int = 2, residency: tuple[str, ...] = ()) -> regions.RegionFacts:
    return region(
        name, devices(online), backlog_ms=tasks * EACH_MS, pending=tasks, residency=residency, latency_ms=10.0
    )


def out_of_reach(facts: regions.RegionFacts) -> regions.RegionFacts:
    return msgspec.structs.replace(facts, reachable=False)


def moved(moves: list[rebalance.Move]) -> dict[str, int]:
    return {move.to: move.tasks for move in moves}


@pytest.mark.parametrize(
    ("here", "others", "wanted", "expected"),
    [
        pytest.param(laden(HERE, 9), [laden("b", 0)], waiting(9), {}, id="not far enough behind"),
        pytest.param(laden(HERE, 400), [laden("b", 300)], waiting(400), {}, id="busy elsewhere too"),
        pytest.param(laden(HERE, 400), [laden("b", 0)], waiting(400), {"b": 200}, id="half to an idle twin"),
        pytest.param(
            laden(HERE, 400), [laden("b", 0), laden("c", 0)], waiting(400), {"b": 133, "c": 133}, id="thirds"
        ),
        pytest.param(laden(HERE, 400), [laden("b", 0)], waiting(30), {"b": 30}, id="no more than may move"),
        pytest.param(
            laden(HERE, 400), [laden("b", 0, residency=("US",))], waiting(9, residency=("EU",)), {}, id="EU"
        ),
        pytest.param(laden(HERE, 0), [laden("b", 0)], waiting(7, stranded="dead"), {"b": 7}, id="stranded"),
        pytest.param(laden(HERE, 9), [laden("b", 0, online=0)], waiting(7, stranded="x"), {}, id="nobody"),
        pytest.param(
            region(HERE, devices(0)), [laden("b", 0)], waiting(7), {}, id="a region just asleep is no laggard"
        ),
        pytest.param(
            laden(HERE, 9), [region("b", devices(qubits=4))], waiting(7, stranded="x"), {}, id="too small"
        ),
        pytest.param(
            laden(HERE, 9),
            [msgspec.structs.replace(laden("b", 0), stale=True)],
            waiting(7, stranded="x"),
            {},
            id="stale",
        ),
        pytest.param(
            laden(HERE, 9), [out_of_reach(laden("b", 0))], waiting(7, stranded="x"), {}, id="no broker there"
        ),
        pytest.param(
            out_of_reach(laden(HERE, 400)), [laden("b", 0)], waiting(400), {}, id="no broker here, no laggard"
        ),
        pytest.param(
            out_of_reach(laden(HERE, 4)),
            [laden("b", 0)],
            waiting(4, stranded="x"),
            {"b": 4},
            id="no broker here",
        ),
    ],
)
def test_what_moves(
    here: regions.RegionFacts,
    others: list[regions.RegionFacts],
    wanted: rebalance.Waiting,
    expected: dict[str, int],
) -> None:
    found = moved(rebalance.decide(here, others, [wanted]))
    assert found.keys() == expected.keys()
    assert all(abs(found[name] - count) <= 1 for name, count in expected.items())


def test_the_reason_holds_the_numbers() -> None:
    (move,) = rebalance.decide(laden(HERE, 400), [laden("b", 0)], [waiting(400)])
    assert move.reason == (
        f"what waits in here takes about {cost.in_words(100 * EACH_MS)}, in b about {cost.in_words(10.0)}"
    )


def test_several_jobs_see_what_was_moved_before_them() -> None:
    jobs = [waiting(200)._replace(key=key) for key in ("j", "k")]
    found = rebalance.decide(laden(HERE, 400), [laden("b", 0)], jobs)
    assert abs(sum(move.tasks for move in found) - 200) <= 2


def test_one_decision_moves_a_bounded_number() -> None:
    found = rebalance.decide(laden(HERE, 10**6), [laden("b", 0)], [waiting(10**6, stranded="x")])
    assert moved(found) == {"b": rebalance.MOST_MOVED}


@settings(max_examples=150, deadline=None)
@given(
    facts=some_regions(least=2),
    tasks=st.integers(0, 500),
    stranded=st.booleans(),
    residency=st.sets(st.sampled_from(TAGS), max_size=2),
)
def test_moves_keep_residency_and_capability_and_ask_for_nothing_back(
    facts: list[regions.RegionFacts], tasks: int, *, stranded: bool, residency: set[str]
) -> None:
    here, *others = facts
    wanted = waiting(tasks, stranded="x" if stranded else "", residency=tuple(sorted(residency)))
    moves = rebalance.decide(here, others, [wanted])
    assert sum(move.tasks for move in moves) <= tasks
    known = {entry.name: entry for entry in others}
    for move in moves:
        assert move.tasks > 0
        there = known[move.to]
        assert not there.stale
        assert there.reachable
        assert not residency or residency & set(there.residency)
        assert any(entry.online for entry in regions.able(there, NEEDED))
    if not stranded:
        for move in moves:
            _asks_for_nothing_back(here, known[move.to], move.tasks)


def _asks_for_nothing_back(here: regions.RegionFacts, there: regions.RegionFacts, count: int) -> None:
    """After the move, the region that got the tasks would not send them back at once."""
    left = _loaded(here, -count)
    got = _loaded(there, count)
    assert rebalance.decide(got, [left], [waiting(count)]) == [] or placement.start_ms(there) > (
        placement.start_ms(left)
    )


def _loaded(facts: regions.RegionFacts, tasks: int) -> regions.RegionFacts:
    able = regions.able(facts, NEEDED)
    each_ms = regions.task_ms(able[0], JOB, 1, 0) if able else 0.0
    return msgspec.structs.replace(facts, backlog_ms=max(0.0, facts.backlog_ms + tasks * each_ms))

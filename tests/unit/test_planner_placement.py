"""Which region gets what: nothing lost, residency and capability kept, near the least makespan, and said."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planner_cases import TAGS, devices, echoes, grid, region, some_regions

from qfleet_controlplane.planning import admission, cost, filling, kinds, needs, placement, regions
from qfleet_controlplane.planning.kinds import echo
from qfleet_controlplane.planning.placement import Wishes

ANY = Wishes()


def positions(found: placement.Placement) -> list[int]:
    return sorted(position for share in found.shares for position in share.positions)


def counts(found: placement.Placement) -> dict[str, int]:
    return {share.region: len(share.positions) for share in found.shares}


def test_a_job_is_spread_by_speed_and_every_region_is_explained() -> None:
    facts = [
        region("eu-north", devices(3, workers=4), latency_ms=18.0, residency=("EU",)),
        region(
            "eu-south",
            devices(2, workers=4),
            latency_ms=40.0,
            backlog_ms=4_000.0,
            pending=9,
            residency=("EU",),
        ),
        region("us-east", devices(9), residency=("US",)),
        region("tiny", devices(4, qubits=8), residency=("EU",)),
        region("gone", devices(4), residency=("EU",), stale=True),
        region("asleep", devices(0), residency=("EU",)),
    ]
    found = placement.place(grid(), facts, Wishes(("EU",)))
    assert positions(found) == list(range(80)), "four tasks for each of twenty workers"
    shares = counts(found)
    assert set(shares) == {"eu-north", "eu-south"}
    assert 1.2 < shares["eu-north"] / shares["eu-south"] < 1.8
    told = dict(zip(["eu-north", "eu-south"], found.sentences[:2], strict=True))
    north = shares["eu-north"]
    assert told["eu-north"].startswith(f"{north} of 80 tasks to eu-north: 12 workers, 18 ms away, about ")
    assert "0.5 s of work before it" in told["eu-south"] or "500 ms of work before it" in told["eu-south"]
    assert "us-east is not used: residency EU demanded, it carries US." in found.sentences
    assert "tiny is not used: 20 qubits are over its 8." in found.sentences
    assert "gone is not used: no controller has spoken for it lately." in found.sentences
    assert "asleep is not used: none of its 1 device that can run it is online." in found.sentences
    assert len(found.sentences) == len(facts)


def test_a_short_job_stays_in_the_nearest_region() -> None:
    facts = [region("far", devices(4), latency_ms=300.0), region("near", devices(4), latency_ms=5.0)]
    found = placement.place(echoes(100), facts, ANY)
    assert counts(found) == {"near": 100}
    assert found.sentences[0].startswith("All 100 tasks to near: 8 workers, 5.0 ms away, about ")
    assert found.sentences[1].startswith("far is not used: 8 workers, 300 ms away, about ")


def test_where_energy_is_preferred_the_cheapest_region_that_is_in_time_gets_it() -> None:
    fast = region("fast", devices(8), energy_price=0.4)
    cheap = region("cheap", devices(4), energy_price=0.1)
    slow = region("slow", devices(1, amplitude_ns=40.0), energy_price=0.01)
    facts = [fast, cheap, region("unpriced", devices(20, amplitude_ns=0.5))]
    assert set(counts(placement.place(grid(), facts, ANY))) == {"unpriced"}
    chosen = placement.place(grid(), [fast, cheap], Wishes((), "energy"))
    assert counts(chosen) == {"cheap": len(chosen.plan.slices)}
    assert "0.1 per kWh" in chosen.sentences[0]
    with_slow = counts(placement.place(grid(), [fast, cheap, slow], Wishes((), "energy")))
    assert 0 < with_slow["slow"] < with_slow["cheap"], "only what it finishes in time"


def test_residency_that_no_region_carries_is_refused_with_what_they_carry() -> None:
    facts = [region("a", devices(), residency=("US",)), region("b", devices())]
    with pytest.raises(admission.NothingAdmits) as refused:
        placement.place(grid(), facts, Wishes(("EU", "CH")))
    assert str(refused.value) == (
        "no region may run the job: residency EU or CH demanded; a carries US; b carries no tag"
    )
    assert "give a region the tag" in refused.value.hint


def test_a_job_too_large_for_all_is_refused_with_the_nearest_reasons() -> None:
    facts = [region("a", devices(qubits=16), devices(qubits=30, memory=2**30)), region("b", devices())]
    with pytest.raises(admission.NothingAdmits) as refused:
        placement.place(grid(qubits=36), facts, ANY)
    assert str(refused.value) == (
        "no device of this fleet can run the job: a: 36 qubits are over its 30; b: 36 qubits are over its 24"
    )


def test_a_job_waits_where_nothing_is_known_yet() -> None:
    found = placement.place(grid(), [region("new")], ANY)
    assert counts(found) == {"new": len(found.plan.slices)}
    assert found.sentences[0].endswith("to wait for a device: no device there has said yet what it can do.")
    found = placement.place(grid(), [region("new"), region("asleep", devices(0))], ANY)
    assert set(counts(found)) == {"asleep"}, "there it is known that a device can run it"


def test_a_region_without_its_broker_gets_nothing_while_another_can_have_it() -> None:
    north = region("north", devices(8), reachable=False)
    found = placement.place(grid(), [north, region("south", devices(1))], ANY)
    assert set(counts(found)) == {"south"}
    assert "north is not used: its broker cannot be reached." in found.sentences
    asleep = placement.place(grid(), [north, region("south", devices(0))], ANY)
    assert set(counts(asleep)) == {"south"}, "its devices come back sooner than a broker"
    unled = placement.place(grid(), [north, region("south", devices(1), stale=True)], ANY)
    assert set(counts(unled)) == {"north"}, "nobody says that the other one is reachable"


def test_without_any_broker_a_job_is_placed_as_ever_and_says_that_it_waits() -> None:
    north = region("north", devices(8), reachable=False)
    south = region("south", devices(8), residency=("EU",))
    away = [north, region("south", devices(1), reachable=False)]
    near = [msgspec.structs.replace(entry, reachable=True) for entry in away]
    assert counts(placement.place(grid(), away, ANY)) == counts(placement.place(grid(), near, ANY))
    bound = placement.place(grid(), [msgspec.structs.replace(south, reachable=False), north], Wishes(("EU",)))
    assert counts(bound) == {"south": len(bound.plan.slices)}
    assert bound.sentences[0].endswith(" to south, to wait for its broker, which cannot be reached.")


def test_no_region_at_all_is_refused() -> None:
    with pytest.raises(admission.NothingAdmits, match="there is no region"):
        placement.place(echoes(1), [], ANY)


@settings(max_examples=150, deadline=None)
@given(
    facts=some_regions(),
    items=st.integers(1, 300),
    large=st.booleans(),
    residency=st.sets(st.sampled_from(TAGS), max_size=2),
    energy=st.booleans(),
)
def test_no_task_is_lost_doubled_or_where_it_may_not_be(
    facts: list[regions.RegionFacts], items: int, *, large: bool, residency: set[str], energy: bool
) -> None:
    job = grid(items) if large else echoes(items)
    wishes = Wishes(tuple(sorted(residency)), "energy" if energy else "time")
    try:
        found = placement.place(job, facts, wishes)
    except admission.NothingAdmits:
        assert not any(_could(entry, job.qubits, residency) for entry in facts)
        return
    assert positions(found) == list(range(len(found.plan.slices)))
    known = {entry.name: entry for entry in facts}
    needed = needs.Requirement(job.kind, job.qubits, kinds.memory_bytes(job))
    for share in found.shares:
        entry = known[share.region]
        assert not residency or residency & set(entry.residency)
        assert regions.able(entry, needed) or not entry.classes
        assert entry.reachable or not any(
            other.reachable and not other.stale and _could(other, job.qubits, residency) for other in facts
        )
    assert found == placement.place(job, list(reversed(facts)), wishes), "the order of regions says nothing"
    assert len(found.sentences) == len(facts)
    assert all(sentence.endswith(".") for sentence in found.sentences)


def _could(entry: regions.RegionFacts, qubits: int, residency: set[str]) -> bool:
    allowed = not residency or bool(residency & set(entry.residency))
    return allowed and any(each.max_qubits >= qubits for each in entry.classes)


CREWS = st.lists(
    st.builds(
        filling.Crew,
        st.floats(0, 5_000),
        st.lists(st.tuples(st.integers(1, 8), st.floats(1.0, 2_000.0)), min_size=1, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(crews=CREWS, tasks=st.integers(1, 400))
def test_filling_reaches_the_least_makespan(crews: list[filling.Crew], tasks: int) -> None:
    divided = filling.divide(crews, tasks)
    assert sum(divided) == tasks
    by_ms = filling.finish_ms(crews, tasks)
    assert all(filling.capacity(crew, by_ms) >= count for crew, count in zip(crews, divided, strict=True))
    assert math.isclose(by_ms, _list_schedule(crews, tasks), rel_tol=1e-9)


def _list_schedule(crews: list[filling.Crew], tasks: int) -> float:
    """The optimum for equal tasks: each to the worker that would finish it first."""
    ends = [
        (crew.start_ms, task_ms) for crew in crews for count, task_ms in crew.workers for _ in range(count)
    ]
    makespan = 0.0
    for _ in range(tasks):
        index = min(range(len(ends)), key=lambda each: sum(ends[each]))
        start_ms, task_ms = ends[index]
        ends[index] = (start_ms + task_ms, task_ms)
        makespan = max(makespan, start_ms + task_ms)
    return makespan


def test_crews_without_workers_get_nothing() -> None:
    assert filling.divide([filling.Crew(0.0, ())], 5) == [0]
    assert filling.finish_ms([filling.Crew(0.0, ())], 5) == math.inf
    assert filling.divide([filling.Crew(0.0, ()), filling.Crew(9.0, ((1, 2.0),))], 5) == [0, 5]


@settings(max_examples=60, deadline=None)
@given(facts=some_regions(), items=st.integers(1, 2_000))
def test_a_placement_takes_hardly_longer_than_the_best_one(
    facts: list[regions.RegionFacts], items: int
) -> None:
    ready = [entry for entry in facts if entry.workers and not entry.stale and entry.reachable]
    if not ready:
        return
    found = placement.place(echoes(items), facts, ANY)
    crews = {entry.name: _crew(entry) for entry in ready}
    best = filling.finish_ms(list(crews.values()), items)
    taken = max(filling.finish_ms([crews[share.region]], len(share.positions)) for share in found.shares)
    assert taken <= max(best / placement.SPREAD_GAIN, best + placement.SPREAD_MS) * (1 + 1e-9)


def _crew(facts: regions.RegionFacts) -> filling.Crew:
    workers = tuple(
        (entry.online * entry.workers, cost.TASK_MS + echo.ECHO_MS) for entry in facts.classes if entry.online
    )
    return filling.Crew(placement.start_ms(facts), workers)

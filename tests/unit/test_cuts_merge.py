"""Results of parts: which are valid, which contradict each other, and that any order and repetition do."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import cut_cases
from tests.unit.core_cases import MIB
from tests.unit.test_cuts_choice import fleet, layers

from qfleet_agent.engines import memory
from qfleet_agent.engines import parts as engine
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_controlplane.planning import kinds, plan, views
from qfleet_controlplane.planning.cuts import forecast
from qfleet_controlplane.planning.merge import MergeConflict
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, circuit, codec, workload

EXACT = 1e-11
PROGRAM = layers(6, 3)
REQUESTS = {
    "circuit.expect": api.JobRequest(
        kind="circuit.expect", program=PROGRAM, observables=("Z0 Z5", "0.5*X2 Y3 - Z1 + 2"), seed=3
    ),
    "circuit.amplitudes": api.JobRequest(
        kind="circuit.amplitudes", program=PROGRAM, bitstrings=("000000", "101001"), seed=3
    ),
}
SWEEP = api.JobRequest(
    kind="circuit.expect",
    program='OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit[4] q;'
    "h q; ry(a) q[1]; crx(a) q[1], q[2]; rz(b) q[2]; cp(b) q[2], q[1]; h q[2]; cx q[2], q[3];",
    observables=("Z2 X1", "Y3"),
    parameters=tuple({"a": 0.3 * number, "b": 1.0 - 0.2 * number} for number in range(3)),
)


def specified(request: api.JobRequest, width: int = 3) -> Specification:
    job = submission.specify(request, 3, submission.Known((fleet(width),)))
    assert job.cut is not None
    return job


def slices(job: Specification, rows: int) -> list[Slice]:
    """One point and ``rows`` paths in each task."""
    assert job.cut is not None
    found, start = [], 0
    for part in job.cut.parts:
        for item in range(job.items):
            found += [
                Slice(item, 1, start + first, min(rows, part.paths - first))
                for first in range(0, part.paths, rows)
            ]
        start += part.paths
    return found


def run(job: Specification, part: Slice) -> workload.PartResult:
    work = codec.decode(kinds.encode(job, part), workload.CircuitPart)
    return engine.run(work, budget=1 << 30, report=lambda _: None)


def shown(request: api.JobRequest, job: Specification, results: list[workload.PartResult]) -> Any:
    heading = views.Heading("job", "succeeded", request)
    return kinds.view(heading, job, [views.Counted(each, "a", "qulacs", "1", 1.0) for each in results])


@pytest.mark.parametrize("kind", REQUESTS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_order_and_repetition_gives_the_answer_of_the_whole(kind: str, data: st.DataObject) -> None:
    request = REQUESTS[kind]
    job = specified(request)
    results = [run(job, part) for part in slices(job, data.draw(st.integers(1, 9)))]
    again = data.draw(st.lists(st.sampled_from(results), max_size=4))
    view = shown(request, job, data.draw(st.permutations(results + again)))
    state = cut_cases.state_of(codec.decode(job.program, circuit.Program), ())
    if isinstance(view, api.AmplitudesResultView):
        found = [complex(each.real, each.imaginary) for each in view.items[0].amplitudes]
        np.testing.assert_allclose(found, state[[0b000000, 0b101001]], atol=EXACT)
        assert [each.bitstring for each in view.items[0].amplitudes] == list(request.bitstrings)
        assert view.items[0].amplitudes[1].probability == pytest.approx(abs(state[0b101001]) ** 2)
    else:
        assert isinstance(view, api.ExpectResultView)
        wanted = [
            cut_cases.expectation(state, (("Z", 0), ("Z", 5))),
            0.5 * cut_cases.expectation(state, (("X", 2), ("Y", 3)))
            - cut_cases.expectation(state, (("Z", 1),))
            + 2,
        ]
        np.testing.assert_allclose([each.value for each in view.items[0].values], wanted, atol=EXACT)
        assert all(each.exact for each in view.items[0].values)


def test_a_sweep_gives_every_point_its_own_factors() -> None:
    job = specified(SWEEP, width=2)
    assert job.cut is not None
    assert {len(part.factors) for part in job.cut.parts} == {3}
    planned = kinds.plan(job, plan.Fleet(1, 1, kinds.rates(job)))
    view = shown(SWEEP, job, [run(job, part) for part in planned.slices])
    program = codec.decode(job.program, circuit.Program)
    for index, item in enumerate(view.items):
        state = cut_cases.state_of(program, job.points[index])
        wanted = [cut_cases.expectation(state, p) for p in ((("X", 1), ("Z", 2)), (("Y", 3),))]
        np.testing.assert_allclose([each.value for each in item.values], wanted, atol=EXACT)
        assert item.parameters == SWEEP.parameters[index]


def test_a_point_with_a_part_missing_is_left_out() -> None:
    job = specified(SWEEP, width=2)
    parts = slices(job, 2)
    results = [run(job, part) for part in parts]
    missing = next(number for number, part in enumerate(parts) if part.first_item == 1)
    view = shown(SWEEP, job, results[:missing] + results[missing + 1 :])
    assert [item.parameters for item in view.items] == [SWEEP.parameters[0], SWEEP.parameters[2]]


def test_two_answers_for_the_same_paths_that_differ_are_a_conflict() -> None:
    request = REQUESTS["circuit.expect"]
    job = specified(request)
    result = run(job, slices(job, 4)[0])
    other = msgspec.structs.replace(result.items[0], elements=bytes(len(result.items[0].elements)))
    with pytest.raises(MergeConflict, match="part 0 of item 0 from path 0"):
        shown(request, job, [result, workload.PartResult(0, (other,))])


def test_what_is_no_answer_to_a_slice_is_said() -> None:
    job = specified(REQUESTS["circuit.expect"])
    parts = slices(job, 4)
    good = run(job, parts[0])
    item = good.items[0]
    assert kinds.fault(job, parts[0], good) is None
    assert len(codec.encode(good)) <= kinds.result_bytes(job, parts[0])

    def changed(**changes: Any) -> workload.PartResult:
        return workload.PartResult(0, (msgspec.structs.replace(item, **changes),))

    infinite = np.full(len(item.elements) // 8, np.inf).tobytes()
    wrong = {
        "part 1 answers for part 0": workload.PartResult(1, good.items),
        "0 items do not cover": workload.PartResult(0, ()),
        "has paths from 1 instead of 0": changed(first_path=1),
        "bytes of values": changed(elements=item.elements[16:]),
        "not finite": changed(elements=infinite),
    }
    for words, result in wrong.items():
        found = kinds.fault(job, parts[0], result)
        assert found is not None
        assert words in found
    assert "does not answer" in str(kinds.fault(job, parts[0], workload.EchoResult(b"")))


def test_rounding_agrees_and_more_contradicts() -> None:
    job = specified(REQUESTS["circuit.amplitudes"])
    good = run(job, slices(job, 8)[0])

    def moved(by: float) -> workload.PartResult:
        values = np.frombuffer(good.items[0].amplitudes, "<f8") + by
        return workload.PartResult(0, (msgspec.structs.replace(good.items[0], amplitudes=values.tobytes()),))

    for exact in (True, False):
        assert kinds.contradiction(good, good, exact=exact) is None
        assert kinds.contradiction(good, moved(1e-13), exact=exact) is None
        assert "differ" in str(kinds.contradiction(good, moved(1e-4), exact=exact))
    assert "parts" in str(kinds.differ(good, workload.PartResult(1, good.items)))


def test_the_engine_needs_no_more_memory_than_was_foretold() -> None:
    job = submission.specify(
        api.JobRequest(kind="circuit.expect", program=layers(24, 3), observables=("Z0",)),
        3,
        submission.Known((fleet(16),)),
    )
    assert job.cut is not None
    part = job.cut.parts[0]
    for rows, further in ((part.paths, False), (2, True)):
        states = workload.vectors(len(part.places), rows, further=further)
        assert memory.states(part.qubits, states) <= forecast.part_bytes(part, rows)
    work = cut_cases.work(part, 0, ((),), 0, part.paths)
    with pytest.raises(MemoryShort, match="8 paths of 12 qubits need"):
        engine.run(work, budget=16 * MIB, report=lambda _: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"places": (workload.Place(5, 0, 2), workload.Place(1, 0, 2))}, "not in order"),
        ({"places": (workload.Place(0, 9, 2),)}, "2 factors on qubit 9"),
        ({"strings": (64,)}, "more than 3 bits"),
        ({"products": ((("Q", 0),),)}, "letter 'Q'"),
        ({"products": ((("X", 7),),)}, "names qubit 7"),
    ],
)
def test_a_part_without_meaning_is_refused_before_anything_runs(changes: dict[str, Any], words: str) -> None:
    job = specified(REQUESTS["circuit.expect"])
    work = codec.decode(kinds.encode(job, slices(job, 4)[0]), workload.CircuitPart)
    with pytest.raises(WorkInvalid, match=words):
        engine.run(msgspec.structs.replace(work, **changes), budget=1 << 30, report=lambda _: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paths": 99}, "are asked of a part with 8"),
        ({"factors": b""}, "0 bytes of factors"),
        ({"factors": np.full(48, np.nan).tobytes()}, "not finite"),
        ({"parameters": (0.1,)}, "gives 1 parameters"),
    ],
)
def test_an_item_without_meaning_is_refused(changes: dict[str, Any], words: str) -> None:
    job = specified(REQUESTS["circuit.expect"])
    work = codec.decode(kinds.encode(job, slices(job, 4)[0]), workload.CircuitPart)
    item = msgspec.structs.replace(work.items[0], **changes)
    with pytest.raises(WorkInvalid, match=words):
        engine.run(msgspec.structs.replace(work, items=(item,)), budget=1 << 30, report=lambda _: None)


def test_progress_goes_up_to_one() -> None:
    job = specified(SWEEP, width=2)
    told: list[float] = []
    work = codec.decode(kinds.encode(job, Slice(0, 3, 0, 2)), workload.CircuitPart)
    engine.run(work, budget=1 << 30, report=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

"""Results as Qiskit's users expect them, and results that are no answers."""

import math

import msgspec
import pytest
from tests.unit.core_cases import counted, moments, sample

from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.kinds import echo
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, circuit, codec, workload

SAMPLE = Specification(
    kind="circuit.sample", seed=9, items=2, shots=1500, points=((), ()), qubits=3, bits=3, registers=(2, 1)
)
EXPECT = Specification(
    kind="circuit.expect",
    seed=9,
    items=1,
    shots=1500,
    points=((),),
    observables=(workload.Observable("Z0", ()), workload.Observable("X1", ())),
    dynamic=True,
)
ECHO = Specification(kind="probe.echo", seed=0, items=2)


@pytest.mark.parametrize(
    ("outcome", "registers", "text"),
    [
        # Qiskit: x(0) of three qubits measured into ClassicalRegister(3) gives '001'.
        (0b001, (3,), "001"),
        # Qiskit: ClassicalRegister(2, 'a'), ClassicalRegister(1, 'b'); a[0] = 1, b[0] = 1 gives '1 01'.
        (0b101, (2, 1), "1 01"),
        # Qiskit: a[1] = 1 only gives '0 10'.
        (0b010, (2, 1), "0 10"),
        # Three registers: the last one declared stands leftmost.
        (0b1_0011_01, (2, 4, 1), "1 0011 01"),
        (0, (), ""),
    ],
)
def test_keys_are_spelled_as_qiskit_spells_them(outcome: int, registers: tuple[int, ...], text: str) -> None:
    assert views.key(outcome, registers) == text


def counting(result: workload.WorkResult, device: str, duration: float) -> views.Counted:
    return views.Counted(result, device, "qulacs", "0.6", duration)


def test_a_sampling_result_is_shown_per_point() -> None:
    request = api.JobRequest(kind="circuit.sample", shots=10, parameters=({"θ": 0.5}, {"θ": 1.0}))
    parts = [
        counting(sample(counted(1, 0, {0b101: 7, 0: 3}, 3)), "b", 2.0),
        counting(sample(counted(0, 0, {0b010: 10}, 3)), "a", 1.0),
        counting(sample(counted(1, 1, {0b101: 1}, 3)), "b", 4.0),
    ]
    view = kinds.view(views.Heading("j", "succeeded", request), SAMPLE, parts)
    assert isinstance(view, api.SampleResultView)
    assert view.seed == 9
    assert view.items == (
        api.SampleItemView({"θ": 0.5}, 10, {"0 10": 10}),
        api.SampleItemView({"θ": 1.0}, 11, {"0 00": 3, "1 01": 8}),
    )
    assert view.sources == (
        api.SourceView("a", "qulacs", "0.6", 1, 1.0),
        api.SourceView("b", "qulacs", "0.6", 2, 6.0),
    )


def test_an_expectation_result_names_its_observables() -> None:
    block = workload.Moments(0, 100, (20.0, 100.0), (100.0, 100.0))
    heading = views.Heading("j", "succeeded", api.JobRequest(kind="circuit.expect"))
    view = kinds.view(heading, EXPECT, [counting(moments(0, [block]), "a", 1.0)])
    assert isinstance(view, api.ExpectResultView)
    first, second = view.items[0].values
    assert (first.observable, first.value, first.exact) == ("Z0", 0.2, False)
    assert math.isclose(first.standard_error, math.sqrt(0.96 / 99))
    assert (second.observable, second.value, second.standard_error) == ("X1", 1.0, 0.0)


def test_an_echo_result_counts() -> None:
    heading = views.Heading("j", "partial", api.JobRequest(kind="probe.echo", items=2))
    view = kinds.view(heading, ECHO, [counting(workload.EchoResult(echo.ECHO), "a", 0.1)])
    assert isinstance(view, api.EchoResultView)
    assert (view.items, view.status) == (1, "partial")


WHOLE = Slice(0, 1, 0, 1500)
GOOD = counted(0, 0, {0: 1000, 5: 500}, 3)


def test_a_right_answer_is_valid() -> None:
    assert kinds.fault(SAMPLE, WHOLE, sample(GOOD)) is None
    blocks = [
        workload.Moments(0, 1024, (1.0, 1.0), (1.0, 1.0)),
        workload.Moments(1, 476, (1.0, 1.0), (1.0, 1.0)),
    ]
    assert kinds.fault(EXPECT, WHOLE, moments(0, blocks)) is None
    assert kinds.fault(ECHO, Slice(1, 1, 0, 0), workload.EchoResult(echo.ECHO)) is None


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (sample(), "0 items do not cover items 0 to 0"),
        (sample(counted(1, 0, {0: 1500}, 3)), "1 items do not cover items 0 to 0"),
        (sample(GOOD, GOOD), "2 items do not cover"),
        (sample(counted(0, 0, {0: 1499}, 3)), "item 0 counts 1499 shots from block 0 instead of 1500"),
        (sample(counted(0, 1, {0: 1500}, 3)), "from block 1 instead of 1500 from block 0"),
        (sample(counted(0, 0, {0: 1500}, 2)), "outcomes of 2 bits instead of 3"),
        (sample(counted(0, 0, {8: 1500}, 3)), "an outcome of more than 3 bits"),
        (sample(workload.SampleCounts(0, 0, 1500, 3, b"\1\1", (1000, 500))), "counts an outcome twice"),
        (
            sample(workload.SampleCounts(0, 0, 1500, 3, b"\1", (1000, 500))),
            "1 bytes of outcomes for 2 counts",
        ),
        (sample(workload.SampleCounts(0, 0, 1500, 3, b"\0\1", (1600, -100))), "a count below 1"),
        (workload.EchoResult(b""), "a EchoResult does not answer circuit.sample"),
    ],
)
def test_a_wrong_sampling_answer_is_refused(result: workload.WorkResult, fault: str) -> None:
    assert fault in (kinds.fault(SAMPLE, WHOLE, result) or "")


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        ([workload.Moments(0, 1500, (1.0, 1.0), (1.0, 1.0))], "does not cover its 2 blocks"),
        ([], "does not cover its 2 blocks"),
        (
            [workload.Moments(0, 1024, (1.0,), (1.0,)), workload.Moments(1, 476, (1.0,), (1.0,))],
            "1 values for 2 observables",
        ),
        (
            [
                workload.Moments(0, 1024, (math.nan, 1.0), (1.0, 1.0)),
                workload.Moments(1, 476, (1.0, 1.0), (1.0, 1.0)),
            ],
            "not finite",
        ),
    ],
)
def test_a_wrong_expectation_is_refused(blocks: list[workload.Moments], fault: str) -> None:
    assert fault in (kinds.fault(EXPECT, WHOLE, moments(0, blocks)) or "")


def test_a_false_echo_is_refused() -> None:
    assert kinds.fault(ECHO, Slice(0, 1, 0, 0), workload.EchoResult(b"x")) is not None


def test_work_is_encoded_as_the_wire_declares_it() -> None:
    program = circuit.Program(qubits=3, slots=(), parameters=(), body=(circuit.Gate("h", (0,)),))
    with_program = msgspec.structs.replace(SAMPLE, program=codec.encode(program))
    raw = kinds.encode(with_program, Slice(1, 1, 2, 300))
    items = (workload.SampleItem(1, (), 2, 300),)
    assert codec.decode(raw, workload.CircuitSample) == workload.CircuitSample(program, 9, items)
    assert bytes(raw) == codec.encode(workload.CircuitSample(program, 9, items))


def test_work_of_an_expectation_is_encoded_as_the_wire_declares_it() -> None:
    program = circuit.Program(qubits=3, slots=(), parameters=(), body=())
    with_program = msgspec.structs.replace(EXPECT, program=codec.encode(program))
    raw = kinds.encode(with_program, Slice(0, 1, 0, 1500))
    whole = workload.CircuitExpect(program, 9, EXPECT.observables, (workload.ExpectItem(0, (), 0, 1500),))
    assert bytes(raw) == codec.encode(whole)

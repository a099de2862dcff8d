"""Programs that their own outcomes steer, shot by shot against the literal reference."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit import engine_reference as reference

from qfleet_agent.engines import execution, memory
from qfleet_agent.engines.errors import ProgramFailed, WorkInvalid
from qfleet_wire import circuit, circuit_facts, workload

BUDGET = 1 << 30
TYPE = circuit.ClassicalType
BITS, COUNT, ANGLE = 0, 1, 2
SLOTS = (
    circuit.Slot("c", TYPE("bit", 4), 0, output=True),
    circuit.Slot("n", TYPE("int", 8), 0),
    circuit.Slot("theta", TYPE("float", 64), 0.0),
    circuit.Slot("d", TYPE("bit", 2), 3, output=True),
)
QUBITS = 3


def number(value: float) -> circuit.Constant:
    return circuit.Constant(value)


def program(
    *body: circuit.Statement, qubits: int = QUBITS, slots: tuple[circuit.Slot, ...] = SLOTS
) -> circuit.Program:
    return circuit.Program(qubits, slots, (), body)


def gate(name: str, *qubits: int, angles: Sequence[float] = (), controls: Sequence[int] = ()) -> circuit.Gate:
    return circuit.Gate(
        name,  # type: ignore[arg-type] # one of the literals
        qubits,
        tuple(map(circuit.Constant, angles)),
        tuple(map(circuit.Control, controls)),
    )


EXPRESSIONS = st.recursive(
    st.one_of(
        st.integers(-3, 5).map(number),
        st.sampled_from((BITS, COUNT, 3)).map(circuit.Variable),
        st.builds(circuit.BitOf, st.just(BITS), st.integers(0, 4).map(number)),
        st.builds(circuit.BitOf, st.just(BITS), st.just(circuit.Variable(COUNT))),
    ),
    lambda inner: st.one_of(
        st.builds(
            circuit.Binary,
            st.sampled_from(("+", "-", "*", "/", "%", "&", "|", "^", "==", "<", ">=", "&&", "||")),
            inner,
            inner,
        ),
        st.builds(circuit.Binary, st.sampled_from(("<<", ">>", "rotl", "rotr")), inner, inner, st.just(4)),
        st.builds(circuit.Unary, st.sampled_from(("-", "!", "~", "popcount")), inner, st.just(4)),
        st.builds(
            circuit.Convert,
            st.sampled_from((TYPE("int", 3), TYPE("uint", 2), TYPE("bool", 1), TYPE("angle", 4))),
            inner,
        ),
    ),
    max_leaves=4,
)
FIXED_GATES = st.one_of(
    st.builds(gate, st.sampled_from(("h", "x", "s", "t", "sx")), st.integers(0, 2)),
    st.permutations(range(3)).map(lambda order: gate("x", order[0], controls=order[1:2])),
    st.builds(
        lambda q, a: gate("ry", q, angles=(a,)),
        st.integers(0, 2),
        st.floats(-3, 3).map(lambda a: round(a, 3)),
    ),
)
STEERED = st.builds(
    lambda q, e: circuit.Gate(
        "rx", (q,), (circuit.Binary("*", circuit.Convert(TYPE("float", 64), e), number(0.3)),)
    ),
    st.integers(0, 2),
    EXPRESSIONS,
)
MEASURE = st.builds(
    circuit.Measure, st.integers(0, 2), st.sampled_from((BITS, BITS, None)), st.integers(0, 3)
)
SIMPLE = st.one_of(
    FIXED_GATES,
    FIXED_GATES,
    STEERED,
    MEASURE,
    st.builds(circuit.Reset, st.integers(0, 2)),
    st.builds(circuit.Assign, st.just(COUNT), EXPRESSIONS),
    st.builds(circuit.Assign, st.just(3), EXPRESSIONS, st.integers(0, 2).map(number)),
    st.builds(circuit.Assign, st.just(ANGLE), EXPRESSIONS),
)


def block(inner: st.SearchStrategy[circuit.Statement]) -> st.SearchStrategy[tuple[circuit.Statement, ...]]:
    return st.lists(inner, min_size=1, max_size=4).map(tuple)


NESTED = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(circuit.If, EXPRESSIONS, block(inner), st.one_of(st.just(()), block(inner))),
        st.builds(
            circuit.For,
            st.just(COUNT),
            st.integers(-1, 2).map(number),
            st.sampled_from((1, 2, -1)).map(number),
            st.integers(-1, 3).map(number),
            block(st.one_of(inner, st.sampled_from((circuit.Break(), circuit.Continue(), circuit.End())))),
        ),
    ),
    max_leaves=8,
)
PROGRAMS = st.builds(
    lambda first, body, finals: program(*first, *body, *finals),
    st.lists(FIXED_GATES, max_size=4),
    st.lists(NESTED, min_size=1, max_size=6),
    st.lists(MEASURE, max_size=3),
)


def sample(
    asked: circuit.Program, seed: int, item: workload.SampleItem, budget: int = BUDGET
) -> Counter[int]:
    result = execution.execute(
        workload.CircuitSample(asked, seed, (item,)), budget=budget, report=lambda _: None
    )
    assert isinstance(result, workload.SampleResult)
    (counts,) = result.items
    size = (counts.bits + 7) // 8
    outcomes = [
        int.from_bytes(counts.outcomes[at : at + size], "little")
        for at in range(0, len(counts.outcomes), size)
    ]
    return Counter(dict(zip(outcomes, counts.counts, strict=True)))


def expect(
    asked: circuit.Program, letters: str, shots: int, budget: int = BUDGET
) -> tuple[workload.Moments, ...]:
    product = tuple((letter, qubit) for qubit, letter in enumerate(letters) if letter != "I")
    observable = workload.Observable(letters, (workload.PauliTerm(1.0, product),))
    work = workload.CircuitExpect(asked, 4, (observable,), (workload.ExpectItem(2, (), 1, shots),))
    result = execution.execute(work, budget=budget, report=lambda _: None)
    assert isinstance(result, workload.ExpectResult)
    return result.items[0].moments


@settings(max_examples=150, deadline=None)
@given(PROGRAMS, st.integers(0, 2**30))
def test_every_shot_is_that_of_the_reference(asked: circuit.Program, seed: int) -> None:
    # Static ones, which may reset a fresh qubit, are sampled by block and not by shot.
    assume(circuit_facts.split_static(asked) is None)
    shots = 25
    expected: Counter[int] = Counter()
    for shot in range(shots):
        run = reference.Shot(asked, (), reference.numbers(seed, 1, 7, shot))
        run.run(finals=True)
        expected[run.outcome()] += 1
    assert sample(asked, seed, workload.SampleItem(1, (), 7, shots)) == expected


@settings(max_examples=40, deadline=None)
@given(PROGRAMS, st.sampled_from(("ZII", "XYZ", "IZX")))
def test_expectations_are_those_of_the_trajectories(asked: circuit.Program, letters: str) -> None:
    shots = 15
    (moments,) = expect(asked, letters, shots)
    product = tuple((letter, qubit) for qubit, letter in enumerate(letters) if letter != "I")
    observable = workload.Observable(letters, (workload.PauliTerm(1.0, product),))
    values = []
    for shot in range(shots):
        run = reference.Shot(asked, (), reference.numbers(4, 2, 1, shot))
        run.run(finals=False)
        values.append(reference.expectation(observable, run.state, QUBITS))
    if moments.shots == 0:  # the program happens to be static: exact
        assert moments.sums[0] == pytest.approx(values[0], abs=1e-9)
        return
    assert (moments.block, moments.shots) == (1, shots)
    assert moments.sums[0] == pytest.approx(math.fsum(values), abs=1e-8)
    assert moments.squares[0] == pytest.approx(math.fsum(v * v for v in values), abs=1e-8)


def teleportation(angles: tuple[float, float, float]) -> circuit.Program:
    return program(
        gate("u", 0, angles=angles),
        gate("h", 1),
        gate("x", 2, controls=(1,)),
        gate("x", 1, controls=(0,)),
        gate("h", 0),
        circuit.Measure(0, BITS, 0),
        circuit.Measure(1, BITS, 1),
        circuit.If(circuit.BitOf(BITS, number(1)), (gate("x", 2),)),
        circuit.If(circuit.BitOf(BITS, number(0)), (gate("z", 2),)),
    )


@pytest.mark.parametrize("letter", "XYZ")
def test_teleportation_carries_the_state_in_every_shot(letter: str) -> None:
    angles = (0.7, 1.9, -0.3)
    state = reference.apply(gate("u", 0, angles=angles), angles, np.array([1, 0], complex))
    truth = reference.expectation(
        workload.Observable("o", (workload.PauliTerm(1.0, ((letter, 0),)),)), state, 1
    )
    for moments in expect(teleportation(angles), "II" + letter, 3000):
        assert moments.sums[0] / moments.shots == pytest.approx(truth, abs=1e-12)
        assert moments.squares[0] / moments.shots == pytest.approx(truth**2, abs=1e-12)


def test_repeat_until_success_counts_its_tries() -> None:
    """Each try succeeds with probability 1/2: the tries follow the geometric distribution."""
    tries = circuit.Slot("tries", TYPE("uint", 16), 0)
    shown = circuit.Slot("shown", TYPE("bit", 16), 0, output=True)
    done = circuit.Slot("done", TYPE("bit", 1), 0)
    body = (
        circuit.While(
            circuit.Unary("!", circuit.Variable(2)),
            (
                circuit.Reset(0),
                gate("h", 0),
                circuit.Measure(0, 2, 0),
                circuit.Assign(0, circuit.Binary("+", circuit.Variable(0), number(1))),
            ),
        ),
        circuit.Assign(1, circuit.Variable(0)),
    )
    counts = sample(
        program(*body, qubits=1, slots=(tries, shown, done)), 3, workload.SampleItem(0, (), 0, 20_000)
    )
    for tried in range(1, 7):
        share = 20_000 / 2**tried
        assert abs(counts[tried] - share) < 5 * math.sqrt(share)
    assert counts[0] == 0


def test_a_deep_walk_parts_every_shot_and_stays_itself_under_any_split() -> None:
    """Eight measurements and resets of an entangled pair: nearly every history is its own."""
    body: list[circuit.Statement] = []
    for turn in range(8):
        body += [gate("ry", 0, angles=(0.9 + turn,)), gate("x", 1, controls=(0,)), gate("h", 0)]
        body += [circuit.Measure(0, BITS, turn % 4), circuit.Reset(1), gate("sx", 2)]
    asked = program(*body, circuit.Measure(2, 3, 0))
    whole = sample(asked, 11, workload.SampleItem(5, (), 0, 2500))
    parts: Counter[int] = Counter()
    for first, shots in ((0, 1024), (1, 1024), (2, 452)):
        parts += sample(asked, 11, workload.SampleItem(5, (), first, shots))
    assert parts == whole
    tight = memory.needed(QUBITS)
    assert memory.group(QUBITS, tight) < memory.group(QUBITS, BUDGET)
    assert sample(asked, 11, workload.SampleItem(5, (), 0, 2500), budget=tight) == whole


def test_expectations_do_not_depend_on_memory_or_split() -> None:
    asked = program(gate("h", 0), circuit.Measure(0, BITS, 0), gate("ry", 0, angles=(0.4,)), circuit.Reset(1))
    whole = expect(asked, "XII", 2100)
    assert [moments.shots for moments in whole] == [1024, 1024, 52]
    assert expect(asked, "XII", 2100, budget=memory.needed(QUBITS)) == whole
    assert expect(asked, "XII", 1024) == whole[:1]


def test_a_loop_with_a_step_of_zero_fails_with_its_reason() -> None:
    loop = circuit.For(COUNT, number(0), number(0), number(3), (circuit.Measure(0, BITS, 0),))
    with pytest.raises(ProgramFailed, match="step 0"):
        sample(program(loop), 1, workload.SampleItem(0, (), 0, 1))


def test_an_infinite_angle_fails_with_its_reason() -> None:
    angle = circuit.Binary("/", number(1.0), circuit.Variable(ANGLE))
    with pytest.raises(ProgramFailed, match="gate rz has the argument inf"):
        sample(program(circuit.Gate("rz", (0,), (angle,))), 1, workload.SampleItem(0, (), 0, 1))


def test_an_expectation_of_a_dynamic_program_needs_shots() -> None:
    with pytest.raises(WorkInvalid, match="has 0 shots"):
        expect(teleportation((0.1, 0.2, 0.3)), "ZII", 0)

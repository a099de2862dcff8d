"""Static programs: the state, its phases, its distribution, and how blocks may be split."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import engine_reference as reference

from qfleet_agent.engines import execution, fusion
from qfleet_agent.engines.errors import MemoryShort, ProgramFailed, WorkInvalid
from qfleet_wire import circuit, workload

BUDGET = 1 << 30
BIT = circuit.ClassicalType
NAMES = (
    "id",
    "x",
    "y",
    "z",
    "h",
    "s",
    "sdg",
    "t",
    "tdg",
    "sx",
    "sxdg",
    "p",
    "rx",
    "ry",
    "rz",
    "u",
    "swap",
    "gphase",
)
ANGLE = st.floats(-7, 7, allow_nan=False).map(lambda angle: round(angle, 6))


@st.composite
def gates(draw: st.DrawFn, qubits: int, parameters: int = 0) -> circuit.Gate:
    names = [name for name in NAMES if circuit.GATE_QUBITS.get(name, 1) <= qubits]
    name = draw(st.sampled_from(names))
    order = draw(st.permutations(range(qubits)))
    targets = circuit.GATE_QUBITS.get(name, 1)
    controls = draw(st.integers(0, min(3, qubits - targets)))
    angles: tuple[circuit.Expression, ...] = tuple(
        circuit.Parameter(draw(st.integers(0, parameters - 1)))
        if parameters and draw(st.booleans())
        else circuit.Constant(draw(ANGLE))
        for _ in range(circuit.GATE_ARGUMENTS.get(name, 0))
    )
    return circuit.Gate(
        name,  # type: ignore[arg-type] # one of the literals
        tuple(order[:targets]),
        angles,
        tuple(circuit.Control(q, draw(st.integers(0, 1))) for q in order[targets : targets + controls]),
    )


@st.composite
def programs(draw: st.DrawFn, *, parameters: int = 0, widest: int = 8) -> circuit.Program:
    qubits = draw(st.sampled_from(sorted({1, 2, 3, widest})))
    body: list[circuit.Statement] = draw(st.lists(gates(qubits, parameters), max_size=14))
    measured = draw(st.permutations(range(qubits)))[: draw(st.integers(1, qubits))]
    body += [circuit.Measure(qubit, 1, bit) for bit, qubit in enumerate(measured)]
    slots = (
        circuit.Slot("a", BIT("bit", 2), 2, output=True),
        circuit.Slot("c", BIT("bit", qubits), 0, output=True),
    )
    return circuit.Program(qubits, slots, tuple(f"p{i}" for i in range(parameters)), tuple(body))


def state_of(program: circuit.Program, parameters: tuple[float, ...] = ()) -> np.ndarray:
    shot = reference.Shot(program, parameters, lambda: 0.0)
    shot.run(finals=False)
    return shot.state


def all_paulis(qubits: int) -> tuple[workload.Observable, ...]:
    """Enough observables to fix a state of few qubits up to its global phase."""
    products = [()]
    for qubit in range(qubits):
        products = [
            (*p, *f) for p in products for f in ((), (("X", qubit),), (("Y", qubit),), (("Z", qubit),))
        ]
    return tuple(workload.Observable(str(p), (workload.PauliTerm(1.0, p),)) for p in products)


def run_expect(work: workload.CircuitExpect) -> list[tuple[float, ...]]:
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.ExpectResult)
    return [item.moments[0].sums for item in result.items]


def run_sample(work: workload.CircuitSample, budget: int = BUDGET) -> list[Counter[int]]:
    result = execution.execute(work, budget=budget, report=lambda _: None)
    assert isinstance(result, workload.SampleResult)
    return [decoded(item) for item in result.items]


def decoded(item: workload.SampleCounts) -> Counter[int]:
    size = (item.bits + 7) // 8
    outcomes = [
        int.from_bytes(item.outcomes[at : at + size], "little") for at in range(0, len(item.outcomes), size)
    ]
    assert outcomes == sorted(set(outcomes))
    assert sum(item.counts) == item.shots
    return Counter(dict(zip(outcomes, item.counts, strict=True)))


@settings(max_examples=60, deadline=None)
@given(programs(widest=4))
def test_every_pauli_product_has_the_reference_value(program: circuit.Program) -> None:
    observables = all_paulis(program.qubits)
    (values,) = run_expect(workload.CircuitExpect(program, 1, observables, (workload.ExpectItem(0, ()),)))
    state = state_of(program)
    expected = [reference.expectation(observable, state, program.qubits) for observable in observables]
    assert values == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_fused_wide_programs_with_parameters_agree_at_every_point(data: st.DataObject) -> None:
    program = data.draw(programs(parameters=2, widest=fusion.FROM_QUBITS))
    points = data.draw(st.lists(st.tuples(ANGLE, ANGLE), min_size=1, max_size=3))
    letters = st.tuples(st.sampled_from("XYZ"), st.integers(0, program.qubits - 1))
    product = data.draw(st.lists(letters, min_size=1, max_size=4, unique_by=lambda factor: factor[1]))
    observable = workload.Observable(
        "o",
        (
            workload.PauliTerm(0.5, tuple(product)),
            workload.PauliTerm(-2.0, (("Z", 0),)),
            workload.PauliTerm(3.0, ()),
        ),
    )
    items = tuple(workload.ExpectItem(index, point) for index, point in enumerate(points))
    found = run_expect(workload.CircuitExpect(program, 1, (observable,), items))
    expected = [
        (reference.expectation(observable, state_of(program, point), program.qubits),) for point in points
    ]
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(programs(), st.integers(0, 2**40), st.integers(1, 60))
def test_counts_are_those_that_the_specification_names(
    program: circuit.Program, seed: int, shots: int
) -> None:
    (counts,) = run_sample(workload.CircuitSample(program, seed, (workload.SampleItem(3, (), 5, shots),)))
    state = state_of(program)
    weights = np.cumsum(np.abs(state) ** 2)
    expected: Counter[int] = Counter()
    near = 0
    for shot in range(shots):
        number = reference.numbers(seed, 3, 5, shot)() * weights[-1]
        near += bool(np.min(np.abs(weights - number)) < 1e-9)
        basis = int(np.argmax(weights > number))
        bits = sum(
            (basis >> statement.qubit & 1) << statement.bit
            for statement in program.body
            if isinstance(statement, circuit.Measure)
        )
        expected[2 | bits << 2] += 1
    assert (counts - expected).total() <= near


@settings(max_examples=25, deadline=None)
@given(programs(), st.integers(1, 5000), st.data())
def test_any_split_by_blocks_gives_the_same_counts(
    program: circuit.Program, shots: int, data: st.DataObject
) -> None:
    (whole,) = run_sample(workload.CircuitSample(program, 9, (workload.SampleItem(0, (), 0, shots),)))
    blocks = -(-shots // workload.SHOTS_PER_BLOCK)
    cuts = sorted({0, blocks, *data.draw(st.lists(st.integers(0, blocks), max_size=3))})
    parts: Counter[int] = Counter()
    for first, last in itertools.pairwise(cuts):
        share = min(shots, last * workload.SHOTS_PER_BLOCK) - first * workload.SHOTS_PER_BLOCK
        item = workload.SampleItem(0, (), first, share)
        parts += run_sample(workload.CircuitSample(program, 9, (item,)))[0]
    assert parts == whole


def ghz(qubits: int) -> circuit.Program:
    body: list[circuit.Statement] = [circuit.Gate("h", (0,))]
    body += [circuit.Gate("x", (q,), controls=(circuit.Control(q - 1),)) for q in range(1, qubits)]
    body += [circuit.Measure(q, 0, q) for q in range(qubits)]
    return circuit.Program(qubits, (circuit.Slot("c", BIT("bit", qubits), output=True),), (), tuple(body))


def layered(qubits: int, depth: int) -> circuit.Program:
    rng = np.random.default_rng(5)
    body: list[circuit.Statement] = []
    for _ in range(depth):
        angles = rng.uniform(0, 6, (qubits, 3)).tolist()
        body += [circuit.Gate("u", (q,), tuple(map(circuit.Constant, angles[q]))) for q in range(qubits)]
        order = rng.permutation(qubits).tolist()
        body += [
            circuit.Gate("x", (b,), controls=(circuit.Control(a),))
            for a, b in zip(order[::2], order[1::2], strict=False)
        ]
    body += [circuit.Measure(q, 0, q) for q in range(qubits)]
    return circuit.Program(qubits, (circuit.Slot("c", BIT("bit", qubits), output=True),), (), tuple(body))


def test_ghz_has_two_outcomes_and_their_halves() -> None:
    (counts,) = run_sample(workload.CircuitSample(ghz(14), 3, (workload.SampleItem(0, (), 0, 100_000),)))
    assert set(counts) == {0, 2**14 - 1}
    assert abs(counts[0] - 50_000) < 5 * 158


def test_counts_follow_the_distribution_over_many_rows() -> None:
    """13 qubits: four rows of the two-level search; Pearson's statistic of 2^13 bins within 6 sigma."""
    program = layered(13, 3)
    (counts,) = run_sample(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 400_000),)))
    weights = np.abs(state_of(program)) ** 2
    found = np.array([counts[index] for index in range(2**13)])
    used = weights * 400_000 > 5
    statistic = float(np.sum((found - weights * 400_000)[used] ** 2 / (weights * 400_000)[used]))
    assert abs(statistic - used.sum()) < 6 * np.sqrt(2 * used.sum())


def test_two_runs_are_equal_bit_by_bit() -> None:
    work = workload.CircuitSample(layered(12, 4), 7, (workload.SampleItem(0, (), 0, 3000),))
    assert run_sample(work) == run_sample(work)
    observables = tuple(
        workload.Observable("o", (workload.PauliTerm(1.0, ((letter, 3), (letter, 11))),)) for letter in "XYZ"
    )
    exact = workload.CircuitExpect(layered(12, 4), 7, observables, (workload.ExpectItem(0, ()),))
    assert run_expect(exact) == run_expect(exact)


def test_registers_wider_than_a_machine_word_keep_their_order() -> None:
    slots = (
        circuit.Slot("low", BIT("bit", 70), 1 << 69, output=True),
        circuit.Slot("high", BIT("bit", 3), 0, output=True),
    )
    body = (
        circuit.Gate("x", (1,)),
        circuit.Measure(1, 0, 65),
        circuit.Measure(1, 1, 2),
        circuit.Measure(0, 0, 69),
    )
    program = circuit.Program(2, slots, (), body)
    (counts,) = run_sample(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 5),)))
    assert counts == {1 << 65 | 1 << 72: 5}


def test_a_program_without_measurements_returns_its_registers() -> None:
    program = circuit.Program(
        1, (circuit.Slot("c", BIT("bit", 2), 1, output=True),), (), (circuit.Gate("h", (0,)),)
    )
    (counts,) = run_sample(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 2000),)))
    assert counts == {1: 2000}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("power", [0.5, -0.25, 1 / 3])
def test_fractional_powers_are_principal(name: str, power: float) -> None:
    """A controlled power shows its phase; eigenvalues of fixed gates stand on the branch cut, at π."""
    targets = circuit.GATE_QUBITS.get(name, 1)
    angles = tuple(map(circuit.Constant, (0.7, 1.1, -0.4)[: circuit.GATE_ARGUMENTS.get(name, 0)]))
    gate = circuit.Gate(name, tuple(range(targets)), angles, (circuit.Control(2),), power)  # type: ignore[arg-type] # one of the literals
    first = tuple(
        circuit.Gate("u", (q,), tuple(map(circuit.Constant, (0.3 + q, 0.2, 0.9)))) for q in range(3)
    )
    program = circuit.Program(3, (), (), (*first, gate))
    (values,) = run_expect(workload.CircuitExpect(program, 1, all_paulis(3), (workload.ExpectItem(0, ()),)))
    matrix = reference.matrix(name, (0.7, 1.1, -0.4)[: len(angles)]).astype(complex)
    phases, vectors = np.linalg.eig(matrix)
    phases = np.exp(1j * power * np.where(np.angle(phases) < -np.pi + 1e-9, np.pi, np.angle(phases)))
    root = vectors @ np.diag(phases) @ np.linalg.inv(vectors)
    state = state_of(circuit.Program(3, (), (), first))
    upper = state[4:].reshape(-1, len(root)) @ root.T
    state = np.concatenate([state[:4], upper.ravel()])
    expected = [reference.expectation(observable, state, 3) for observable in all_paulis(3)]
    assert values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "statement",
    [
        circuit.Gate("x", (2,)),
        circuit.Gate("x", (-1,)),
        circuit.Gate("x", (0,), controls=(circuit.Control(0),)),
        circuit.Gate("x", (0,), controls=(circuit.Control(1, 2),)),
        circuit.Gate("swap", (1,)),
        circuit.Gate("rx", (1,)),
        circuit.Gate("rx", (1,), (circuit.Parameter(0),)),
        circuit.Gate("rx", (1,), (circuit.Constant(float("nan")),)),
        circuit.Measure(5, 0, 0),
        circuit.Measure(0, 0, 1),
        circuit.Measure(0, 1, 0),
        circuit.Reset(9),
        circuit.Assign(4, circuit.Constant(1)),
        circuit.Break(),
    ],
)
def test_a_program_without_meaning_is_refused_before_native_code(statement: circuit.Statement) -> None:
    program = circuit.Program(2, (circuit.Slot("c", BIT("bit", 1), output=True),), (), (statement,))
    with pytest.raises((WorkInvalid, ProgramFailed), match=r"\w+ \w+"):
        run_sample(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 1),)))


@pytest.mark.parametrize("paulis", [(("W", 0),), (("Z", 2),), (("Z", 0), ("X", 0))])
def test_an_observable_without_meaning_is_refused(paulis: tuple[tuple[str, int], ...]) -> None:
    observable = workload.Observable("o", (workload.PauliTerm(1.0, paulis),))
    with pytest.raises(WorkInvalid, match="observable 'o'"):
        run_expect(workload.CircuitExpect(ghz(2), 1, (observable,), (workload.ExpectItem(0, ()),)))


def test_a_program_that_does_not_fit_is_refused_with_the_numbers() -> None:
    work = workload.CircuitSample(ghz(30), 1, (workload.SampleItem(0, (), 0, 1),))
    with pytest.raises(MemoryShort, match="30 qubits need 16472 MiB and the task may use 1024 MiB"):
        run_sample(work)


def test_missing_parameters_are_refused() -> None:
    program = circuit.Program(1, (), ("a", "b"), ())
    with pytest.raises(WorkInvalid, match="gives 1 parameters; the program names 2"):
        run_sample(workload.CircuitSample(program, 1, (workload.SampleItem(0, (0.5,), 0, 1),)))


def test_echo_needs_no_engine() -> None:
    result = execution.execute(workload.ProbeEcho(b"hello"), budget=0, report=lambda _: None)
    assert result == workload.EchoResult(b"hello")

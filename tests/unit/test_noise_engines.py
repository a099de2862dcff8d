"""Noisy programs on both engines, against the textbook's definitions and closed forms."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped] # ships no types
from tests.unit import engine_reference as reference
from tests.unit import noise_reference as textbook

from qfleet_agent.engines import execution
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_wire import circuit, workload
from qfleet_wire.circuit import Constant, Control, Gate, Measure, Program
from qfleet_wire.workload.noise import AfterGate, Misread, NoiseModel, OnQubit

pytest.importorskip("qulacs", reason="the agent's [circuits] extra is not installed")
pytest.importorskip("qutip", reason="the agent's [dynamics] extra is not installed")

BUDGET = 1 << 30
RARE = 1e-9
"""A true hypothesis is rejected this seldom."""

MODEL = NoiseModel(
    (
        AfterGate("cx", "depolarising", 0.08),
        AfterGate("cx", "amplitude_damping", 0.3, (1, 2)),
        AfterGate("u", "amplitude_damping", 0.15),
        AfterGate("u", "phase_damping", 0.2),
        AfterGate("ccx", "depolarising", 0.2),
        AfterGate("cswap", "phase_damping", 0.25),
        AfterGate("id", "depolarising", 0.5),
    ),
    (OnQubit(2, "phase_damping", 0.1), OnQubit(0, "depolarising", 0.05)),
    (Misread(0, 0.02, 0.1), Misread(2, 0.07, 0.01)),
)
NO_NOISE = NoiseModel()


def program(gates: list[circuit.Statement], qubits: int = 3) -> Program:
    bits = circuit.ClassicalType("bit", qubits)
    finals = [Measure(qubit, 0, qubit) for qubit in range(qubits)]
    return Program(qubits, (circuit.Slot("c", bits, output=True),), (), (*gates, *finals))


def u(qubit: int, *angles: float) -> Gate:
    return Gate("u", (qubit,), tuple(map(Constant, angles)))


def controlled(name: circuit.GateName, *qubits: int, targets: int = 1) -> Gate:
    return Gate(name, qubits[-targets:], controls=tuple(map(Control, qubits[:-targets])))


GATES: list[circuit.Statement] = [
    *(u(qubit, 0.7 + qubit, 0.3, -1.1) for qubit in range(3)),
    controlled("x", 0, 1),
    u(1, 0.4, -0.2, 0.9),
    controlled("x", 1, 2),
    Gate("rz", (2,), (Constant(0.6),), (Control(0, 0),)),
    controlled("x", 0, 1, 2),
    Gate("id", (1,)),
    controlled("swap", 2, 0, 1, targets=2),
    controlled("x", 2, 0),
    Gate("h", (0,)),
    Gate("swap", (1, 2), power=0.5),
]
WHOLE = program(GATES)
LETTERS = ["".join(letters) for letters in itertools.product("IXYZ", repeat=3)][1:]
OBSERVABLES = tuple(
    workload.Observable(
        text, (workload.PauliTerm(0.5, tuple((x, 2 - q) for q, x in enumerate(text) if x != "I")),)
    )
    for text in LETTERS
)


def sampled(
    what: Program, model: NoiseModel, method: workload.Method, shots: int, *, first: int = 0, seed: int = 11
) -> dict[int, int]:
    item = workload.SampleItem(0, (), first, shots)
    work = workload.CircuitSample(what, seed, (item,), method, model)
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.SampleResult)
    (counts,) = result.items
    size = -(-counts.bits // 8)
    words = [counts.outcomes[at : at + size] for at in range(0, len(counts.outcomes), size)]
    return {int.from_bytes(word, "little"): n for word, n in zip(words, counts.counts, strict=True)}


def evaluated(
    what: Program, model: NoiseModel, method: workload.Method, shots: int = 0
) -> tuple[workload.Moments, ...]:
    work = workload.CircuitExpect(
        what, 5, OBSERVABLES, (workload.ExpectItem(0, (), 0, shots),), method, model
    )
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.ExpectResult)
    return result.items[0].moments


def fits(counts: dict[int, int], probabilities: Any) -> bool:
    """Pearson's chi-square over the outcomes that are expected at least five times, the others together."""
    shots = sum(counts.values())
    expected = probabilities * shots
    observed = np.array([counts.get(outcome, 0) for outcome in range(len(expected))])
    often = expected >= 5
    seen = [*observed[often], *([observed[~often].sum()] if expected[~often].sum() >= 5 else [])]
    hoped = [*expected[often], *([expected[~often].sum()] if expected[~often].sum() >= 5 else [])]
    statistic = sum((a - b) ** 2 / b for a, b in zip(seen, hoped, strict=True))
    return bool(stats.chi2.sf(statistic, len(hoped) - 1) > RARE)


def test_the_density_matrix_is_that_of_the_definitions() -> None:
    matrix = textbook.density(WHOLE, MODEL)
    (moments,) = evaluated(WHOLE, MODEL, "density")
    expected = [textbook.expectation(each, matrix, 3) for each in OBSERVABLES]
    assert moments.shots == 0
    assert moments.sums == pytest.approx(expected, abs=1e-12)


def test_without_any_rule_it_is_the_pure_state() -> None:
    (moments,) = evaluated(WHOLE, NO_NOISE, "density")
    state = np.zeros(8, complex)
    state[0] = 1
    for gate in GATES:
        assert isinstance(gate, Gate)
        state = reference.apply(gate, [a.value for a in gate.arguments if isinstance(a, Constant)], state)
    expected = [reference.expectation(each, state, 3) for each in OBSERVABLES]
    assert moments.sums == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_counts_follow_the_readings_of_the_definitions(method: workload.Method) -> None:
    expected = textbook.readings(WHOLE, MODEL)
    counts = sampled(WHOLE, MODEL, method, 6000)
    assert sum(counts.values()) == 6000
    assert fits(counts, expected)
    assert not fits(counts, textbook.readings(WHOLE, NO_NOISE))


def test_trajectories_average_to_the_density_matrix() -> None:
    shots = 3 * 1024
    (exact,) = evaluated(WHOLE, MODEL, "density")
    moments = evaluated(WHOLE, MODEL, "trajectories", shots)
    for place, value in enumerate(exact.sums):
        mean = sum(each.sums[place] for each in moments) / shots
        variance = sum(each.squares[place] for each in moments) / shots - mean**2
        bound = stats.norm.isf(RARE / len(OBSERVABLES) / 2) * math.sqrt(variance / shots)
        assert abs(mean - value) <= bound + 1e-12, LETTERS[place]


def bell(probability: float) -> tuple[Program, NoiseModel]:
    gates: list[circuit.Statement] = [Gate("h", (0,)), controlled("x", 0, 1)]
    return program(gates, 2), NoiseModel((AfterGate("cx", "depolarising", probability),))


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_a_depolarised_bell_pair_is_a_werner_state(probability: float) -> None:
    """ρ = (1 - p)|Φ+><Φ+| + p 1/4: <XX> = <ZZ> = -<YY> = 1 - p."""
    what, model = bell(probability)
    letters = tuple(workload.Observable(x + x, (workload.PauliTerm(1.0, ((x, 0), (x, 1))),)) for x in "XYZ")
    work = workload.CircuitExpect(what, 5, letters, (workload.ExpectItem(0, ()),), "density", model)
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.ExpectResult)
    kept = 1 - probability
    assert result.items[0].moments[0].sums == pytest.approx((kept, -kept, kept), abs=1e-14)


@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_damping_decays_as_it_should(method: workload.Method) -> None:
    """After k idle steps: P(1) = (1 - γ)^k and <X> = (1 - λ)^(k/2)."""
    steps, gamma = 7, 0.12
    model = NoiseModel((AfterGate("id", "amplitude_damping", gamma),))
    excited = program([Gate("x", (0,)), *[Gate("id", (0,))] * steps], 1)
    remaining = (1 - gamma) ** steps
    assert fits(sampled(excited, model, method, 4000), np.array([1 - remaining, remaining]))
    model = NoiseModel((AfterGate("id", "phase_damping", gamma),))
    turned = program([Gate("h", (0,)), *[Gate("id", (0,))] * steps, Gate("h", (0,))], 1)
    coherence = (1 - gamma) ** (steps / 2)
    assert fits(sampled(turned, model, method, 4000), np.array([1 + coherence, 1 - coherence]) / 2)


def shots_of(what: Program, model: NoiseModel, shots: int, seed: int) -> Iterator[int]:
    for shot in range(shots):
        run = textbook.Shot(what, model, (), reference.numbers(seed, 0, 0, shot))
        run.run(finals=True)
        yield run.outcome()


STEERED = Program(
    3,
    (circuit.Slot("c", circuit.ClassicalType("bit", 3), output=True),),
    (),
    (
        *GATES[:4],
        Measure(0, 0, 2),
        circuit.If(circuit.BitOf(0, Constant(2)), (u(1, 0.3, 0.1, 0.2),), (controlled("x", 1, 2),)),
        circuit.Reset(0),
        u(0, 1.0, 0.0, 0.4),
        Measure(0, 0, 0),
        Measure(1, 0, 1),
    ),
)


@pytest.mark.parametrize("what", [WHOLE, STEERED], ids=["static", "steered by outcomes"])
def test_each_shot_is_the_one_that_its_numbers_specify(what: Program) -> None:
    expected = Counter(shots_of(what, MODEL, 50, 11))
    assert sampled(what, MODEL, "trajectories", 50) == expected


@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_counts_do_not_depend_on_the_split(method: workload.Method) -> None:
    whole = Counter(sampled(WHOLE, MODEL, method, 1500))
    parts = Counter(sampled(WHOLE, MODEL, method, 1024))
    parts += Counter(sampled(WHOLE, MODEL, method, 476, first=1))
    assert parts == whole


def test_an_outcome_that_is_read_wrong_steers_a_program_wrong() -> None:
    """|1> is read as 0 with probability 0.3; the flip then is left out, and the qubit stays 1."""
    steps = (Gate("x", (0,)), Measure(0, 0, 0), circuit.If(circuit.Variable(0), (Gate("x", (0,)),)))
    slots = tuple(
        circuit.Slot(name, circuit.ClassicalType("bit", 1), output=name == "d") for name in ("c", "d")
    )
    what = Program(2, slots, (), (*steps, controlled("x", 0, 1), Measure(1, 1, 0)))
    counts = sampled(what, NoiseModel(readout=(Misread(0, 0.0, 0.3),)), "trajectories", 5000)
    assert fits(counts, np.array([0.7, 0.3]))


def test_a_qubit_that_is_measured_twice_is_read_twice() -> None:
    what = Program(
        1,
        (circuit.Slot("c", circuit.ClassicalType("bit", 2), output=True),),
        (),
        (Measure(0, 0, 0), Measure(0, 0, 1)),
    )
    model = NoiseModel(readout=(Misread(0, 0.3, 0.0),))
    for method in ("density", "trajectories"):
        assert fits(sampled(what, model, method, 5000), np.array([0.49, 0.21, 0.21, 0.09]))


def test_certain_channels_and_tiny_ones_are_no_accident() -> None:
    model = NoiseModel((AfterGate("x", "amplitude_damping", 1.0), AfterGate("h", "depolarising", 1e-300)))
    what = program([Gate("h", (0,)), Gate("h", (0,)), Gate("x", (0,))], 1)
    for method in ("density", "trajectories"):
        assert sampled(what, model, method, 2000) == {0: 2000}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "needs a noise model"),
        (NoiseModel((AfterGate("x", "depolarising", 1.5),)), "1.5 for depolarising"),
        (NoiseModel((), (OnQubit(0, "phase_damping", math.nan),)), "nan for phase_damping"),
        (NoiseModel(readout=(Misread(0, 0.1, -0.1),)), "-0.1 for readout"),
        (NoiseModel((), (OnQubit(3, "phase_damping", 0.1),)), "qubit 3; the program has 3"),
        (NoiseModel((AfterGate("x", "depolarising", 0.5, (7,)),)), "qubit 7"),
    ],
)
@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_a_model_without_meaning_is_refused(
    method: workload.Method, model: NoiseModel | None, message: str
) -> None:
    work = workload.CircuitSample(WHOLE, 1, (workload.SampleItem(0, (), 0, 1),), method, model)
    with pytest.raises(WorkInvalid, match=message):
        execution.execute(work, budget=BUDGET, report=lambda _: None)


def test_a_method_that_knows_no_noise_is_refused_and_not_run_without() -> None:
    with pytest.raises(WorkInvalid, match="'' is for programs without noise"):
        sampled(WHOLE, MODEL, "", 10)
    with pytest.raises(WorkInvalid, match="'stabilizer' is for"):
        sampled(WHOLE, MODEL, "stabilizer", 10)


def test_what_does_not_fit_or_cannot_be_drawn_is_refused() -> None:
    wide = workload.CircuitSample(program([], 11), 1, (), "density", NO_NOISE)
    with pytest.raises(MemoryShort, match="11 qubits needs 440 MiB and the task may use 256 MiB"):
        execution.execute(wide, budget=256 << 20, report=lambda _: None)
    with pytest.raises(WorkInvalid, match="steer"):
        sampled(STEERED, MODEL, "density", 10)
    slots = (circuit.Slot("c", circuit.ClassicalType("bit", 63), output=True),)
    many = Program(1, slots, (), tuple(Measure(0, 0, bit) for bit in range(63)))
    with pytest.raises(WorkInvalid, match="63 measurements"):
        sampled(many, NO_NOISE, "trajectories", 10)

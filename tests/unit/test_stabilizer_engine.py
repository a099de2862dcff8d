"""The stabilizer engine against the state-vector engine, another simulator of ours and known states."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped] # ships no types

from qfleet_agent.engines import execution, outcomes
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_controlplane.compile.program import compile_program
from qfleet_controlplane.planning import merge
from qfleet_wire import circuit, workload
from qfleet_wire.circuit import Constant, Control, Gate

BUDGET = 1 << 29
P = 1e-9
HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
ONE = ("x", "y", "z", "h", "s", "sdg", "sx", "sxdg")
TURNED = ("p", "rx", "ry", "rz")


@st.composite
def gates(draw: st.DrawFn, qubits: int) -> Gate:
    one, other = draw(st.permutations(range(qubits)))[:2]
    quarter = Constant(draw(st.integers(-3, 4)) * math.pi / 2)
    return draw(
        st.one_of(
            st.sampled_from(ONE).map(lambda name: Gate(name, (one,))),  # type: ignore[arg-type] # a gate
            st.sampled_from(TURNED).map(lambda name: Gate(name, (one,), (quarter,))),  # type: ignore[arg-type] # a gate
            st.sampled_from(("x", "y", "z")).map(
                lambda name: Gate(name, (one,), (), (Control(other, draw(st.integers(0, 1))),))  # type: ignore[arg-type] # a gate
            ),
            st.just(Gate("swap", (one, other))),
            st.just(Gate("u", (one,), (quarter, Constant(-math.pi / 2), quarter))),
        )
    )


@st.composite
def programs(draw: st.DrawFn, *, dynamic: bool) -> circuit.Program:
    """A Clifford program; a dynamic one measures, resets and flips by outcomes on its way."""
    qubits = draw(st.integers(2, 5))
    body: list[circuit.Statement] = []
    written: list[int] = []
    for _ in range(draw(st.integers(1, 14))):
        kind = draw(st.integers(0, 5)) if dynamic else 0
        qubit = draw(st.integers(0, qubits - 1))
        if kind <= 2:
            body.append(draw(gates(qubits)))
        elif kind == 3:
            bit = draw(st.integers(0, 2))
            body.append(circuit.Measure(qubit, 0, bit))
            written.append(bit)
        elif kind == 4:
            body.append(circuit.Reset(qubit))
        elif written:
            condition: circuit.Expression = circuit.BitOf(0, Constant(draw(st.sampled_from(written))))
            if draw(st.booleans()):
                condition = circuit.Unary("!", condition)
            otherwise = (Gate("z", (qubit,)),) if draw(st.booleans()) else ()
            body.append(circuit.If(condition, (Gate("x", (qubit,)),), otherwise))
    body += [circuit.Measure(qubit, 1, qubit) for qubit in range(qubits)]
    bit_type = circuit.ClassicalType
    slots = (
        circuit.Slot("m", bit_type("bit", 3), draw(st.integers(0, 7)), output=True),
        circuit.Slot("c", bit_type("bit", qubits), 0, output=True),
    )
    return circuit.Program(qubits, slots, (), tuple(body))


def sample(program: circuit.Program, method: workload.Method, shots: int, **changes: int) -> dict[int, int]:
    item = workload.SampleItem(0, (), changes.get("first_block", 0), shots)
    work = workload.CircuitSample(program, changes.get("seed", 3), (item,), method)
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.SampleResult)
    return merge.counts([result])[0].counts


def differ(one: dict[int, int], other: dict[int, int]) -> float:
    """Probability that two samples of one distribution differ by so much (chi-square, rare cells pooled)."""
    table = Counter[str]()
    rows = []
    for counts in (one, other):
        table = Counter()
        for outcome, count in counts.items():
            rare = one.get(outcome, 0) + other.get(outcome, 0) < 20
            table["rare" if rare else str(outcome)] += count
        rows.append(table)
    keys = sorted(rows[0] | rows[1])
    if len(keys) < 2:
        return 1.0
    return float(stats.chi2_contingency([[row[key] for key in keys] for row in rows]).pvalue)


@settings(deadline=None, max_examples=40)
@given(st.booleans().flatmap(lambda dynamic: programs(dynamic=dynamic)))
def test_counts_agree_with_the_state_vector(program: circuit.Program) -> None:
    assert differ(sample(program, "stabilizer", 2500), sample(program, "", 2500)) > P


@settings(deadline=None, max_examples=40)
@given(programs(dynamic=False), st.data())
def test_values_are_those_of_the_state_vector(program: circuit.Program, data: st.DataObject) -> None:
    letters = st.dictionaries(st.integers(0, program.qubits - 1), st.sampled_from("XYZ"))
    products = data.draw(st.lists(st.tuples(st.floats(-2, 2), letters), min_size=1, max_size=4))
    terms = tuple(
        workload.PauliTerm(weight, tuple((letter, qubit) for qubit, letter in sorted(product.items())))
        for weight, product in products
    )
    values = []
    for method in ("stabilizer", ""):
        work = workload.CircuitExpect(
            program, 1, (workload.Observable("o", terms),), (workload.ExpectItem(0, ()),), method
        )
        result = execution.execute(work, budget=BUDGET, report=lambda _: None)
        assert isinstance(result, workload.ExpectResult)
        (moments,) = result.items[0].moments
        assert (moments.shots, moments.squares) == (0, ())
        values.append(moments.sums)
    assert values[0] == pytest.approx(values[1], abs=1e-12)


def ghz(qubits: int) -> circuit.Program:
    return compile_program(
        HEAD + f"qubit[{qubits}] q; bit[{qubits}] c; h q[0]; "
        f"for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }} c = measure q;"
    )


def test_a_wide_ghz_state_has_two_outcomes_and_its_stabilizers_are_exact() -> None:
    counts = sample(ghz(500), "stabilizer", 100_000)
    assert counts.keys() == {0, (1 << 500) - 1}
    assert stats.binomtest(counts[0], 100_000).pvalue > P
    texts = {"X": [("X", qubit) for qubit in range(500)], "ZZ": [("Z", 3), ("Z", 499)], "Z": [("Z", 0)]}
    observables = tuple(
        workload.Observable(name, (workload.PauliTerm(1.0, tuple(paulis)),)) for name, paulis in texts.items()
    )
    work = workload.CircuitExpect(ghz(500), 1, observables, (workload.ExpectItem(0, ()),), "stabilizer")
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.ExpectResult)
    assert result.items[0].moments[0].sums == (1.0, 1.0, 0.0)


def test_shots_do_not_depend_on_how_they_were_split_but_on_the_seed() -> None:
    program = compile_program(HEAD + "qubit[70] q; bit[70] c; h q; c = measure q;")
    whole = sample(program, "stabilizer", 2500)
    parts = Counter(sample(program, "stabilizer", 1024))
    parts.update(sample(program, "stabilizer", 1476, first_block=1))
    assert dict(parts) == whole
    assert sample(program, "stabilizer", 2500, seed=4) != whole


def test_points_bind_angles() -> None:
    program = compile_program(HEAD + "input float a; qubit q; bit c; rx(a) q; c = measure q;", swept=["a"])
    items = tuple(workload.SampleItem(index, (index * math.pi,), 0, 100) for index in range(3))
    work = workload.CircuitSample(program, 1, items, "stabilizer")
    result = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert isinstance(result, workload.SampleResult)
    assert [item.outcomes for item in result.items] == [b"\0", b"\1", b"\0"]


@pytest.mark.parametrize(
    ("body", "budget", "error", "says"),
    [
        ("t q[0]; c = measure q;", BUDGET, WorkInvalid, "t is not Clifford"),
        ("h q; c = measure q;", 1 << 20, MemoryShort, "a tableau of 40 qubits needs"),
        ("h q; c = measure q;", 26 << 20, MemoryShort, "distinct outcomes of 5 bytes do not fit"),
    ],
)
def test_what_it_cannot_do_it_says(body: str, budget: int, error: type[Exception], says: str) -> None:
    program = compile_program(HEAD + "qubit[40] q; bit[40] c; " + body)
    work = workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 300_000),), "stabilizer")
    with pytest.raises(error, match=says):
        execution.execute(work, budget=budget, report=lambda _: None)


def test_values_after_a_measurement_in_mid_course_are_refused() -> None:
    program = compile_program(HEAD + "qubit q; bit c; h q; c = measure q; h q;")
    work = workload.CircuitExpect(program, 1, (), (workload.ExpectItem(0, ()),), "stabilizer")
    with pytest.raises(WorkInvalid, match="measure at their end only"):
        execution.execute(work, budget=BUDGET, report=lambda _: None)


@settings(deadline=None)
@given(
    st.integers(1, 20).flatmap(
        lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), max_size=60))
    ),
    st.integers(1, 5),
)
def test_outcomes_are_counted_in_the_form_of_the_wire(given_: tuple[int, list[int]], parts: int) -> None:
    bits, drawn = given_
    slots = (circuit.Slot("c", circuit.ClassicalType("bit", bits), 0, output=True),)
    records = {(0, bit): bits - 1 - bit for bit in range(bits)}  # measured in reverse order
    layout = outcomes.Layout(circuit.Program(1, slots, (), ()), records)
    collector = outcomes.Collector(bits, BUDGET)
    for part in range(parts):
        mine = drawn[part::parts]
        packed = [
            np.packbits([number >> (bits - 1 - record) & 1 for record in range(bits)], bitorder="little")
            for number in mine
        ]
        rows = np.array(packed, np.uint8).reshape(len(mine), -(-bits // 8))
        collector.add(layout.outcomes(rows))
    expected = Counter(drawn)
    size = -(-bits // 8)
    assert collector.result() == (
        b"".join(number.to_bytes(size, "little") for number in sorted(expected)),
        tuple(expected[number] for number in sorted(expected)),
    )

"""Minimisations, run as on a device, against published values, brute force and plain linear algebra."""

import math
from typing import Any, Literal

import numpy as np
import pytest
from qiskit.circuit.library import n_local
from qiskit.quantum_info import SparsePauliOp, Statevector
from tests.unit import variational_cases as cases
from tests.unit import workload_runs
from tests.unit.variational_cases import minimised, request

from qfleet_agent.engines import adjoint, alternating, hamiltonians, sweeps, variational
from qfleet_agent.engines.errors import MemoryShort, ProgramFailed, WorkInvalid
from qfleet_controlplane.compile import observables, program
from qfleet_wire import api, circuit, codec, workload

BUDGET = 1 << 30
H2 = (
    "-1.052373245772859 + 0.39793742484318045*ZI - 0.39793742484318045*IZ "
    "- 0.01128010425623538*ZZ + 0.18093119978423156*XX"
)
"""Hydrogen at 0.735 Å in the STO-3G basis, two qubits (Qiskit Nature's tutorial on ground states)."""
VARIED = """OPENQASM 3; include "stdgates.inc";
input float a; input angle b; input float c;
qubit[4] q;
h q; rx(a) q[0]; cx q[0], q[1]; cry(2*a*b) q[1], q[2]; ctrl @ u3(a, sin(b), c**2) q[3], q[0];
u3(b, a/c, c) q[1]; negctrl @ p(b - a) q[2], q[3]; ctrl(2) @ rz(exp(c)) q[0], q[1], q[2];
p(c) q[1]; swap q[0], q[3]; t q[2]; ctrl @ gphase(a*c) q[1]; sdg q[3]; crx(sqrt(c)) q[0], q[2];
crz(arctan(a)) q[0], q[1]; rx(log(c) - cos(b)) q[3]; h q;
"""


LOGARITHM = circuit.Program(
    3, (), ("a",), (circuit.Gate("rx", (0,), (circuit.Unary("log", circuit.Parameter(0)),)),)
)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_qaoa_on_an_even_ring_cuts_the_published_share(layers: int) -> None:
    # Farhi, Goldstone, Gutmann (arXiv:1411.4028) for p = 1; Mbeng, Fazio, Santoro (arXiv:1906.08948) beyond
    nodes = 2 * layers + 2
    view = minimised(request(cases.ring(nodes), api.QaoaAnsatz(layers=layers), starts=2))
    assert view.value == pytest.approx(-nodes * (2 * layers + 1) / (2 * layers + 2), abs=1e-6)
    assert view.lowest is not None
    assert view.lowest.cost == -nodes
    assert view.lowest.bits in {"01" * (nodes // 2), "10" * (nodes // 2)}


def test_qaoa_on_the_petersen_graph_cuts_the_published_weight() -> None:
    edges = tuple(api.Edge(*edge) for edge in cases.PETERSEN)
    view = minimised(request(api.CutCost(edges=edges), api.QaoaAnsatz(), starts=2))
    assert view.value == pytest.approx(-10.38675, abs=5e-6)
    assert view.lowest is not None
    assert view.lowest.cost == -12  # its maximum cut, by trying all of them:
    costs = cases.diagonal(10, lambda x: -sum(x[a] != x[b] for a, b in cases.PETERSEN))
    assert costs.min() == -12


COSTS: dict[str, tuple[Any, Any]] = {
    "cut": (
        api.CutCost(edges=(api.Edge(0, 1, 0.37), api.Edge(1, 2, 1.2), api.Edge(0, 3, -0.5), api.Edge(2, 4))),
        lambda x: -(0.37 * (x[0] != x[1]) + 1.2 * (x[1] != x[2]) - 0.5 * (x[0] != x[3]) + (x[2] != x[4])),
    ),
    "ising": (
        api.IsingCost(linear=(api.Field(0, 0.25),), quadratic=(api.Coupling(4, 1, -0.5),), offset=3.0),
        lambda x: 3 + 0.25 * (1 - 2 * x[0]) - 0.5 * (1 - 2 * x[1]) * (1 - 2 * x[4]),
    ),
    "qubo": (
        api.QuboCost(
            linear=(api.Field(0, -1.0), api.Field(4, 0.3)),
            quadratic=(api.Coupling(0, 1, 2.0), api.Coupling(2, 3, -1.7)),
        ),
        lambda x: -x[0] + 0.3 * x[4] + 2 * x[0] * x[1] - 1.7 * x[2] * x[3],
    ),
    "pauli": (
        api.PauliCost(sum="0.5*Z0 Z1 Z2 - 0.7*Z3 + 2*Z4 Z0"),
        lambda x: 0.5 * (-1) ** (x[0] + x[1] + x[2]) - 0.7 * (-1) ** x[3] + 2 * (-1) ** (x[4] + x[0]),
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_qaoas_value_and_gradient_are_those_of_plain_vectors(name: str) -> None:
    cost, by_bits = COSTS[name]
    asked = request(cost, api.QaoaAnsatz(layers=2))
    base = codec.decode(workload_runs.specified(asked).problem, workload.VariationalMinimise)
    landscape = alternating.Alternating(base.cost, base.qubits, 2)
    costs = cases.diagonal(5, by_bits)
    everywhere = np.arange(32)
    assert landscape.costs(everywhere) == pytest.approx(costs, abs=1e-12)
    for seed in range(3):
        point = np.random.default_rng(seed).uniform(-2, 2, 4)

        def mean(at: Any) -> float:
            return cases.qaoa_mean(costs, at[:2], at[2:])

        value, slopes = landscape.gradient(point)
        assert value == pytest.approx(mean(point), abs=1e-12)
        assert landscape.value(point) == pytest.approx(value, abs=1e-12)
        assert slopes == pytest.approx(_differences(mean, point), abs=1e-7)


@pytest.mark.parametrize("text", ["X0 Y1 + 0.3*Z2 + Z0 Z3 - 0.7*Y2", "Z0 Z1 + 0.3*Z2 - 2"])
def test_a_programs_gradient_is_that_of_its_values(text: str) -> None:
    compiled = program.compile_program(VARIED, swept=("a", "b", "c"))
    cost = observables.parse_observable(text, 4)
    landscape = adjoint.Parametrised(_work(compiled, cost), compiled, BUDGET)
    for point in (np.array([0.3, 1.1, 0.8]), np.array([-2.0, 4.0, 1.9])):
        value, slopes = landscape.gradient(point)
        assert value == pytest.approx(landscape.value(point), abs=1e-12)
        assert slopes == pytest.approx(_differences(landscape.value, point), abs=1e-7)


def test_wide_programs_are_evolved_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = program.compile_program(VARIED, swept=("a", "b", "c"))
    work = _work(compiled, observables.parse_observable("X0 Y1 + 0.3*Z2", 4))
    point = np.array([0.3, 1.1, 0.8])
    value, slopes = adjoint.Parametrised(work, compiled, BUDGET).gradient(point)
    monkeypatch.setattr(sweeps, "_FUSED_FROM", 0)
    fused, same = adjoint.Parametrised(work, compiled, BUDGET).gradient(point)
    assert fused == pytest.approx(value)
    assert same == pytest.approx(slopes)


@pytest.mark.parametrize("gate", ["cx", "cz"])
def test_a_hardware_efficient_ansatz_is_qiskits(gate: Literal["cx", "cz"]) -> None:
    ansatz = api.HardwareEfficientAnsatz(rotations=("ry", "rz"), depth=2, entangler="ring", gate=gate)
    point = np.random.default_rng(5).uniform(-3, 3, 24)
    named = {f"theta_{number}": float(angle) for number, angle in enumerate(point)}
    cost = api.PauliCost(sum="X0 Y1 + 0.3*Z2 + Z0 Z3 - 0.7*Y2")
    view = minimised(request(cost, ansatz, starts=1, evaluations=1, job={"parameters": (named,)}))
    assert view.parameters == named
    # Qiskit orders a layer's angles by rotation, then by qubit.
    order = point.reshape(3, 4, 2).transpose(0, 2, 1).ravel()
    theirs = n_local(4, ["ry", "rz"], gate, entanglement=[(0, 1), (1, 2), (2, 3), (3, 0)], reps=2)
    operator = SparsePauliOp.from_sparse_list(
        [("XY", [0, 1], 1), ("Z", [2], 0.3), ("ZZ", [0, 3], 1), ("Y", [2], -0.7)], 4
    )
    state = Statevector(theirs.assign_parameters(order))
    assert view.value == pytest.approx(float(np.real(state.expectation_value(operator))), abs=1e-10)


@pytest.mark.parametrize("optimiser", ["l-bfgs-b", "cobyla", "nelder-mead"])
def test_hydrogens_ground_state_is_found(optimiser: str) -> None:
    ansatz = api.HardwareEfficientAnsatz()
    view = minimised(request(api.PauliCost(sum=H2), ansatz, optimiser=optimiser, starts=1))
    exact = np.linalg.eigvalsh(
        cases.matrix(
            [
                (-1.052373245772859, "II"),
                (0.39793742484318045, "ZI"),
                (-0.39793742484318045, "IZ"),
                (-0.01128010425623538, "ZZ"),
                (0.18093119978423156, "XX"),
            ]
        )
    )[0]
    assert view.value == pytest.approx(exact, abs=1e-6)
    assert view.samples == ()
    assert exact == pytest.approx(-1.857275, abs=1e-6)  # as published there


def test_an_ising_chain_in_a_transverse_field_comes_to_its_ground_state() -> None:
    size = 4
    text = " ".join([*(f"- Z{q} Z{q + 1}" for q in range(size - 1)), *(f"- X{q}" for q in range(size))])
    ansatz = api.HardwareEfficientAnsatz(depth=4)
    view = minimised(request(api.PauliCost(sum=text), ansatz, starts=3))
    labels = [
        *((-1.0, "I" * (size - 2 - q) + "ZZ" + "I" * q) for q in range(size - 1)),
        *((-1.0, "I" * (size - 1 - q) + "X" + "I" * q) for q in range(size)),
    ]
    assert view.value == pytest.approx(np.linalg.eigvalsh(cases.matrix(labels))[0], abs=1e-6)


def test_a_program_of_ones_own_is_minimised_over_what_is_not_fixed() -> None:
    text = """OPENQASM 3; include "stdgates.inc"; input float theta; input float shift; qubit q;
    ry(theta + shift) q;"""
    asked = request(api.PauliCost(sum="Z0"), fixed={"shift": 0.5}, job={"program": text})
    view = minimised(asked)
    assert view.value == pytest.approx(-1.0, abs=1e-9)
    assert math.remainder(view.parameters["theta"] + 0.5 - math.pi, 2 * math.pi) == pytest.approx(0, abs=1e-4)
    assert view.parameters.keys() == {"theta"}


def test_angles_with_steps_are_minimised_without_gradients() -> None:
    text = """OPENQASM 3; include "stdgates.inc"; input angle[6] theta; qubit q; rx(theta) q;"""
    view = minimised(request(api.PauliCost(sum="Z0"), job={"program": text}))
    assert view.value == pytest.approx(-1.0, abs=0.01)  # 2π/64 is the step


def test_answers_do_not_depend_on_the_split() -> None:
    asked = request(cases.ring(6), api.QaoaAnsatz(layers=2), starts=6)
    whole, parted = minimised(asked), minimised(asked, tasks=6)
    assert [start.start for start in parted.starts] == list(range(6))
    for one, other in zip(whole.starts, parted.starts, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-9)
    assert len({start.trace[0] for start in whole.starts}) == 6, "every start begins elsewhere"


def test_the_sample_at_the_end_is_drawn_from_the_best_state() -> None:
    point = {"gamma_1": 0.4, "beta_1": 0.3}
    asked = request(
        api.CutCost(edges=(api.Edge(0, 1), api.Edge(1, 2, 0.3))),
        api.QaoaAnsatz(),
        starts=1,
        evaluations=1,
        job={"parameters": (point,), "shots": 100_000},
    )
    view = minimised(asked)
    costs = cases.diagonal(3, lambda x: -(1.0 * (x[0] != x[1])) - 0.3 * (x[1] != x[2]))
    assert view.value == pytest.approx(cases.qaoa_mean(costs, [0.4], [0.3]))
    assert sum(sample.count for sample in view.samples) == 100_000
    assert [sample.cost for sample in view.samples] == pytest.approx(sorted(costs))
    mean = sum(sample.count * sample.cost for sample in view.samples) / 100_000
    assert view.value is not None
    spread = 1.3 / math.sqrt(100_000)  # a cost lies in [-1.3, 0]
    assert abs(mean - view.value) < 6.2 * spread


def test_a_history_is_bounded_and_ends_with_the_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "TRACE", 16)
    text = " + ".join(f"X{q} X{q + 1} + Y{q} Y{q + 1}" for q in range(4))
    asked = request(
        api.PauliCost(sum=text),
        api.HardwareEfficientAnsatz(depth=3, rotations=("rx", "rz")),
        optimiser="nelder-mead",
        evaluations=50,
        starts=1,
    )
    (start,) = minimised(asked).starts
    assert (start.evaluations, start.converged, start.every) == (50, False, 4)
    assert len(start.trace) == 13
    assert start.value <= min(start.trace)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"layers": 0}, WorkInvalid, "QAOA of 0 layers"),
        ({"evaluations": 0}, WorkInvalid, "0 evaluations"),
        ({"shots": -1}, WorkInvalid, "-1 shots"),
        ({"items": (workload.MinimiseStart(0, (1.0,)),)}, WorkInvalid, "gives 1 of 2"),
        ({"cost": workload.Observable("", (workload.PauliTerm(1.0, (("X", 0),)),))}, WorkInvalid, "X or Y"),
        ({"cost": workload.Observable("", (workload.PauliTerm(1.0, (("Z", 9),)),))}, WorkInvalid, "qubit 9"),
        ({"program": LOGARITHM, "items": (workload.MinimiseStart(0, (-1.0,)),)}, ProgramFailed, "not finite"),
        ({"qubits": 26}, MemoryShort, "26 qubits needs"),
        ({"program": circuit.Program(2, (), ("a",), ())}, WorkInvalid, "of 2 qubits in a work of 3"),
        (
            {"program": circuit.Program(3, (), ("a",), (circuit.Measure(0), circuit.Gate("x", (0,))))},
            WorkInvalid,
            "steer",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_on_the_device(
    change: dict[str, Any], error: type[Exception], words: str
) -> None:
    cost = workload.Observable("", (workload.PauliTerm(1.0, (("Z", 0), ("Z", 2))),))
    fields: dict[str, Any] = {"seed": 1, "qubits": 3, "cost": cost, "items": (workload.MinimiseStart(0),)}
    fields |= {"optimiser": "l-bfgs-b", "evaluations": 10, "tolerance": 1e-9, "layers": 1}
    work = workload.VariationalMinimise(**(fields | change))
    with pytest.raises(error, match=words):
        variational.run(work, budget=BUDGET, report=lambda _: None)


def test_progress_grows_to_the_end() -> None:
    told: list[float] = []
    job = workload_runs.specified(request(cases.ring(4), api.QaoaAnsatz(), starts=3))
    base = codec.decode(job.problem, workload.VariationalMinimise)
    items = tuple(workload.MinimiseStart(index) for index in range(3))
    variational.run(
        workload.VariationalMinimise(
            seed=1,
            qubits=4,
            cost=base.cost,
            items=items,
            optimiser="cobyla",
            evaluations=40,
            tolerance=1e-9,
            layers=1,
        ),
        budget=BUDGET,
        report=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 30


def test_a_diagonal_is_the_sum_of_its_terms() -> None:
    generator = np.random.default_rng(3)
    terms = [
        workload.PauliTerm(
            float(generator.normal()), tuple(("Z", q) for q in range(5) if generator.random() < 0.5)
        )
        for _ in range(12)
    ]
    expected = cases.diagonal(
        5, lambda x: sum(term.coefficient * (-1) ** sum(x[q] for _, q in term.paulis) for term in terms)
    )
    assert hamiltonians.diagonal_of(terms, 5) == pytest.approx(expected)


def _work(compiled: circuit.Program, cost: workload.Observable) -> workload.VariationalMinimise:
    return workload.VariationalMinimise(
        seed=1,
        qubits=compiled.qubits,
        cost=cost,
        items=(),
        optimiser="l-bfgs-b",
        evaluations=10,
        tolerance=1e-9,
        program=compiled,
    )


def _differences(value: Any, point: Any) -> Any:
    steps = 1e-5 * np.eye(len(point))
    return np.array([(value(point + step) - value(point - step)) / 2e-5 for step in steps])

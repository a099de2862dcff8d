"""Kernels, run as on a device, against Qiskit's state vectors, closed forms and what a kernel must be."""

import math
from typing import Any, Literal

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit.library import zz_feature_map
from qiskit.quantum_info import Statevector
from tests.unit import kernel_cases as cases
from tests.unit import workload_runs
from tests.unit.kernel_cases import matrix_of, points, request

from qfleet_agent.engines import fidelity, sweeps
from qfleet_agent.engines.errors import MemoryShort, ProgramFailed, WorkInvalid
from qfleet_wire import api, circuit, workload

BUDGET = 1 << 30


def fidelities(states: list[Any], others: list[Any]) -> Any:
    """|⟨φ|χ⟩|² of Qiskit's state vectors, one by one."""
    return np.array([[abs(np.vdot(one.data, other.data)) ** 2 for other in others] for one in states])


@pytest.mark.parametrize(
    ("entangler", "theirs"), [("full", "full"), ("linear", "linear"), ("ring", "circular")]
)
def test_the_zz_feature_map_is_qiskits(entangler: Literal["full", "linear", "ring"], theirs: str) -> None:
    data = points(7, 4)
    found = matrix_of(request(data, api.ZZFeatureMap(entangler=entangler)))
    their_map = zz_feature_map(4, reps=2, entanglement=theirs)
    states = [Statevector(their_map.assign_parameters(list(point))) for point in data]
    assert found == pytest.approx(fidelities(states, states), abs=1e-10)


def test_two_sets_of_points_make_a_rectangle() -> None:
    rows, columns = points(5, 3), points(11, 3, seed=2)
    found = matrix_of(request(rows, api.ZZFeatureMap(repetitions=1), others=columns))
    their_map = zz_feature_map(3, reps=1)
    one, other = (
        [Statevector(their_map.assign_parameters(list(point))) for point in data] for data in (rows, columns)
    )
    assert found.shape == (5, 11)
    assert found == pytest.approx(fidelities(one, other), abs=1e-10)


@pytest.mark.parametrize("rotation", ["rx", "ry"])
def test_angles_have_a_closed_form(rotation: Literal["rx", "ry"]) -> None:
    data = np.array(points(20, 6))
    found = matrix_of(request(cases.points(20, 6), api.AngleFeatureMap(rotation=rotation)))
    expected = np.prod(np.cos((data[:, None] - data[None]) / 2) ** 2, axis=2)
    assert found == pytest.approx(expected, abs=1e-10)


def test_a_program_of_ones_own_takes_its_inputs_in_order() -> None:
    data = points(6, 2)
    found = matrix_of(request(data, job={"program": cases.OWN}))
    states = []
    for a, b in data:
        text = cases.OWN.replace("input float a; input float b;", "")
        text = (
            text.replace("ry(2*a)", f"ry({2 * a})")
            .replace("rz(a*b)", f"rz({a * b})")
            .replace("rx(b)", f"rx({b})")
        )
        states.append(Statevector(qasm3.loads(text)))
    assert found == pytest.approx(fidelities(states, states), abs=1e-10)


def test_a_wide_program_gives_the_same() -> None:
    data = points(3, 14)
    found = matrix_of(request(data, api.ZZFeatureMap(repetitions=1, entangler="linear")))
    their_map = zz_feature_map(14, reps=1, entanglement="linear")
    states = [Statevector(their_map.assign_parameters(list(point))) for point in data]
    assert found == pytest.approx(fidelities(states, states), abs=1e-10)


def test_an_exact_kernel_is_symmetric_and_has_no_negative_eigenvalue() -> None:
    found = matrix_of(request(points(40, 3), api.ZZFeatureMap()))
    assert (found == found.T).all()
    assert (found.diagonal() == 1.0).all()
    assert np.linalg.eigvalsh(found).min() > -1e-10


@pytest.mark.parametrize("shots", [0, 50])
def test_answers_do_not_depend_on_the_split(shots: int) -> None:
    asked = request(points(24, 3), api.ZZFeatureMap(), job={"shots": shots})
    assert len(workload_runs.run(asked, tasks=8).parts) > 4
    assert (matrix_of(asked) == matrix_of(asked, tasks=8)).all()


def test_estimates_scatter_as_draws_do() -> None:
    shots = 400
    data = points(40, 2)
    exact = matrix_of(request(data, api.ZZFeatureMap()))
    found = matrix_of(request(data, api.ZZFeatureMap(), job={"shots": shots}))
    assert (found == found.T).all()
    assert (found.diagonal() == 1.0).all()
    pairs = np.triu_indices(40, 1)
    spread = np.sqrt(exact * (1 - exact) / shots)[pairs]
    deviations = (found - exact)[pairs]
    wide = spread > 0.005
    squares = np.sum((deviations[wide] / spread[wide]) ** 2)
    count = int(wide.sum())
    # The sum of squares of so many deviations is nearly normal; 6.5 of its deviations are 1e-10.
    assert count > 300
    assert abs(squares - count) < 6.5 * math.sqrt(3 * count)
    assert (
        len(
            {
                matrix_of(request(data, api.ZZFeatureMap(), job={"shots": shots, "seed": s})).tobytes()
                for s in (1, 2)
            }
        )
        == 2
    )


def test_states_are_evolved_once_for_each_task_that_has_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    evolved: list[tuple[float, ...]] = []
    state = sweeps.Sweep.state

    def counted(self: sweeps.Sweep, values: tuple[float, ...]) -> Any:
        evolved.append(values)
        return state(self, values)

    monkeypatch.setattr(sweeps.Sweep, "state", counted)
    data = points(16, 2)
    matrix_of(request(data, api.ZZFeatureMap()))
    assert sorted(evolved) == sorted(data)


def test_scarce_memory_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(points(16, 3), api.ZZFeatureMap())
    plenty = matrix_of(asked)
    kept = fidelity._States.__init__

    def two_groups(self: Any, work: Any, budget: int) -> None:
        kept(self, work, budget)
        self._most = 2

    monkeypatch.setattr(fidelity._States, "__init__", two_groups)
    assert (matrix_of(asked) == plenty).all()


GROUP = workload.KernelGroup(0, ((1.0,),))
PROGRAM = circuit.Program(1, (), ("a",), (circuit.Gate("rx", (0,), (circuit.Parameter(0),)),))


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"shots": -1}, WorkInvalid, "-1 shots"),
        ({"items": (workload.KernelBlock(0, 0, 1),)}, WorkInvalid, "names group 1"),
        ({"groups": (workload.KernelGroup(0, ((1.0, 2.0),)),)}, WorkInvalid, "has 2 values"),
        ({"groups": (workload.KernelGroup(0, ((math.inf,),)),)}, ProgramFailed, "not finite"),
        ({"program": circuit.Program(25, (), ("a",), ())}, MemoryShort, "of 25 qubits need"),
        ({"program": circuit.Program(1, (), ("a",), (circuit.Gate("x", (1,)),))}, WorkInvalid, "qubit 1"),
        (
            {"program": circuit.Program(1, (), ("a",), (circuit.Measure(0), circuit.Gate("x", (0,))))},
            WorkInvalid,
            "steer it",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_on_the_device(
    fields: dict[str, Any], error: type[Exception], words: str
) -> None:
    whole: dict[str, Any] = {"program": PROGRAM, "seed": 1, "groups": (GROUP,)}
    whole["items"] = (workload.KernelBlock(0, 0, 0),)
    with pytest.raises(error, match=words):
        fidelity.run(workload.KernelMatrix(**(whole | fields)), budget=BUDGET, report=lambda _: None)


def test_progress_is_told_block_by_block() -> None:
    told: list[float] = []
    blocks = tuple(workload.KernelBlock(index, 0, 0) for index in range(4))
    fidelity.run(workload.KernelMatrix(PROGRAM, 1, (GROUP,), blocks), budget=BUDGET, report=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_a_circuit_of_qiskit_goes_through_its_text() -> None:
    theirs = QuantumCircuit(2)
    theirs.h([0, 1])
    theirs.cp(0.7, 0, 1)
    fixed = qasm3.dumps(theirs)
    text = fixed.replace("qubit[2] q;", "input float feature;\nqubit[2] q;") + "\nry(feature) q[0];\n"
    found = matrix_of(request(((0.0,), (0.4,)), job={"program": text}))
    assert found[0, 1] == pytest.approx(_turned(theirs, 0.4), abs=1e-12)


def _turned(theirs: QuantumCircuit, angle: float) -> float:
    turned = theirs.copy()
    turned.ry(angle, 0)
    return float(abs(np.vdot(Statevector(theirs).data, Statevector(turned).data)) ** 2)

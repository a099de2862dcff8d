"""Integrated information against formulas that hold for any state, and against QuTiP's partial trace."""

import math

import numpy as np
import pytest
import qiskit.qasm3
import qutip  # type: ignore[import-untyped]  # ships no types
import scipy.linalg  # type: ignore[import-untyped]  # ships no types
from qiskit.quantum_info import Operator
from tests.unit import phi_cases as cases

from qfleet_agent.engines import integration, intrinsic, repertoires
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.repertoires import Density
from qfleet_wire import circuit, workload

SEED = 7


def random_state(qubits: int, rank: int, seed: int = SEED) -> Density:
    rng = np.random.default_rng(seed)
    shape = (1 << qubits, rank)
    root = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    state = root @ root.conj().T
    normalised: Density = state / np.trace(state)
    return normalised


def random_unitary(qubits: int, seed: int = SEED) -> Density:
    rng = np.random.default_rng(seed)
    shape = (1 << qubits, 1 << qubits)
    turned: Density = np.linalg.qr(rng.normal(size=shape) + 1j * rng.normal(size=shape))[0]
    return turned


@pytest.mark.parametrize("keep", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_partial_traces_are_those_of_qutip(keep: tuple[int, ...]) -> None:
    state = random_state(3, 3)
    expected = qutip.Qobj(state, dims=[[2] * 3, [2] * 3]).ptrace(list(keep)).full()
    assert np.allclose(repertoires.traced(state, keep), expected)


def test_a_product_is_put_in_order_of_its_qubits() -> None:
    one, pair = random_state(1, 2), random_state(2, 3)
    expected = (
        qutip.tensor(qutip.Qobj(pair, dims=[[2, 2], [2, 2]]), qutip.Qobj(one)).permute([0, 2, 1]).full()
    )
    assert np.allclose(repertoires.product([((1,), one), ((0, 2), pair)]), expected)


def test_entanglement_is_found_between_the_qubits_that_have_it() -> None:
    bell = np.zeros(4)
    bell[[0, 3]] = math.sqrt(0.5)
    pair = np.outer(bell, bell).astype(complex)
    alone = repertoires.mixed(1)
    assert repertoires.entangled_parts(repertoires.mixed(3)) == [(0,), (1,), (2,)]
    for names in ((0, 1), (0, 2), (1, 2)):
        (other,) = {0, 1, 2} - set(names)
        state = repertoires.product([(names, pair), ((other,), alone)])
        assert repertoires.entangled_parts(state) == [names, (other,)]
    assert repertoires.entangled_parts(random_state(3, 1)) == [(0, 1, 2)]
    assert repertoires.entangled_parts(pair) == [(0, 1)]


def test_the_difference_of_commuting_states_is_that_of_their_largest_term() -> None:
    one, other = np.diag([0.7, 0.3]).astype(complex), np.diag([0.4, 0.6]).astype(complex)
    assert intrinsic.difference(one, other) == pytest.approx(0.7 * math.log2(0.7 / 0.4))
    assert intrinsic.difference(one, one) == 0.0
    assert intrinsic.difference(one, np.diag([1.0, 0.0]).astype(complex)) == math.inf


def test_the_difference_does_not_depend_on_the_basis() -> None:
    """Also where eigenvalues are equal, and any vectors of their space are eigenvectors."""
    one, other = np.diag([0.5, 0.5, 0.0, 0.0]).astype(complex), random_state(2, 4)
    turn = random_unitary(2)
    turned = intrinsic.difference(turn @ one @ turn.conj().T, turn @ other @ turn.conj().T)
    assert turned == pytest.approx(intrinsic.difference(one, other), abs=1e-9)
    logarithm = scipy.linalg.logm(other)[:2, :2] / math.log(2)
    assert turned == pytest.approx(0.5 * (-1.0 - np.linalg.eigvalsh(logarithm)[0]), abs=1e-9)


def test_partitions_of_one_two_and_three() -> None:
    """Counted by hand: 1 + Σ over set partitions in k > 1 blocks of (k + 1)^|purview|."""
    count = {
        sizes: sum(1 for _ in intrinsic.partitions(tuple(range(sizes[0])), tuple(range(sizes[1]))))
        for sizes in ((1, 1), (2, 1), (2, 2), (3, 3))
    }
    assert count == {(1, 1): 1, (2, 1): 1 + 3, (2, 2): 1 + 9, (3, 3): 1 + 3 * 27 + 64}


def test_a_mixed_system_and_one_without_connections_have_nothing() -> None:
    mixed = tuple(tuple(0.25 if row == column else 0.0 for column in range(4)) for row in range(4))
    assert all(one.phi == 0 for one in cases.answer(density=mixed).distinctions)
    apart = cases.answer(program=f"{cases.HEADER} qubit[2] q; h q[0]; s q[1];", state="0+")
    for one in apart.distinctions:
        assert one.phi == pytest.approx(float(len(one.mechanism) == 1), abs=1e-9)


def test_a_step_back_swaps_causes_and_effects_of_a_single_qubit() -> None:
    turn = f"{cases.HEADER} qubit[1] q; rx(0.3) q[0];"
    view = cases.answer(program=turn, state="r", cause_of="input")
    cause, effect = view.distinctions
    assert cause.phi == pytest.approx(effect.phi) == pytest.approx(1.0)


@pytest.mark.parametrize("qubits", [2, 3])
def test_a_program_is_its_matrix(qubits: int) -> None:
    """Also with controls and targets in any order; Qiskit builds the matrix."""
    gates = (
        "h q[0]; cx q[1], q[0]; rz(0.4) q[1]; swap q[0], q[1]; cp(0.7) q[0], q[1]; negctrl @ y q[0], q[1];"
    )
    text = f"{cases.HEADER} qubit[{qubits}] q; {gates} " + ("ccx q[2], q[0], q[1];" if qubits == 3 else "")
    asked = cases.request(program=text, state="0" * qubits)
    work = cases.ran(cases.specification(asked))
    matrix = _columns(text, qubits)
    rows = tuple(tuple((float(x.real), float(x.imag)) for x in row) for row in matrix)
    same = cases.request(program="", unitary=rows, state="0" * qubits)
    other = cases.ran(cases.specification(same))
    for one, two in zip(work.items, other.items, strict=True):
        assert one.phi == pytest.approx(two.phi, abs=1e-9)
        assert one.information == pytest.approx(two.information, abs=1e-9)


def _columns(text: str, qubits: int) -> Density:
    """The matrix of a program by Qiskit, whose qubit 0 is the least significant."""
    matrix: Density = Operator(qiskit.qasm3.loads(text).reverse_bits()).data
    return matrix


def test_causes_that_do_not_commute_give_a_density_matrix() -> None:
    unitary, state = (
        random_unitary(3),
        repertoires.product([((qubit,), random_state(1, 2, qubit + 1)) for qubit in range(3)]),
    )
    found = repertoires.Repertoires(unitary, state).repertoire("cause", (0, 1, 2), (0,))
    assert np.trace(found) == pytest.approx(1.0)
    assert np.allclose(found, found.conj().T)
    assert np.linalg.eigvalsh(found)[0] >= 0.0


def _work(**fields: object) -> workload.PhiEvaluate:
    base: dict[str, object] = {
        "qubits": 1,
        "seed": 0,
        "items": (workload.PhiItem(0, "effect", (0,), (0,)),),
        "unitary": workload.Operator(gates=(circuit.Gate("h", (0,)),)),
        "state": workload.Operator(),
    }
    return workload.PhiEvaluate(**base | fields)  # type: ignore[arg-type] # fields vary


@pytest.mark.parametrize(
    "work",
    [
        workload.ProbeEcho(),
        _work(qubits=0),
        _work(qubits=4),
        _work(unitary=workload.Operator(matrix=(1.0,))),
        _work(unitary=workload.Operator(matrix=(1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0))),
        _work(items=(workload.PhiItem(0, "effect", (), (0,)),)),
        _work(items=(workload.PhiItem(0, "effect", (0,), (1,)),)),
    ],
)
def test_a_work_without_meaning_is_refused(work: workload.Work) -> None:
    with pytest.raises(WorkInvalid):
        integration.run(work, budget=0, report=lambda _: None)

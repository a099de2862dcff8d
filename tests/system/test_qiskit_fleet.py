"""Qiskit programs on a real fleet: its own published examples, and its own answers beside ours."""

import inspect
import re
import warnings
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import qiskit.primitives
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp
from tests.system.fleet import LocalFleet

from qfleet import Fleet, UserError
from qfleet.qiskit import FleetBackend, FleetEstimator, FleetSampler

EXAMPLE = re.compile(r"^\.\. plot::\n(?: {3,}:[^\n]*\n)*\n((?:(?: {3,}[^\n]*)?\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("qiskit"), agents=2) as started:
        yield started


@pytest.fixture
def fleet(site: LocalFleet) -> Iterator[Fleet]:
    with site.connect() as connection:
        yield connection


def published(thing: Any) -> list[str]:
    """The examples that Qiskit's documentation of this thing shows."""
    return [dedent(code) for code in EXAMPLE.findall(f"{inspect.getdoc(thing)}\n")]


EXAMPLES = [
    *published(qiskit.primitives),
    *published(StatevectorSampler),
    *published(StatevectorEstimator),
]


def test_qiskit_publishes_examples() -> None:
    assert sum("Estimator" in code for code in EXAMPLES) >= 2
    assert sum("Sampler" in code for code in EXAMPLES) >= 2


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_published_example_runs_when_one_line_is_changed(
    code: str, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    jobs = len(fleet.jobs(limit=1000))

    def sampler() -> FleetSampler:
        return FleetSampler(fleet, seed=5)

    def estimator() -> FleetEstimator:
        return FleetEstimator(fleet)

    monkeypatch.setattr(qiskit.primitives, "StatevectorSampler", sampler)
    monkeypatch.setattr(qiskit.primitives, "StatevectorEstimator", estimator)
    names: dict[str, Any] = {"print": lambda *_: None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of classes that the examples use
        exec(code, names)
    assert len(fleet.jobs(limit=1000)) > jobs, "the example asked something else than the fleet"


def parameterised() -> QuantumCircuit:
    """Two registers, one of them named like a word of OpenQASM, and parameters with brackets."""
    theta = ParameterVector("θ", 3)
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "alpha"), ClassicalRegister(1, "measure")
    )
    circuit.ry(theta[0], 0)
    circuit.cx(0, 1)
    circuit.rx(2 * theta[1] + 0.3, 2)
    circuit.crz(theta[2], 1, 2)
    circuit.h(2)
    circuit.measure([0, 2], [0, 2])
    circuit.measure(1, 1)
    return circuit


def test_a_sampler_agrees_with_qiskits_register_by_register(fleet: Fleet) -> None:
    circuit, shots = parameterised(), 4000
    values = np.random.default_rng(1).uniform(-3, 3, (2, 2, 3))
    ours = FleetSampler(fleet, seed=3).run([(circuit, values)], shots=shots).result()[0]
    theirs = StatevectorSampler(seed=3).run([(circuit, values)], shots=shots).result()[0]
    assert ours.data.alpha.shape == (2, 2)
    for index in np.ndindex(2, 2):
        for name in ("alpha", "measure"):
            mine, other = ours.data[name].get_counts(index), theirs.data[name].get_counts(index)
            for outcome in mine.keys() | other.keys():
                # Seven standard deviations of a difference of two binomial counts.
                assert abs(mine.get(outcome, 0) - other.get(outcome, 0)) < 7 * np.sqrt(shots / 2)
    joined = ours.join_data()
    assert joined.num_bits == 3
    assert joined.num_shots == shots


def test_an_estimator_agrees_with_qiskits_to_rounding_and_broadcasts_like_it(fleet: Fleet) -> None:
    ansatz = efficient_su2(3, reps=1)
    values = np.random.default_rng(2).uniform(-3, 3, (4, ansatz.num_parameters))
    observables = [
        [SparsePauliOp(["ZZI", "IXY", "III"], [0.5, -1.25, 2.0])],
        [SparsePauliOp("YIX")],
    ]
    for pub in (
        (ansatz, observables, values),
        (ansatz, [o[0] for o in observables], values[:2]),
        (ansatz, "ZIZ", values),
    ):
        ours = FleetEstimator(fleet).run([pub]).result()[0]
        theirs = StatevectorEstimator().run([pub]).result()[0]
        assert ours.data.evs.shape == theirs.data.evs.shape
        assert np.allclose(ours.data.evs, theirs.data.evs, atol=1e-10)
        assert not ours.data.stds.any()


def test_a_backend_runs_transpiled_circuits_and_gives_counts_in_qiskits_form(fleet: Fleet) -> None:
    backend = FleetBackend(fleet)
    assert backend.num_qubits == 24
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    job = backend.run(transpile(bell, backend), shots=500, seed_simulator=7, memory=True)
    result = job.result()
    assert set(result.get_counts()) == {"00", "11"}
    assert sum(result.get_counts().values()) == len(result.get_memory()) == 500
    assert backend.run(bell, shots=500, seed_simulator=7).result().get_counts() == result.get_counts()
    assert job.status().name == "DONE"


def test_mid_circuit_control_runs_and_its_values_have_errors(fleet: Fleet) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.ry(1.0, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    value = FleetEstimator(fleet, seed=1).run([(circuit, "ZI")], precision=0.02).result()[0]
    assert 0 < value.data.stds < 0.04
    assert abs(value.data.evs - np.cos(1.0)) < 7 * value.data.stds


def test_what_cannot_be_asked_is_refused(fleet: Fleet) -> None:
    bare = QuantumCircuit(1)
    text: Any = "OPENQASM 3.0;"
    with pytest.raises(UserError, match="no classical register"):
        FleetSampler(fleet).run([bare])
    with pytest.raises(UserError, match="no classical bits"):
        FleetBackend(fleet).run(bare)
    with pytest.raises(UserError, match="str is no circuit"):
        FleetBackend(fleet).run(text)
    with pytest.raises(UserError, match="unbound parameters"):
        FleetBackend(fleet).run(parameterised())
    with pytest.raises(UserError, match="no option of this backend"):
        FleetBackend(fleet).run(bare, shot=3)


def test_gates_that_no_text_knows_are_put_in_terms_of_those_it_knows(fleet: Fleet) -> None:
    circuit = QuantumCircuit(3)
    circuit.h([1, 2])
    circuit.mcp(0.7, [0, 1], 2)
    circuit.unitary(np.array([[0, 1], [1, 0]]), [0])
    circuit.rccx(0, 1, 2)
    expected = StatevectorEstimator().run([(circuit, "XYZ")]).result()[0].data.evs
    assert np.isclose(FleetEstimator(fleet).run([(circuit, "XYZ")]).result()[0].data.evs, expected)


def test_projectors_are_put_in_terms_of_paulis(fleet: Fleet) -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(0.8, 0)
    circuit.ry(1.9, 1)
    found = FleetEstimator(fleet).run([(circuit, {"1+": 0.5, "IZ": -1.0})]).result()[0].data.evs
    assert np.isclose(found, 0.5 * np.sin(0.95) ** 2 * (1 + np.sin(0.8)) / 2 - np.cos(0.8))

"""Integrated information: the classical theory agrees with the quantum one wherever both apply."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.applications.local import Local

from qfleet import JobRequest, PhiRequest, PhiResultView
from qfleet_applications.cognition import bit_rules, classical_phi, mechanisms
from qfleet_applications.cognition.classical_phi import Mechanism, State
from qfleet_applications.cognition.integrated_study import IntegratedStudy
from qfleet_applications.errors import InvalidProblem

HEADER = 'OPENQASM 3.0; include "stdgates.inc";'


def three(bits: State) -> State:
    """Two controlled NOTs and a Toffoli in a row."""
    a, b, c = bits
    b ^= a
    c ^= b
    return a, b ^ (a & c), c


STEPS: tuple[tuple[str, Callable[[State], State], str], ...] = (
    ("qubit[2] q; cx q[0], q[1];", lambda s: (s[0], s[0] ^ s[1]), "10"),
    ("qubit[2] q; swap q[0], q[1];", lambda s: (s[1], s[0]), "01"),
    ("qubit[2] q; cx q[0], q[1]; cx q[1], q[0];", lambda s: (s[1], s[0] ^ s[1]), "11"),
    ("qubit[3] q; ccx q[0], q[1], q[2];", lambda s: (s[0], s[1], s[2] ^ (s[0] & s[1])), "110"),
    ("qubit[3] q; cx q[0], q[1]; cx q[1], q[2]; ccx q[0], q[2], q[1];", three, "101"),
)


@pytest.mark.parametrize(("program", "step", "state"), STEPS)
def test_every_phi_of_a_permutation_is_the_quantum_one(
    program: str, step: Callable[[State], State], state: str
) -> None:
    work = PhiRequest(program=f"{HEADER} {program}", state=state)
    result = Local().run(JobRequest(kind="iit.phi", work=work, seed=1))
    assert isinstance(result, PhiResultView)
    system = Mechanism(len(state), step, tuple(map(int, state)))
    compared = 0
    for one in result.distinctions:
        for view in one.purviews:
            ours = classical_phi.phi(system, one.direction, one.mechanism, view.purview)
            assert ours == pytest.approx(view.phi, abs=1e-7)
            compared += 1
    assert compared == 2 * (2 ** len(state) - 1) ** 2


def test_the_published_causes_and_effects_of_a_cnot() -> None:
    """Albantakis, Prentner and Durham, Entropy 25, 449 (2023), the CNOT in |10⟩."""
    found = classical_phi.structure(Mechanism(2, lambda s: (s[0], s[0] ^ s[1]), (1, 0)))
    assert {key: value for key, value in found.items() if value[1]} == {
        ("cause", (0,)): ((0,), 1.0),
        ("cause", (1,)): ((0, 1), 0.5),
        ("cause", (0, 1)): ((0, 1), 1.0),
        ("effect", (0,)): ((0,), 1.0),
        ("effect", (0, 1)): ((0, 1), 1.0),
    }


def test_a_report_says_that_both_theories_agree_where_they_must() -> None:
    report = IntegratedStudy("cnot", mechanisms.gate("cnot"), "10").conduct(Local())
    assert any("they agree" in note for note in report.notes)
    assert any("No claim about consciousness" in note for note in report.notes)


def test_entanglement_has_no_classical_counterpart() -> None:
    report = IntegratedStudy("bell", mechanisms.gate("bell"), "00").conduct(Local())
    assert report.comparisons == ()
    assert any("no rule of bits stands for it" in note for note in report.notes)


def test_a_superposed_state_is_measured_for_the_classical_theory() -> None:
    systems = list(mechanisms.measured(mechanisms.gate("cnot"), "+0"))
    assert [system.state for system in systems] == [(0, 0), (1, 0)]
    with pytest.raises(InvalidProblem, match="'1' is no state of 2 units"):
        list(mechanisms.measured(mechanisms.gate("cnot"), "1"))
    with pytest.raises(InvalidProblem, match="no mechanism 'cot'"):
        mechanisms.gate("cot")


def test_a_program_of_ones_own_that_moves_bits_has_its_classical_figures(tmp_path: Path) -> None:
    file = tmp_path / "mine.qasm"
    file.write_text(f"{HEADER} // a step\nqubit[2] q; cx q[0], q[1];", encoding="utf-8")
    mine = IntegratedStudy("mine", mechanisms.of_file(file, "10"), "10").conduct(Local())
    known = IntegratedStudy("cnot", mechanisms.gate("cnot"), "10").conduct(Local())
    assert mine.tables == known.tables
    assert any("they agree" in note for note in mine.notes)


@pytest.mark.parametrize(("program", "step", "_"), STEPS)
def test_the_rule_of_bits_is_read_from_a_program(
    program: str, step: Callable[[State], State], _: str
) -> None:
    found = bit_rules.step_of(f"{HEADER} {program}")
    assert found is not None
    units = int(program[len("qubit[")])
    for state in itertools.product((0, 1), repeat=units):
        assert found(state) == step(state)


def test_flips_and_controlled_swaps_are_rules_of_bits_too() -> None:
    found = bit_rules.step_of("qubit[3] a; x a[0]; id a[1]; cswap a[0], a[1], a[2];")
    assert found is not None
    assert found((0, 1, 0)) == (1, 0, 1)
    assert found((1, 1, 0)) == (0, 1, 0)


@pytest.mark.parametrize(
    "program",
    [
        "qubit[2] q; h q[0];",
        "qubit[2] q; x q;",
        "qubit[1] a; qubit[1] b; cx a[0], b[0];",
        "qubit[2] q; cx q[0];",
        "qubit[2] q; ctrl @ x q[0], q[1];",
        "qubit[2] q; if (true) { x q[0]; }",
        "x q[0];",
    ],
)
def test_anything_else_is_no_rule_of_bits(program: str) -> None:
    assert bit_rules.step_of(f"{HEADER} {program}") is None

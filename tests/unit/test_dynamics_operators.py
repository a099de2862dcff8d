"""Operators: against QuTiP's own, and what makes a sum Hermitian."""

from typing import Any

import numpy as np
import pytest

from qfleet_agent.engines.dynamics import operators as matrices
from qfleet_agent.engines.dynamics.library import qutip
from qfleet_controlplane.compile.dynamics import hermitian, operators, size
from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.workload.dynamics import Subsystem

SPACE = Space(("q", "c", "s"), (Subsystem("qubit", 2), Subsystem("mode", 5), Subsystem("spin", 4)))
IDENTITIES = [qutip.qeye(2), qutip.qeye(5), qutip.qeye(4)]


def on(place: int, operator: Any) -> Any:
    factors = list(IDENTITIES)
    factors[place] = operator
    return qutip.tensor(factors)


LOWER, RAISE = on(1, qutip.destroy(5)), on(1, qutip.create(5))
SIGMA = {letter: on(0, getattr(qutip, f"sigma{letter.lower()}")()) for letter in "XYZ"}
SPIN = {letter: on(2, qutip.jmat(1.5, letter)) for letter in ("x", "y", "z", "+", "-")}

CASES = [
    ("X(q)", SIGMA["X"]),
    ("Y(q) Z(q)", SIGMA["Y"] * SIGMA["Z"]),
    ("a(q)", on(0, qutip.destroy(2))),
    ("n(q)", on(0, qutip.num(2))),
    ("a(c)**2*adag(c)", LOWER * LOWER * RAISE),
    ("0.5*n(c) - 1.5", 0.5 * RAISE * LOWER - 1.5),
    ("P(c, 4) + P(q,1)", on(1, qutip.fock_dm(5, 4)) + on(0, qutip.fock_dm(2, 1))),
    ("Jx(s)*Jy(s) - Jy(s)*Jx(s)", 1j * SPIN["z"]),
    ("Jp(s)", SPIN["+"]),
    ("1j*Jm(s)/2", 0.5j * SPIN["-"]),
    ("(a(c) + adag(c))**3", (LOWER + RAISE) ** 3),
    ("adag(c)*a(q) + a(c)*adag(q)", RAISE * on(0, qutip.destroy(2)) + LOWER * on(0, qutip.create(2))),
    ("-(2 - pi*I(s))*Jz(s)", -(2 - np.pi) * SPIN["z"]),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_an_operator_is_the_matrix_that_qutip_builds(text: str, expected: Any) -> None:
    found = operators.parse("f", text, SPACE)
    built = matrices.matrix(found, SPACE.subsystems)
    assert np.abs(built.toarray() - expected.full()).max() < 1e-12
    turned = matrices.matrix(operators.adjoint(found), SPACE.subsystems)
    assert np.abs(turned.toarray() - expected.dag().full()).max() < 1e-12
    assert hermitian.is_hermitian(found, SPACE) == expected.isherm
    # What planning thinks that it holds, and how large it is at most.
    assert built.nnz <= size.entries((found,), SPACE)


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("X(c)", 1, "X is no operator of a mode", "c is a mode; it has a, adag, n, P, I"),
        ("Jx(q)", 1, "Jx is no operator of a qubit", "q is a qubit"),
        ("n(q)*foo(c)", 6, "unknown operator 'foo'", ""),
        ("n(d)", 3, "there is no subsystem 'd'", "subsystems are q, c, s"),
        ("X", 1, "X of which subsystem?", "write X(q)"),
        ("omega*X(q)", 1, "'omega' is no operator", "put parameters and t into the coefficient"),
        ("P(c)", 1, "P projects on which level?", "P(name, level)"),
        ("P(c, 5)", 6, "'5' is no level", "0 to 4"),
        ("X(q", 4, "')' is missing before the end", ""),
        ("X(q) +", 7, "an operator is missing before the end", ""),
        ("n(c)**1.5", 7, "'1.5' is no power", "1 to 12"),
        ("1/n(c)", 2, "division by what is no number", ""),
        ("X(q) = 1", 6, "unexpected '='", "expression alone"),
        ("(a(c)+adag(c)+n(c))**9", 20, "more than 4096 products", "several terms"),
        ("(" * 40 + "X(q)" + ")" * 40, 33, "nested deeper than 32", ""),
        ("X(q), 1", 5, "unexpected ','", "sum of products"),
        ("1e200*X(q)*1e200", 11, "too large", ""),
    ],
)
def test_what_is_no_operator_is_refused_with_its_column(
    text: str, column: int, message: str, hint: str
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        operators.parse("work.observables[2]", text, SPACE)
    assert (refusal.value.field, refusal.value.column) == ("work.observables[2]", column)
    assert message in refusal.value.message
    assert hint in refusal.value.hint

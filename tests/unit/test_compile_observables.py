"""Pauli sums: both notations, merging, and refusals with their column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_controlplane.compile.errors import ObservableRefused
from qfleet_controlplane.compile.observables import parse_observable

Terms = dict[tuple[tuple[str, int], ...], float]


def terms(text: str, qubits: int = 3) -> Terms:
    return {term.paulis: term.coefficient for term in parse_observable(text, qubits).terms}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Z0", {(("Z", 0),): 1.0}),
        ("0.5*Z0 Z1 - X2 + 1.5", {(("Z", 0), ("Z", 1)): 0.5, (("X", 2),): -1.0, (): 1.5}),
        ("ZZI", {(("Z", 1), ("Z", 2)): 1.0}),
        ("IIX", {(("X", 0),): 1.0}),
        ("2 * XYZ - 0.5 ZII", {(("Z", 0), ("Y", 1), ("X", 2)): 2.0, (("Z", 2),): -0.5}),
        ("Z1*Z0", {(("Z", 0), ("Z", 1)): 1.0}),
        ("Z0 + Z0 - X1", {(("Z", 0),): 2.0, (("X", 1),): -1.0}),
        ("Z0 - Z0 + Y1", {(("Y", 1),): 1.0}),
        ("Z0 - Z0", {}),
        ("III", {(): 1.0}),
        ("I0 Z1", {(("Z", 1),): 1.0}),
        ("-1e-3Z2", {(("Z", 2),): -1e-3}),
        ("--Z0", {(("Z", 0),): 1.0}),
        ("+.5*3*Z0", {(("Z", 0),): 1.5}),
        ("2", {(): 2.0}),
        ("Z0+ZZI", {(("Z", 0),): 1.0, (("Z", 1), ("Z", 2)): 1.0}),
    ],
)
def test_sums_are_read(text: str, expected: Terms) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("Z3", 1, "no qubit 3"),
        ("0.5*Z0 Z9", 8, "no qubit 9"),
        ("Z0 X0", 4, "stands twice"),
        ("ZZ", 1, "label of 2 letters"),
        ("Z0 + ZZZZ", 6, "label of 4 letters"),
        ("Z0 ZZZ", 4, "label next to"),
        ("ZZZ Z0", 5, "label next to"),
        ("z0", 1, "unexpected 'z'"),
        ("1j*Z0", 2, "unexpected 'j'"),
        ("0.5 * A0", 7, "unexpected 'A'"),
        ("Z0 +", 5, "term is missing"),
        ("Z0 *", 5, "term is missing"),
        ("*Z0", 1, "nothing to multiply"),
        ("Z0 2", 4, "number after a Pauli"),
        ("1e999*Z0", 1, "too large"),
        ("Z" + "9" * 30, 1, "no qubit"),
        ("Z0 ; X1", 4, "unexpected ';'"),
    ],
)
def test_refusals_name_the_column(text: str, column: int, says: str) -> None:
    with pytest.raises(ObservableRefused) as caught:
        parse_observable(text, 3)
    assert says in caught.value.message
    assert caught.value.column == column


@given(st.dictionaries(st.text("IXYZ", min_size=4, max_size=4), st.floats(-9, 9).filter(bool), min_size=1))
def test_dense_and_sparse_say_the_same(labels: dict[str, float]) -> None:
    dense = " + ".join(f"{coefficient!r} * {label}" for label, coefficient in labels.items())
    sparse = " + ".join(
        f"{coefficient!r} " + " ".join(f"{letter}{qubit}" for qubit, letter in enumerate(reversed(label)))
        for label, coefficient in labels.items()
    )
    assert terms(dense, 4) == terms(sparse, 4)
    assert len(terms(dense, 4)) == len(labels)

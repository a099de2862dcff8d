"""Costs of the variational workload → Pauli sums.

A cut, spins and bits become sums of Z products: a qubit that is 0 has spin +1. Equal products are merged.
"""

import math
from collections.abc import Iterable, Sequence

from qfleet_controlplane.compile import observables
from qfleet_controlplane.compile.errors import ObservableRefused, RequestRefused
from qfleet_wire.api import variational as asked
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import Observable, PauliTerm

FIELD = "work.cost"
TERMS = 100_000
"""Most terms of a cost."""

_Sum = dict[tuple[int, ...], float]


def observable(cost: asked.Cost, qubits: int) -> Observable:
    """Return a cost on so many qubits as a Pauli sum.

    Raises:
        RequestRefused: it cannot be read; with its place.
    """
    match cost:
        case asked.PauliCost(sum=text):
            return _parsed(text, qubits)
        case asked.CutCost(edges=edges):
            terms = _cut(edges)
        case asked.IsingCost():
            terms = _spins(cost)
        case asked.QuboCost():
            terms = _bits(cost)
    found = tuple(
        PauliTerm(coefficient, tuple(("Z", qubit) for qubit in qubits_of))
        for qubits_of, coefficient in sorted(terms.items())
        if coefficient
    )
    _check_terms(found)
    return Observable("", found)


def width(cost: asked.Cost) -> int:
    """Return how many qubits a cost needs at least, 0 for a constant.

    Raises:
        RequestRefused: a variable is not a number from 0 on, or too large a one.
    """
    match cost:
        case asked.PauliCost(sum=text):
            needed = observables.width(text)
        case asked.CutCost(edges=edges):
            needed = _widest("edges", ((edge.a, edge.b) for edge in edges))
        case asked.IsingCost() | asked.QuboCost():
            needed = max(
                _widest("linear", ((field.variable,) for field in cost.linear)),
                _widest("quadratic", ((coupling.a, coupling.b) for coupling in cost.quadratic)),
            )
    if needed > LIMITS.qubits:
        hint = f"a state vector has at most {LIMITS.qubits}; number the variables from 0 without gaps"
        raise RequestRefused(FIELD, f"needs {needed} qubits", hint)
    return needed


def is_diagonal(cost: Observable) -> bool:
    """Whether every term is a product of Z."""
    return all(letter == "Z" for term in cost.terms for letter, _ in term.paulis)


def _widest(field: str, entries: Iterable[tuple[int, ...]]) -> int:
    needed = 0
    for number, entry in enumerate(entries):
        if number >= TERMS:
            raise RequestRefused(f"{FIELD}.{field}", f"has more than {TERMS} entries", "give fewer")
        if min(entry) < 0:
            raise RequestRefused(f"{FIELD}.{field}[{number}]", f"names {min(entry)}", "count from 0")
        if len(set(entry)) < len(entry):
            hint = "give two different ones" if field == "edges" else "its square is 1 or itself: add it up"
            raise RequestRefused(f"{FIELD}.{field}[{number}]", f"names {entry[0]} twice", hint)
        needed = max(needed, *(each + 1 for each in entry))
    return needed


def _parsed(text: str, qubits: int) -> Observable:
    try:
        parsed = observables.parse_observable(text, qubits)
    except ObservableRefused as error:
        message = f"cannot be read at column {error.column}: {error.message}"
        raise RequestRefused(f"{FIELD}.sum", message, error.hint) from None
    _check_terms(parsed.terms)
    return parsed


def _check_terms(terms: Sequence[PauliTerm]) -> None:
    if not any(term.paulis for term in terms):
        raise RequestRefused(FIELD, "is constant", "give at least one term that depends on a qubit")
    if len(terms) > TERMS:
        raise RequestRefused(FIELD, f"has {len(terms)} terms", f"give at most {TERMS}")
    if not math.isfinite(sum(abs(term.coefficient) for term in terms)):
        raise RequestRefused(FIELD, "has coefficients that add up to no double", "scale them down")


def _cut(edges: tuple[asked.Edge, ...]) -> _Sum:
    """An edge of weight w adds -w/2 + w/2 Z_a Z_b: 0 where its ends are equal, else -w."""
    terms: _Sum = {}
    for number, edge in enumerate(edges):
        _finite(f"edges[{number}]", edge.weight)
        _add(terms, (), -edge.weight / 2)
        _add(terms, (edge.a, edge.b), edge.weight / 2)
    return terms


def _spins(cost: asked.IsingCost) -> _Sum:
    terms: _Sum = {(): _finite("offset", cost.offset)}
    for number, field in enumerate(cost.linear):
        _add(terms, (field.variable,), _finite(f"linear[{number}]", field.coefficient))
    for number, pair in enumerate(cost.quadratic):
        _add(terms, (pair.a, pair.b), _finite(f"quadratic[{number}]", pair.coefficient))
    return terms


def _bits(cost: asked.QuboCost) -> _Sum:
    """A bit x is (1 - Z)/2."""
    terms: _Sum = {(): _finite("offset", cost.offset)}
    for number, field in enumerate(cost.linear):
        half = _finite(f"linear[{number}]", field.coefficient) / 2
        _add(terms, (), half)
        _add(terms, (field.variable,), -half)
    for number, pair in enumerate(cost.quadratic):
        quarter = _finite(f"quadratic[{number}]", pair.coefficient) / 4
        _add(terms, (), quarter)
        _add(terms, (pair.a,), -quarter)
        _add(terms, (pair.b,), -quarter)
        _add(terms, (pair.a, pair.b), quarter)
    return terms


def _add(terms: _Sum, qubits: tuple[int, ...], coefficient: float) -> None:
    key = tuple(sorted(qubits))
    terms[key] = terms.get(key, 0.0) + coefficient


def _finite(field: str, value: float) -> float:
    if not math.isfinite(value):
        raise RequestRefused(f"{FIELD}.{field}", f"is {value}", "give a finite number")
    return value

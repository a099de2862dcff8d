"""Observables as they are read where outcomes are misread.

A product of Paulis is measured by turning each of its qubits, without error, so that the Pauli becomes Z,
and reading it. With a the probability to read 0 as 1, and b to read 1 as 0, the mean of the reading (+1 for
0, -1 for 1) is 1 - 2a in |0> and 2b - 1 in |1>: that of (1 - a - b) σ + (b - a) 1. So a product becomes the
product of these, and an observable another one, whose exact value is the mean of what is read.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.workload import NoiseModel, Observable, PauliTerm

PRODUCTS: Final = 4096
"""Most products that one observable may become."""

_Paulis: TypeAlias = tuple[tuple[str, int], ...]


def as_read(observables: Sequence[Observable], model: NoiseModel) -> tuple[Observable, ...]:
    """Return the observables whose values are the means of readings.

    Raises:
        RequestRefused: an observable becomes more than ``PRODUCTS`` products.
    """
    errors = {entry.qubit: (entry.zero_as_one, entry.one_as_zero) for entry in model.readout}
    if not errors:
        return tuple(observables)
    return tuple(_as_read(number, each, errors) for number, each in enumerate(observables))


def _as_read(number: int, observable: Observable, errors: dict[int, tuple[float, float]]) -> Observable:
    products: dict[_Paulis, float] = {}
    for term in observable.terms:
        for paulis, weight in _spread(number, term, errors).items():
            products[paulis] = products.get(paulis, 0.0) + weight
        if len(products) > PRODUCTS:
            raise _too_many(number)
    terms = tuple(PauliTerm(weight, paulis) for paulis, weight in products.items())
    return msgspec.structs.replace(observable, terms=terms)


def _spread(number: int, term: PauliTerm, errors: dict[int, tuple[float, float]]) -> dict[_Paulis, float]:
    products: dict[_Paulis, float] = {(): term.coefficient}
    for letter, qubit in term.paulis:
        zero_as_one, one_as_zero = errors.get(qubit, (0.0, 0.0))
        scale, shift = 1 - zero_as_one - one_as_zero, one_as_zero - zero_as_one
        found = {(*paulis, (letter, qubit)): weight * scale for paulis, weight in products.items()}
        products = found | ({paulis: weight * shift for paulis, weight in products.items()} if shift else {})
        if len(products) > PRODUCTS:
            raise _too_many(number)
    return products


def _too_many(number: int) -> RequestRefused:
    hint = "give shorter products, or a readout that misreads 0 and 1 equally often"
    return RequestRefused(
        f"observables[{number}]", f"becomes more than {PRODUCTS:,} products where outcomes are misread", hint
    )

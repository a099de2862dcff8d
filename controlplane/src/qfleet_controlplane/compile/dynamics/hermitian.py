"""Whether a sum of terms equals its adjoint at all times, seen from its form.

Each product becomes a tensor product of normalised matrices, each coefficient its normal form. A sum that
passes is Hermitian; one that is so only by an identity that the normal form does not know is refused, and
can be written with ``add_adjoint``.
"""

import itertools
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from qfleet_controlplane.compile.dynamics import matrices, normal
from qfleet_controlplane.compile.dynamics.matrices import Local
from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_wire.workload.dynamics import Operator, Term

_TOLERANCE = 1e-9
"""Difference that rounding may leave, relative to the largest coefficient."""

Key: TypeAlias = tuple[Local, ...]
"""A tensor product of normalised matrices, the identity left out."""


class Part(NamedTuple):
    """A tensor product, its scale, and the formula that multiplies it."""

    key: Key
    scale: complex
    term: int


def parts(operator: Operator, space: Space, term: int = 0) -> Iterable[Part]:
    """Expand an operator to tensor products of normalised matrices; what vanishes is left out."""
    for product in operator:
        scale, key = complex(product.real, product.imaginary), []
        for index, factors in itertools.groupby(product.factors, key=lambda factor: factor.subsystem):
            found = matrices.local(tuple(factors), index, space.subsystems[index])
            if found is None:
                break
            scale *= found[0]
            if found[1] is not None:
                key.append(found[1])
        else:
            yield Part(tuple(key), scale, term)


def without_partner(terms: tuple[Term, ...], space: Space) -> int | None:
    """The first term that the adjoint of the sum lacks; None if the sum is Hermitian."""
    forms = [normal.normal(term.coefficient) for term in terms]
    sums: dict[Key, normal.Sum] = {}
    first: dict[Key, int] = {}
    for number, term in enumerate(terms):
        for part in parts(term.operator, space, number):
            first.setdefault(part.key, number)
            sums[part.key] = normal.added(sums.get(part.key, {}), forms[number], part.scale)
    largest = max((abs(value) for one in sums.values() for value in one.values()), default=0.0)
    differences = dict(sums)
    for key, one in sums.items():
        scale, turned = _dagger(key)
        differences[turned] = normal.added(differences.get(turned, {}), normal.conjugate(one), -scale)
    wrong = [
        first.get(key, len(terms))
        for key, one in differences.items()
        if any(abs(value) > _TOLERANCE * largest for value in one.values())
    ]
    return min(wrong) if wrong else None


def is_hermitian(operator: Operator, space: Space) -> bool:
    """Whether an operator equals its adjoint."""
    return without_partner((Term(operator),), space) is None


def _dagger(key: Key) -> tuple[complex, Key]:
    scale, turned = 1.0 + 0.0j, []
    for one in key:
        factor, other = matrices.dagger(one)
        scale *= factor
        turned.append(other)
    return scale, tuple(turned)

"""What parts return, contracted over the cuts they share: a small tensor network in plain Python.

A part's values are a tensor with an index for each of its cuts (two for matrix elements: a path on either
side). Every cut belongs to two parts, so tensors are multiplied two by two, summing over what they share.
The order is found once, greedily, and its cost is known before anything runs.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from qfleet_controlplane.planning.cuts.cut import Cut

Index: TypeAlias = tuple[int, int]
"""A cut, and the side (0 or 1) of a matrix element."""


class Order(NamedTuple):
    """Pairs of tensors to multiply (each product goes to the end of the list), and multiplications in all."""

    pairs: tuple[tuple[int, int], ...]
    cost: int


class Tensor(NamedTuple):
    """Values in row-major order of the indices."""

    indices: tuple[Index, ...]
    values: Sequence[complex]


def indices(cut: Cut, *, sides: int) -> list[tuple[Index, ...]]:
    """Indices of each part's tensor: for amplitudes one side, for matrix elements two."""
    return [tuple((number, side) for side in range(sides) for number in part.cuts) for part in cut.parts]


def order(cut: Cut, *, sides: int) -> Order:
    """Find an order: next always the pair of neighbours whose product costs least."""
    left = dict(enumerate(map(frozenset, indices(cut, sides=sides))))
    pairs: list[tuple[int, int]] = []
    cost = 0
    while len(left) > 1:
        found = min(
            itertools.combinations(left, 2),
            key=lambda pair: (left[pair[0]].isdisjoint(left[pair[1]]), _size(cut, left, pair), pair),
        )
        cost += _size(cut, left, found)
        one, other = (left.pop(number) for number in found)
        left[len(cut.parts) + len(pairs)] = one ^ other
        pairs.append(found)
    return Order(tuple(pairs), cost)


def _size(cut: Cut, left: dict[int, frozenset[Index]], pair: tuple[int, int]) -> int:
    return math.prod(cut.terms[number] for number, _ in left[pair[0]] | left[pair[1]])


def contract(cut: Cut, tensors: Sequence[Tensor], wanted: Order) -> complex:
    """Multiply all tensors; every index belongs to two of them."""
    left = list(tensors)
    for one, other in wanted.pairs:
        left.append(_multiply(cut, left[one], left[other]))
    return complex(left[-1].values[0])


def _multiply(cut: Cut, one: Tensor, other: Tensor) -> Tensor:
    shared = tuple(index for index in one.indices if index in set(other.indices))
    free = tuple(index for index in one.indices if index not in shared)
    rest = tuple(index for index in other.indices if index not in shared)
    length = math.prod(cut.terms[number] for number, _ in shared)
    rows = _rows(_ordered(cut, one, free + shared), length)
    columns = _rows(_ordered(cut, other, rest + shared), length)
    values = [sum(map(operator.mul, row, column), 0j) for row in rows for column in columns]
    return Tensor(free + rest, values)


def _rows(values: Sequence[complex], length: int) -> list[Sequence[complex]]:
    return [values[at : at + length] for at in range(0, len(values), length)]


def _ordered(cut: Cut, tensor: Tensor, wanted: tuple[Index, ...]) -> Sequence[complex]:
    """Values in row-major order of other indices."""
    if wanted == tensor.indices:
        return tensor.values
    strides: dict[Index, int] = {}
    stride = 1
    for index in reversed(tensor.indices):
        strides[index] = stride
        stride *= cut.terms[index[0]]
    places = [0]
    for index in wanted:
        steps = [step * strides[index] for step in range(cut.terms[index[0]])]
        places = [place + step for place in places for step in steps]
    return [tensor.values[place] for place in places]

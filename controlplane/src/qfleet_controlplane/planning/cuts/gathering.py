"""The results of a cut program's tasks, in any order and any number of times: one answer for each point."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from qfleet_controlplane.planning.cuts import recombination
from qfleet_controlplane.planning.cuts.cut import COMPLEX_BYTES, Cut, Part
from qfleet_controlplane.planning.cuts.recombination import Tensor
from qfleet_controlplane.planning.merge import MergeConflict
from qfleet_wire import workload

Point: TypeAlias = list[list[workload.PartValues]]
"""For each part its values of one parameter point, in order of paths, all of them."""


def gathered(cut: Cut, results: Iterable[workload.PartResult]) -> dict[int, Point]:
    """Order results by point; points with a path missing are left out.

    Raises:
        MergeConflict: two results claim the same paths and differ.
    """
    known: dict[int, list[dict[int, workload.PartValues]]] = {}
    for result in results:
        for item in result.items:
            book = known.setdefault(item.index, [{} for _ in cut.parts])[result.part]
            if book.setdefault(item.first_path, item) != item:
                which = f"part {result.part} of item {item.index} from path {item.first_path}"
                raise MergeConflict(f"two different results for {which}")
    points = {
        index: [[book[first] for first in sorted(book)] for book in books] for index, books in known.items()
    }
    return {
        index: point
        for index, point in points.items()
        if all(_whole(part, values) for part, values in zip(cut.parts, point, strict=True))
    }


def _whole(part: Part, values: Sequence[workload.PartValues]) -> bool:
    return sum(each.paths for each in values) == part.paths


def amplitudes(cut: Cut, point: Point) -> list[complex]:
    """Amplitude of each bit string that is asked for."""
    order = recombination.order(cut, sides=1)
    indices = recombination.indices(cut, sides=1)
    rows = [_amplitude_rows(part, values) for part, values in zip(cut.parts, point, strict=True)]
    found: dict[tuple[int, ...], complex] = {}
    for chosen in dict.fromkeys(cut.strings):
        tensors = [Tensor(each, row[number]) for each, row, number in zip(indices, rows, chosen, strict=True)]
        found[chosen] = recombination.contract(cut, tensors, order)
    return [found[chosen] for chosen in cut.strings]


def expectations(cut: Cut, point: Point) -> list[float]:
    """Expectation value of each Pauli product that is asked for."""
    order = recombination.order(cut, sides=2)
    indices = recombination.indices(cut, sides=2)
    tables = [_tables(part, values) for part, values in zip(cut.parts, point, strict=True)]
    found: dict[tuple[int, ...], float] = {}
    for chosen in dict.fromkeys(cut.products):
        tensors = [
            Tensor(each, table[number]) for each, table, number in zip(indices, tables, chosen, strict=True)
        ]
        found[chosen] = recombination.contract(cut, tensors, order).real
    return [found[chosen] for chosen in cut.products]


def _amplitude_rows(part: Part, values: Sequence[workload.PartValues]) -> list[list[complex]]:
    """For each of the part's strings, its amplitude along every path."""
    rows: list[list[complex]] = [[] for _ in part.strings]
    for each in values:
        numbers = complexes(each.amplitudes)
        for index, row in enumerate(rows):
            row.extend(numbers[index * each.paths : (index + 1) * each.paths])
    return rows


def _tables(part: Part, values: Sequence[workload.PartValues]) -> list[list[complex]]:
    """For each of the part's products, ⟨φ_a|P|φ_b⟩ for all a and b, row by row; P is Hermitian."""
    size = part.paths
    tables = [[0j] * (size * size) for _ in part.products]
    for each in values:
        numbers = complexes(each.elements)
        width = size - each.first_path
        at = 0
        for table in tables:
            for row in range(each.first_path, each.first_path + each.paths):
                table[row * size + each.first_path : (row + 1) * size] = numbers[at : at + width]
                at += width
    for table in tables:
        for each in values:
            for row in range(each.first_path, each.first_path + each.paths):
                start = row * size
                column = table[row : each.first_path * size : size]
                table[start : start + each.first_path] = [entry.conjugate() for entry in column]
    return tables


def doubles(values: bytes) -> "array[float]":
    """Little-endian doubles."""
    numbers = array("d")
    numbers.frombytes(values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def complexes(values: bytes) -> list[complex]:
    """Little-endian complex doubles."""
    numbers = doubles(values)
    assert len(values) % COMPLEX_BYTES == 0, "a result is checked when it comes"
    return list(map(complex, numbers[0::2], numbers[1::2]))

"""A cut program as planning keeps it: its parts, and how their results belong together.

A program that is not cut is one part with one path. Numbers of the tasks: the paths of all parts are
numbered through, part by part, and a slice's ``first_block`` and ``shots`` are such a range, within one
part.
"""

import itertools
import math
from typing import NamedTuple

import msgspec

from qfleet_wire.costs import Load
from qfleet_wire.workload import Place

CAPABILITY = "circuit.part"
COMPLEX_BYTES = 16

Product = tuple[tuple[str, int], ...]


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One part.

    ``program`` is encoded; ``segments`` counts what is done before, between and after the places, ``cuts``
    names the cut at each place. ``factors`` has one entry for each parameter point, or a single one for
    all. ``rows`` is the most paths of one task whose states must be held together.
    """

    qubits: int
    program: bytes
    places: tuple[Place, ...]
    segments: tuple[Load, ...]
    cuts: tuple[int, ...]
    factors: tuple[bytes, ...]
    products: tuple[Product, ...] = ()
    strings: tuple[int, ...] = ()
    rows: int = 1

    @property
    def paths(self) -> int:
        """Number of paths through the part."""
        return math.prod(place.factors for place in self.places)

    def columns(self, first: int, rows: int) -> int:
        """Paths that are walked for a range: for matrix elements all from its first on."""
        return self.paths - first if self.products else rows

    def result_bytes(self, first: int, rows: int) -> int:
        """Bytes of values that a range of paths returns for one parameter point."""
        elements = len(self.products) * rows * (self.paths - first)
        return COMPLEX_BYTES * (elements + len(self.strings) * rows)


class Cut(msgspec.Struct, frozen=True):
    """All parts of a program of ``qubits`` qubits.

    ``terms`` counts the terms of each cut gate. ``products`` has for each Pauli product that is asked for its
    number among each part's products, ``strings`` the same for bit strings. ``told`` says why it is cut.
    """

    qubits: int
    terms: tuple[int, ...]
    parts: tuple[Part, ...]
    products: tuple[tuple[int, ...], ...] = ()
    strings: tuple[tuple[int, ...], ...] = ()
    told: tuple[str, ...] = ()

    @property
    def paths(self) -> int:
        """Number of paths through the whole program."""
        return math.prod(self.terms)

    @property
    def widest(self) -> int:
        """Width of the widest part."""
        return max(part.qubits for part in self.parts)


class Range(NamedTuple):
    """A slice's paths, counted within its part."""

    part: int
    first: int
    rows: int


def offsets(cut: Cut) -> list[int]:
    """Number of each part's first path, and of all paths of all parts."""
    return list(itertools.accumulate((part.paths for part in cut.parts), initial=0))


def located(cut: Cut, first: int, rows: int) -> Range:
    """Find the part of a range of numbers."""
    starts = offsets(cut)
    number = next(index for index in range(len(cut.parts)) if first < starts[index + 1])
    return Range(number, first - starts[number], rows)

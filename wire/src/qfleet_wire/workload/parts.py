"""``circuit.part``: a part of a cut program along a range of paths; a whole program has one part, one path.

Where a gate across parts was cut, one of a few operators acts on the part's qubit: its *factors*. A path of
the part chooses a factor at every place; paths are numbered with the first place as the most significant
digit. What comes back lets the parts be put together: amplitudes along each path, and for Pauli products P
the matrix elements ⟨φ_a|P|φ_b⟩ between the states φ of two paths.
"""

import msgspec

from qfleet_wire.circuit import Program


class Place(msgspec.Struct, frozen=True, array_like=True):
    """An end of a cut gate: before statement ``before``, one of ``factors`` operators acts on ``qubit``."""

    before: int
    qubit: int
    factors: int


class PartItem(msgspec.Struct, frozen=True):
    """One parameter point of a part, and the range of paths that is asked for.

    ``factors`` holds the 2×2 matrices of all places in order, of each place one after the other, row by row,
    as little-endian complex doubles.
    """

    index: int
    parameters: tuple[float, ...]
    factors: bytes
    first_path: int
    paths: int


class CircuitPart(msgspec.Struct, frozen=True, tag="circuit.part"):
    """Evaluate a part's paths; ``part`` is its number, which comes back with the answer.

    ``products`` are Pauli products, letters paired with qubits, and may be empty (the identity);
    ``strings`` are basis states as integers, qubit q as bit q. The program holds gates only.
    """

    program: Program
    seed: int
    part: int
    places: tuple[Place, ...]
    products: tuple[tuple[tuple[str, int], ...], ...]
    strings: tuple[int, ...]
    items: tuple[PartItem, ...]


class PartValues(msgspec.Struct, frozen=True):
    """One item's values as little-endian complex doubles.

    ``elements``: for each product, a row for each path a of the range, each with ⟨φ_a|P|φ_b⟩ for all paths
    b from the range's first to the part's last. ``amplitudes``: for each string, ⟨string|φ_a⟩ for each path
    of the range.
    """

    index: int
    first_path: int
    paths: int
    elements: bytes
    amplitudes: bytes


class PartResult(msgspec.Struct, frozen=True, tag="circuit.part"):
    """Answer to ``CircuitPart``."""

    part: int
    items: tuple[PartValues, ...]


def vectors(places: int, rows: int, *, further: bool) -> int:
    """State vectors that a part needs at once: both sides must count alike.

    One before each place and one at the end, one that is read; for matrix elements the ``rows`` of the range,
    and as many again where ``further`` paths follow it.
    """
    return places + 2 + rows * (2 if further else 1)

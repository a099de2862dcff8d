"""From pieces and a partition to the parts' programs and what each part is asked.

Every cut gate's terms are computed once, here, and both parts get their side of the same terms.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec

from qfleet_controlplane.planning.cuts import pieces, schmidt
from qfleet_controlplane.planning.cuts.cut import Cut, Part, Product
from qfleet_controlplane.planning.cuts.partition import Parts
from qfleet_controlplane.planning.cuts.pieces import Piece, Pieces
from qfleet_wire import circuit, codec, fusion_load
from qfleet_wire.costs import Load
from qfleet_wire.workload import Place

T = TypeVar("T", Product, int)

_ZERO: schmidt.Operator = (0j, 0j, 0j, 0j)


class Asked(NamedTuple):
    """Pauli products, and basis states as integers, of the whole program."""

    products: Sequence[Product] = ()
    strings: Sequence[int] = ()


def assemble(
    program: Pieces,
    parts: Parts,
    points: Sequence[Sequence[float]],
    parameters: tuple[str, ...],
    asked: Asked,
) -> Cut:
    """Make the parts' programs for these parameter points, at least one."""
    places = {qubit: (number, at) for number, part in enumerate(parts) for at, qubit in enumerate(part)}
    program = program.separated({qubit: number for qubit, (number, _) in places.items()})
    builders = [_Builder() for _ in parts]
    terms: list[int] = []
    for piece in program.pieces:
        owners = sorted({places[qubit][0] for qubit in piece.qubits})
        if len(owners) == 1:
            builders[owners[0]].add(_local(piece, places))
        else:
            each = pieces.terms(piece, points)
            count = max(map(len, each))
            for side, qubit in enumerate(piece.qubits):
                owner, at = places[qubit]
                builders[owner].cut(
                    len(terms), Place(0, at, count), [_side(one, side, count) for one in each]
                )
            terms.append(count)
    ends = [places[place] for place in program.places]
    products, chosen = _restricted([_shared(product, ends, len(parts)) for product in asked.products])
    strings, bits = _restricted([_split(string, ends, len(parts)) for string in asked.strings])
    built = tuple(
        builder.part(
            len(part), parameters, products[number] if products else (), strings[number] if strings else ()
        )
        for number, (builder, part) in enumerate(zip(builders, parts, strict=True))
    )
    return Cut(program.qubits, tuple(terms), built, chosen, bits)


class _Builder:
    """One part while it grows."""

    def __init__(self) -> None:
        self._body: list[circuit.Gate] = []
        self._places: list[Place] = []
        self._cuts: list[int] = []
        self._factors: list[list[bytes]] = []

    def add(self, gates: Iterable[circuit.Gate]) -> None:
        """Append gates of the part's own."""
        self._body.extend(gates)

    def cut(self, number: int, place: Place, factors: list[bytes]) -> None:
        """Append one end of a cut gate, with its factors at each point or at all of them."""
        self._places.append(msgspec.structs.replace(place, before=len(self._body)))
        self._cuts.append(number)
        self._factors.append(factors)

    def part(
        self, qubits: int, parameters: tuple[str, ...], products: Sequence[Product], strings: Sequence[int]
    ) -> Part:
        """Return what has grown."""
        bounds = [0, *(place.before for place in self._places), len(self._body)]
        points = max(map(len, self._factors), default=1)
        factors = tuple(
            b"".join(each[point if len(each) > 1 else 0] for each in self._factors) for point in range(points)
        )
        return Part(
            qubits,
            codec.encode(circuit.Program(qubits, (), parameters, tuple(self._body))),
            tuple(self._places),
            tuple(_counted(self._body[before:after], qubits) for before, after in pairwise(bounds)),
            tuple(self._cuts),
            factors,
            tuple(products),
            tuple(strings),
        )


def _counted(gates: Sequence[circuit.Gate], qubits: int) -> Load:
    run = fusion_load.count(gates, qubits)
    return run.whole + Load(parts=run.fixed_parts + run.bound_parts)


def _local(piece: Piece, places: dict[int, tuple[int, int]]) -> list[circuit.Gate]:
    """Name the gates' qubits as their part does."""
    return [
        msgspec.structs.replace(
            gate,
            qubits=tuple(places[qubit][1] for qubit in gate.qubits),
            controls=tuple(circuit.Control(places[each.qubit][1], each.value) for each in gate.controls),
        )
        for gate in piece.gates
    ]


def _side(terms: Sequence[schmidt.Term], side: int, count: int) -> bytes:
    """Encode one side of a gate's terms, as many as at the point that has most."""
    operators = [term[side] for term in terms] + [_ZERO] * (count - len(terms))
    numbers = [part for operator in operators for entry in operator for part in (entry.real, entry.imag)]
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _shared(product: Product, ends: Sequence[tuple[int, int]], parts: int) -> list[Product]:
    """Give each part its letters of a Pauli product."""
    letters: list[list[tuple[str, int]]] = [[] for _ in range(parts)]
    for letter, qubit in product:
        number, at = ends[qubit]
        letters[number].append((letter, at))
    return [tuple(sorted(each, key=_qubit)) for each in letters]


def _qubit(factor: tuple[str, int]) -> int:
    return factor[1]


def _split(string: int, ends: Sequence[tuple[int, int]], parts: int) -> list[int]:
    """Give each part its bits of a basis state."""
    found = [0] * parts
    for qubit, (number, at) in enumerate(ends):
        found[number] |= (string >> qubit & 1) << at
    return found


def _restricted(asked: Sequence[Sequence[T]]) -> tuple[list[list[T]], tuple[tuple[int, ...], ...]]:
    """Number what each part is asked, every distinct thing once."""
    if not asked:
        return [], ()
    known: list[dict[T, int]] = [{} for _ in asked[0]]
    chosen = tuple(
        tuple(book.setdefault(thing, len(book)) for book, thing in zip(known, each, strict=True))
        for each in asked
    )
    return [list(book) for book in known], chosen

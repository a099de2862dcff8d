"""A static program read as pieces: what may be cut, what must stay together, and what swaps only rename.

Gates on the same pair of qubits that nothing separates are one piece, so that ``cx rz cx`` has the two
terms of RZZ and not the four of two CX. A plain swap is no gate here: from there on, the two qubits have
each other's place.
"""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from qfleet_controlplane.planning.cuts import expansion, schmidt, unitaries
from qfleet_wire import circuit, circuit_facts

TOGETHER = 1e6
"""Weight of what no cut goes through."""


class Piece(NamedTuple):
    """Gates on these qubits, in order; ``bits`` is log2 of the terms that a cut between two qubits makes.

    On three qubits and more there is one gate.
    """

    qubits: tuple[int, ...]
    gates: tuple[circuit.Gate, ...]
    bits: float = 0.0


class Pieces(NamedTuple):
    """A program's pieces in an order of application, and where each of its qubits stands at the end."""

    qubits: int
    parameters: int
    pieces: tuple[Piece, ...]
    places: tuple[int, ...]

    def weights(self) -> dict[tuple[int, int], float]:
        """Sum of ``bits`` over each pair of qubits; ``TOGETHER`` within wider gates that cannot be expanded.

        Of those that can, what their gates on two qubits make is spread over all pairs.
        """
        found: dict[tuple[int, int], float] = {}
        for piece in self.pieces:
            for pair in itertools.combinations(sorted(piece.qubits), 2):
                found[pair] = found.get(pair, 0.0) + piece.bits
        return found

    def separated(self, owner: Mapping[int, int]) -> "Pieces":
        """Return the same with those wider gates expanded whose qubits have different owners."""
        if not any(_is_parted(piece, owner) for piece in self.pieces):
            return self
        reader = _Reader(self.qubits, self.parameters)
        for piece in self.pieces:
            for gate in piece.gates:
                for each in expansion.expanded(gate, owner) if _is_parted(piece, owner) else [gate]:
                    reader.take(each)
        return reader.finish()._replace(places=self.places)


def _is_parted(piece: Piece, owner: Mapping[int, int]) -> bool:
    return len(piece.qubits) > 2 and len({owner[qubit] for qubit in piece.qubits}) > 1


def read(program: circuit.Program) -> Pieces | None:
    """Take a program apart; None if it is not static."""
    split = circuit_facts.split_static(program)
    if split is None:
        return None
    reader = _Reader(program.qubits, len(program.parameters))
    for gate in split.gates:
        reader.take(gate)
    return reader.finish()


class _Reader:
    def __init__(self, qubits: int, parameters: int) -> None:
        self._qubits = qubits
        self._generic = generic(parameters)
        self._places = list(range(qubits))
        self._order: list[tuple[tuple[int, ...], list[circuit.Gate]]] = []
        self._last: dict[int, int] = {}
        self._tails: dict[int, list[circuit.Gate]] = {}

    def take(self, gate: circuit.Gate) -> None:
        """Read the next gate."""
        if gate.name == "swap" and not gate.controls and gate.power == 1:
            one, other = gate.qubits
            self._places[one], self._places[other] = self._places[other], self._places[one]
            return
        if not circuit_facts.qubits_of(gate):
            # A global phase matters to amplitudes, and engines drop it unless it is on a qubit.
            for value in (0, 1):
                self.take(msgspec.structs.replace(gate, controls=(circuit.Control(0, value),)))
            return
        placed = self._placed(gate)
        qubits = circuit_facts.qubits_of(placed)
        if len(qubits) == 1:
            self._tails.setdefault(qubits[0], []).append(placed)
            return
        known = {self._last.get(qubit, -1) for qubit in qubits}
        open_ = self._order[next(iter(known))] if len(known) == 1 and -1 not in known else None
        if open_ is not None and len(qubits) == 2 and set(qubits) == set(open_[0]):
            for qubit in qubits:
                open_[1].extend(self._tails.pop(qubit, ()))
            open_[1].append(placed)
            return
        for qubit in qubits:
            self._flush(qubit)
        self._last.update(dict.fromkeys(qubits, len(self._order)))
        self._order.append((qubits, [placed]))

    def finish(self) -> Pieces:
        """Return what was read."""
        for qubit in sorted(self._tails):
            self._flush(qubit)
        pieces = tuple(
            Piece(qubits, tuple(gates), self._bits(qubits, gates)) for qubits, gates in self._order
        )
        return Pieces(self._qubits, len(self._generic), pieces, tuple(self._places))

    def _flush(self, qubit: int) -> None:
        if tail := self._tails.pop(qubit, None):
            self._last[qubit] = len(self._order)
            self._order.append(((qubit,), tail))

    def _placed(self, gate: circuit.Gate) -> circuit.Gate:
        controls = tuple(circuit.Control(self._places[each.qubit], each.value) for each in gate.controls)
        return msgspec.structs.replace(
            gate, qubits=tuple(self._places[qubit] for qubit in gate.qubits), controls=controls
        )

    def _bits(self, qubits: tuple[int, ...], gates: list[circuit.Gate]) -> float:
        if len(qubits) > 2:
            (wide,) = gates
            spread = math.comb(len(qubits), 2)
            return expansion.pairs(wide) / spread if expansion.expandable(wide) else TOGETHER
        if len(qubits) < 2:
            return 0.0
        if len(gates) == 1 and gates[0].controls:
            return 1.0
        place = {qubit: number for number, qubit in enumerate(qubits)}
        return _generic_bits(tuple(_renamed(gate, place) for gate in gates), self._generic)


def generic(parameters: int) -> tuple[float, ...]:
    """Parameters at which no gate is special: a number of terms is largest almost everywhere."""
    return tuple(math.fmod(0.7390851332 + 0.6180339887 * index, 1.5) for index in range(parameters))


@functools.lru_cache(maxsize=4096)
def _generic_bits(gates: tuple[circuit.Gate, ...], parameters: tuple[float, ...]) -> float:
    return math.log2(len(schmidt.decompose(unitaries.product_of(gates, (0, 1), parameters))))


def _renamed(gate: circuit.Gate, place: dict[int, int]) -> circuit.Gate:
    controls = tuple(circuit.Control(place[each.qubit], each.value) for each in gate.controls)
    return msgspec.structs.replace(gate, qubits=tuple(place[q] for q in gate.qubits), controls=controls)


def terms(piece: Piece, points: Sequence[Sequence[float]]) -> list[tuple[schmidt.Term, ...]]:
    """Return the terms of a two-qubit piece at each point; one entry for all where no point matters."""
    pair = (piece.qubits[0], piece.qubits[1])
    each = points if any(_reads(angle) for gate in piece.gates for angle in gate.arguments) else points[:1]
    return [schmidt.decompose(unitaries.product_of(piece.gates, pair, point)) for point in each]


def _reads(expression: circuit.Expression) -> bool:
    match expression:
        case circuit.Unary(operand=operand) | circuit.Convert(operand=operand):
            return _reads(operand)
        case circuit.Binary(left=left, right=right):
            return _reads(left) or _reads(right)
        case _:
            return isinstance(expression, circuit.Parameter)

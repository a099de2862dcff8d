"""What a run of gates costs once neighbours are fused, counted from its structure alone.

It follows the grouping and the costs of the agent's ``engines.fusion`` and ``engines.kernels``, without a
matrix: a product is taken as diagonal when its factors are. A unit is a dense gate on one qubit.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from qfleet_wire import circuit, circuit_facts
from qfleet_wire.costs import Load

FROM_QUBITS = 7
"""On narrower states nothing is fused."""

_DENSE, _DENSE_PAIR, _DIAGONAL, _DIAGONAL_PAIR, _FLIP, _SWAP = 1.0, 1.9, 0.47, 0.85, 0.27, 0.3
_NAMED = {"x": 0.3, "y": 0.35, "z": 0.25, "h": 0.32, "s": 0.25, "sdg": 0.25, "t": 0.25, "tdg": 0.25}
_PART = (0.55, 0.85, 1.35)
"""Preparing a gate without an argument, with one, and with more, in units of a rotation …"""
_PRODUCT = 0.65
"""… and multiplying it into the matrix of a pair."""
_DIAGONALS = frozenset({"z", "s", "sdg", "t", "tdg", "p", "rz", "gphase"})


class _Item(NamedTuple):
    """An operation on the state: whether it is diagonal, its cost, its target, and that of preparing it."""

    qubits: tuple[int, ...]
    diagonal: bool
    cost: float
    target: int
    part: float = 0.0


class _Block:
    """Gates on the same qubits that nothing separates."""

    def __init__(self, qubits: tuple[int, ...]) -> None:
        self.qubits = qubits
        self.items: list[_Item] = []
        self.fixed = True


class Run(NamedTuple):
    """What a run of gates costs: all of it, and the part before the first gate that a parameter turns.

    ``parts`` of what is fixed are prepared once for all parameter points.
    """

    whole: Load
    shared: Load
    fixed_parts: float
    bound_parts: float


def count(gates: Iterable[circuit.Gate], qubits: int) -> Run:
    """Count a run of gates on a state of so many qubits."""
    steps = alike_steps = 0
    passes = alike_passes = 0.0
    parts = [0.0, 0.0]
    alike = True
    for block in _grouped(gates, fuse=qubits >= FROM_QUBITS):
        merged = _cheapest(block.items)
        steps += len(merged)
        passes += sum(item.cost for item in merged)
        product = len(block.items) > 1 and len(merged[0].qubits) == 2
        parts[block.fixed] += sum(item.part for item in block.items) + product * _PRODUCT * len(block.items)
        alike = alike and block.fixed
        if alike:
            alike_steps, alike_passes = steps, passes
    return Run(
        Load(steps=steps, passes=passes),
        Load(steps=alike_steps, passes=alike_passes),
        parts[True],
        parts[False],
    )


def _grouped(gates: Iterable[circuit.Gate], *, fuse: bool) -> list[_Block]:
    blocks: list[_Block] = []
    last: dict[int, _Block] = {}
    for gate in gates:
        qubits = tuple(sorted(circuit_facts.qubits_of(gate)))
        around = {id(last[qubit]): last[qubit] for qubit in qubits if qubit in last} if fuse else {}
        block = next(iter(around.values())) if len(around) == 1 else None
        if block is None or len(block.qubits) > 2 or not set(qubits) <= set(block.qubits):
            block = _Block(qubits)
            if len(qubits) == 2:
                for other in around.values():
                    _take(block, other)
            blocks.append(block)
            last.update(dict.fromkeys(qubits, block))
        item = _item(gate, qubits)
        if item is not None:
            block.items.append(item)
        block.fixed = block.fixed and not any(map(circuit_facts.reads_parameter, gate.arguments))
    return [block for block in blocks if block.items]


def _take(block: _Block, other: _Block) -> None:
    if len(other.qubits) == 1:
        block.items += other.items
        block.fixed = block.fixed and other.fixed
        other.items = []


def _item(gate: circuit.Gate, qubits: tuple[int, ...]) -> _Item | None:
    if gate.name == "id" or not qubits:
        return None
    controls = len(gate.controls) - (gate.name == "gphase")
    diagonal = gate.name in _DIAGONALS
    target = gate.qubits[0] if gate.qubits else qubits[-1]
    part = _PART[min(len(gate.arguments), 2)]
    return _Item(qubits, diagonal, _cost(gate, controls, diagonal=diagonal), target, part)


def _cost(gate: circuit.Gate, controls: int, *, diagonal: bool) -> float:
    if gate.power == 1 and not controls and gate.name in _NAMED:
        return _NAMED[gate.name]
    if gate.name == "swap" and not controls and gate.power == 1:
        return _SWAP
    if controls == 1 and gate.name in ("x", "z") and gate.power == 1:
        return _FLIP
    if controls < 2 and diagonal:
        return _DIAGONAL_PAIR if controls else _DIAGONAL
    dense = _DENSE_PAIR if gate.name == "swap" else _DENSE
    return float(dense * 0.5 ** max(0, controls - 1))


def _cheapest(items: Sequence[_Item]) -> Sequence[_Item]:
    if len(items) < 2:
        return items
    merged = _merged(items)
    qubits = tuple(sorted({qubit for item in items for qubit in item.qubits}))
    apart = sum(item.cost for item in merged)
    if len(qubits) != 2 or len(merged) < 2 or apart <= _DIAGONAL_PAIR:
        return merged
    diagonal = all(item.diagonal for item in items)
    together = _DIAGONAL_PAIR if diagonal else _DENSE_PAIR
    return [_Item(qubits, diagonal, together, qubits[0])] if together < apart else merged


def _merged(items: Sequence[_Item]) -> list[_Item]:
    """Put runs of gates on one qubit together."""
    merged: list[_Item] = []
    last: dict[int, int] = {}
    for item in items:
        place = last.get(item.target)
        if len(item.qubits) == 1 and place is not None and len(merged[place].qubits) == 1:
            diagonal = merged[place].diagonal and item.diagonal
            merged[place] = _Item(item.qubits, diagonal, _DIAGONAL if diagonal else _DENSE, item.target)
            continue
        last.update(dict.fromkeys(item.qubits, len(merged)))
        merged.append(item)
    return merged

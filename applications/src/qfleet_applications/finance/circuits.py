"""Circuits of the pack as OpenQASM 3: distributions, payoffs and sums, from gates that any simulator has.

A *value register* holds a number v with its least significant bit in its first qubit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float64]


@dataclass
class Circuit:
    """A program under construction on so many qubits."""

    qubits: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The program."""
        head = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{self.qubits}] q;\n'
        return head + "\n".join(self.lines) + "\n"

    def copy(self) -> "Circuit":
        """A program that goes on from here by itself."""
        return Circuit(self.qubits, list(self.lines))

    def ry(self, angle: float, target: int) -> None:
        """A rotation; none where the angle is 0."""
        if angle:
            self.lines.append(f"ry({angle!r}) q[{target}];")

    def cry(self, angle: float, control: int, target: int) -> None:
        """A rotation where the control is 1."""
        if angle:
            self.lines.append(f"cry({angle!r}) q[{control}], q[{target}];")

    def flip(self, controls: Sequence[int], target: int) -> None:
        """X where all controls are 1."""
        named = "".join(f"q[{one}], " for one in controls)
        prefix = f"ctrl({len(controls)}) @ " if controls else ""
        self.lines.append(f"{prefix}x {named}q[{target}];")


def rotate(circuit: Circuit, angles: Vector, controls: Sequence[int], target: int) -> None:
    """Rotate the target about y by ``angles[v]`` where the controls hold v.

    2^k rotations and as many CNOTs for k controls, in the order of a Gray code (Möttönen, Vartiainen,
    Bergholm, Salomaa, Phys. Rev. Lett. 93, 130502, 2004, equation 3).
    """
    size = len(angles)
    assert size == 1 << len(controls)
    turns = _walsh(angles) / size
    for step in range(size):
        circuit.ry(float(turns[step ^ step >> 1]), target)
        if controls:
            changed = step + 1 if step + 1 < size else size >> 1
            circuit.flip((controls[(changed & -changed).bit_length() - 1],), target)


def prepare(circuit: Circuit, probabilities: Vector, register: Sequence[int]) -> None:
    """Take a value register from |0⟩ to Σ √p(v) |v⟩, halving from the top.

    After Grover and Rudolph, quant-ph/0208112.
    """
    assert len(probabilities) == 1 << len(register)
    for level in range(len(register)):
        halves = probabilities.reshape(1 << level, 2, -1).sum(axis=2)
        angles = 2.0 * np.arctan2(np.sqrt(halves[:, 1]), np.sqrt(halves[:, 0]))
        place = len(register) - 1 - level
        rotate(circuit, angles, register[place + 1 :], register[place])


def mark(circuit: Circuit, shares: Vector, register: Sequence[int], target: int) -> None:
    """Make the target 1 with the chance ``shares[v]`` = sin²(angle / 2) where the register holds v."""
    rotate(circuit, 2.0 * np.arcsin(np.sqrt(np.clip(shares, 0.0, 1.0))), register, target)


def add(circuit: Circuit, amount: int, control: int, register: Sequence[int]) -> None:
    """Add a number to a value register where the control is 1, modulo its size: for each bit an increment."""
    for bit in range(len(register)):
        if amount >> bit & 1:
            for place in range(len(register) - 1, bit, -1):
                circuit.flip((control, *register[bit:place]), register[place])
            circuit.flip((control,), register[bit])


def words(values: Sequence[int], width: int) -> tuple[str, ...]:
    """Values of a register as outcomes of ``amplitude.estimate``: first qubit rightmost."""
    return tuple(f"{value:0{width}b}" for value in values)


def linear_share(share: Vector, scale: float) -> Vector:
    """The chance that the *linearised* payoff makes of a payoff ``share`` in [0, 1].

    sin²(cπ/2 (f - 1/2) + π/4), which is nearly linear for a small scale c (Woerner, Egger, npj Quantum
    Information 5, 15, 2019).
    """
    angle = math.pi / 2.0 * scale * (share - 0.5) + math.pi / 4.0
    return np.asarray(np.sin(angle) ** 2)


def from_linear(chance: float, scale: float) -> float:
    """The share that a chance of ``linear_share`` stands for at first order: biased by the third."""
    return float((chance - 0.5) * 2.0 / (math.pi * scale) + 0.5)


def _walsh(values: Vector) -> Vector:
    """The Walsh-Hadamard transform, without a factor."""
    found = np.array(values, dtype=np.float64)
    half = 1
    while half < len(found):
        pairs = found.reshape(-1, 2, half)
        found = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1).reshape(-1)
        half *= 2
    return found

"""What a Clifford program does on a stabilizer tableau, counted for ``costs``: per item, and per shot.

Most of a gate's time goes into reading it. A measurement whose outcome is open, and a Pauli product's
value, touch up to all of the tableau, n² numbers for n qubits. Shots are drawn by frames, 1,024 at a time,
which touch each gate and each measured bit; a bit takes about eighty times as long as a gate, for it is
brought into an outcome and counted.
"""

from qfleet_wire.costs import Load

_BITS = 1000.0
"""Bits of outcomes that are drawn in one look."""
_GATES_PER_BIT = 80.0


def elements(qubits: int) -> float:
    """Numbers that a pass touches."""
    return float(qubits) ** 2


def of_item(gates: int, values: int) -> Load:
    """Count what a parameter point begins with; ``values`` are measured bits or Pauli products."""
    return Load(items=1, parts=gates, passes=values)


def drawing(shots: float, gates: int, bits: int) -> Load:
    """Count drawing so many shots."""
    return Load(draws=shots * (bits + gates / _GATES_PER_BIT) / _BITS)

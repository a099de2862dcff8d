"""How a program is computed, where there is more than one way."""

from typing import Literal, TypeAlias

Method: TypeAlias = Literal["", "stabilizer", "density", "trajectories"]
"""A state vector where nothing is said; ``stabilizer`` for Clifford programs; for noise the ``density``
matrix, or ``trajectories`` on state vectors."""

WITHOUT_VECTOR: frozenset[str] = frozenset({"stabilizer"})
"""Methods whose cost does not grow with 2^qubits: a device's widest state vector says nothing about them."""

NOISY: frozenset[str] = frozenset({"density", "trajectories"})
"""Methods that take noise."""


def capability(kind: str, method: str = "") -> str:
    """Name what an engine must be able to do: a workload's kind, and the method where it names one."""
    return f"{kind}/{method}" if method else kind

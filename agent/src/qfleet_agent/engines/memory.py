"""How much memory a state-vector program needs, in bytes, beyond what a warm worker holds."""

from qfleet_agent.engines.errors import MemoryShort

AMPLITUDE_BYTES = 16
OVERHEAD_BYTES = 24 * 1024 * 1024
"""Gates, classical state, counts and the allocator's slack."""
_MOST_WAITING = 10


def states(qubits: int, count: int) -> int:
    """Bytes of ``count`` state vectors and the overhead."""
    return OVERHEAD_BYTES + count * (AMPLITUDE_BYTES << qubits)


def needed(qubits: int) -> int:
    """Bytes that a program of this width needs at least: its state, and one copy that is read."""
    return states(qubits, 2)


def drawn(qubits: int) -> int:
    """Bytes for drawing from the one state of a static program: it, and the sums of its rows, twice."""
    return states(qubits, 1) + (AMPLITUDE_BYTES << qubits >> 8)


def check(qubits: int, budget: int, need: int) -> None:
    """Refuse a program that cannot fit: ``need`` and ``budget`` in bytes.

    Raises:
        MemoryShort: with the numbers.
    """
    if need > budget:
        raise MemoryShort(
            f"{qubits} qubits need {need >> 20} MiB and the task may use {budget >> 20} MiB: "
            "use fewer qubits or a device with more memory"
        )


def group(qubits: int, budget: int) -> int:
    """Most shots of a dynamic program that may share trajectories within ``budget``.

    A group of 2^k shots keeps up to k states waiting, beside the current one, the one at the start,
    and the copy that probabilities are read from.
    """
    waiting = (budget - states(qubits, 3)) // (AMPLITUDE_BYTES << qubits)
    return 1 << max(0, min(_MOST_WAITING, waiting))

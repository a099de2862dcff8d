"""Whether a system fits into memory."""

import math

from qfleet_agent.engines.errors import MemoryShort
from qfleet_wire.workload import dynamics


def check(
    system: dynamics.System,
    budget: int,
    *,
    hamiltonian: int = 0,
    jumps: tuple[int, ...] = (),
    observables: int = 0,
) -> None:
    """Refuse a system that cannot fit into ``budget`` bytes; entries of its matrices as far as known.

    Raises:
        MemoryShort: with the numbers.
    """
    dimension = math.prod(each.levels for each in system.subsystems)
    needed = dynamics.memory_bytes(system.method, dimension, hamiltonian, jumps, observables)
    if needed > budget:
        state = "density matrix" if system.method == "mesolve" else "state vector"
        raise MemoryShort(
            f"{system.method} with a {state} of dimension {dimension} needs {needed >> 20} MiB, QuTiP "
            f"included, and the task may use {budget >> 20} MiB: use fewer subsystems or levels, or a device "
            "with more memory"
        )

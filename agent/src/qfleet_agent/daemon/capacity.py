"""What this device takes on: its profile, cut to what the machine really has. Pure."""

from collections.abc import Sequence

from qfleet_agent.engines import memory
from qfleet_agent.machine.admit import AMPLITUDE_BYTES, MIB, Bounds
from qfleet_agent.profiles import Hardware
from qfleet_agent.workers.bridge_frames import Site
from qfleet_wire.payloads import Engine
from qfleet_wire.profile import Profile

SYSTEM_BYTES = 192 * MIB
"""Memory that is left to the system and the agent itself."""
MEMORY_SHARE = 0.85
QUEUE_PER_WORKER = 4096
QUEUE_BYTES = 64 * MIB


def bounds(profile: Profile, hardware: Hardware, engines: Sequence[Engine], wanted: int | None) -> Bounds:
    """Return what the device may do; ``wanted`` is the setting for the number of workers."""
    most = profile.budget.workers
    workers = max(min(wanted or most, most, hardware.cores), 1)
    usable = max(int(hardware.memory_bytes * MEMORY_SHARE) - SYSTEM_BYTES, 0)
    return _bounds(profile, workers, usable // workers, engines)


def site_bounds(profile: Profile, site: Site, engines: Sequence[Engine], wanted: int | None) -> Bounds:
    """Return what a device may do whose tasks run on a cluster; ``wanted`` as in ``bounds``."""
    workers = min(wanted or profile.budget.workers, profile.budget.workers, site.threads)
    return _bounds(profile, workers, site.task_memory_bytes, engines)


def _bounds(profile: Profile, workers: int, usable: int, engines: Sequence[Engine]) -> Bounds:
    budget = profile.budget
    task_bytes = min(budget.task_memory_mib * MIB, usable)
    return Bounds(
        workers=workers,
        task_memory_bytes=task_bytes,
        max_qubits=min(budget.max_qubits, widest(task_bytes)),
        max_shots=budget.max_shots,
        task_ms=budget.task_seconds * 1000,
        disk_bytes=(budget.disk_mib - budget.disk_reserve_mib) * MIB,
        disk_reserve_bytes=budget.disk_reserve_mib * MIB,
        queue_tasks=max(workers, 1) * QUEUE_PER_WORKER,
        queue_bytes=QUEUE_BYTES,
        kinds={kind: engine.name for engine in engines for kind in engine.kinds},
        temperature_limit_c=budget.temperature_limit_c,
    )


def widest(memory_bytes: int) -> int:
    """Qubits of the widest state vector that fits in a worker's memory, with what drawing from it needs.

    Tasks that need more say so by their memory.
    """
    most = max((memory_bytes // AMPLITUDE_BYTES).bit_length() - 1, 0)
    return most if memory.drawn(most) <= memory_bytes else max(most - 1, 0)


def allowed(profile: Profile, engines: Sequence[Engine]) -> tuple[Engine, ...]:
    """Return the installed engines that the profile lets run."""
    return tuple(engine for engine in engines if engine.name in profile.engines)

"""What noise changes in the planning of programs: time, memory, split, and the sentences.

What it does was counted when it was compiled (``qfleet_wire.noise_load``). Trajectories are planned as other
programs that run once per shot; here is what a density matrix takes.
"""

from typing import Final

import msgspec

from qfleet_controlplane.compile.noise import DENSITY_QUBITS
from qfleet_controlplane.planning import cost, plan
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import costs, noise_load, payloads

QUTIP_BYTES: Final = 136 * 1024 * 1024
"""What a worker grows by when it imports QuTiP and SciPy."""
MATRICES: Final = 4
"""Matrices that an operation holds: before, after, and two to put axes in order or to mix."""
IMPORT_MS: Final = 2_000.0
"""Importing QuTiP, where it was not measured: a worker that has made no matrix lately does so first."""
_PASS, _STEP = 20.0, 150.0
"""A pass over the matrix in those of a state vector, and what it costs on the smallest one in gates, where
that was not measured: a superoperator has 4 or 16 entries in a row, and QuTiP its own overhead."""


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Rates of a density matrix: made once for each parameter point, then each shot is a draw."""
    load = job.noise_effort.density
    draws = noise_load.drawing(job.shots)
    if not calibration.curve:
        load = msgspec.structs.replace(load, passes=_PASS * load.passes, steps=_STEP * load.steps)
    side, elements = 2.0**job.qubits, 4.0**job.qubits
    return cost.Rates(
        costs.milliseconds(load, elements, calibration) + costs.milliseconds(job.ending, side, calibration),
        costs.milliseconds(draws, side, calibration) / max(1, job.shots),
        calibration.load_ms or IMPORT_MS,
    )


def memory_bytes(job: Specification) -> int:
    """Return the matrices of an operation, and QuTiP, which no idle worker holds."""
    return cost.BASE_BYTES + QUTIP_BYTES + MATRICES * (cost.STATE_BYTES << 2 * job.qubits) + len(job.program)


def told(job: Specification, fleet: Fleet) -> str:
    """Say how the noise is simulated, how long it takes, and why so."""
    here_ms, there_ms = _compared(job, fleet)
    about = f"about {cost.in_words(here_ms)} for a parameter point"
    chosen = len(job.noise_effort.methods) > 1
    if job.method == "density":
        why = f"; trajectories would take about {cost.in_words(there_ms)}" if chosen else ""
        size = f"{2**job.qubits:,} × {2**job.qubits:,}"
        return f"Noise by the density matrix of {size} elements, exactly: {about}{why}."
    each = f"Noise by trajectories, one for each of {plan.many(job.shots, 'shot')}: {about}"
    if chosen:
        return f"{each}; the density matrix would take about {cost.in_words(there_ms)}."
    if job.qubits > DENSITY_QUBITS:
        gibibytes = 16 * 4.0**job.qubits / 2**30
        return f"{each}. A density matrix of {job.qubits} qubits has {gibibytes:,.0f} GiB."
    return f"{each}. A program that its own outcomes steer has no density matrix, or none was asked for."


def by_points(job: Specification, fleet: Fleet, unit: str) -> tuple[tuple[Slice, ...], list[str]]:
    """Split a job by parameter points: each density matrix is made once."""
    slices, grouping = plan.by_items(job, fleet, unit)
    return slices, [told(job, fleet), *grouping]


def _compared(job: Specification, fleet: Fleet) -> tuple[float, float]:
    """Time of a parameter point by the job's method on this fleet, and by the other one."""
    elements = 2.0**job.qubits
    effort = job.noise_effort.trajectories
    block = effort.block + job.ending * effort.block.histories
    shots = job.shots / max(1, effort.block_shots)
    trajectories = costs.milliseconds(effort.item + block * shots, elements, cost.DEFAULT)
    density = rates(job, cost.DEFAULT).cost_ms(1, job.shots)
    here, there = (density, trajectories) if job.method == "density" else (trajectories, density)
    real = fleet.rates.cost_ms(1, job.shots)
    return real, there * real / here if here else there

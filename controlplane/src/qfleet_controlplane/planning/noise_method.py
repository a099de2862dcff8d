"""Which way a noisy program is simulated: by its density matrix, or by trajectories.

The cheaper one on a slow board that has measured nothing, so that the choice rests on the job and not on how
fast a fleet happens to be; among those that a device of the fleet can do, rather one that is there now.
"""

from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import kinds, needs
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import workload


def settled(job: Specification, devices: Sequence[tuple[needs.Capability, bool]]) -> Specification:
    """Return a noisy job with its method.

    Args:
        job: its program, with the methods that are possible and wanted.
        devices: those that are known, each with whether it is there now; there may be none.
    """
    options = sorted((by(job, method) for method in job.noise_effort.methods), key=total_ms)
    for wanted in (True, False):
        for option in options:
            needed = needs.requirement(option)
            if any(there >= wanted and needs.lacks(needed, able) is None for able, there in devices):
                return option
    return options[0]


def by(job: Specification, method: workload.Method) -> Specification:
    """Return the job done by one method. A trajectory is run once per shot; exact values need no shots."""
    if method == "trajectories":
        load = job.noise_effort.trajectories
        return msgspec.structs.replace(job, method=method, dynamic=True, load=load)
    shots = job.shots if job.kind == "circuit.sample" else 0
    return msgspec.structs.replace(job, method=method, shots=shots)


def total_ms(job: Specification) -> float:
    """Time of all its work on one such board."""
    return kinds.rates(job).cost_ms(job.items, job.shots)

"""How a program is computed: on a state vector, or on a stabilizer tableau where it is Clifford.

Two methods draw different numbers from the same seed, so the choice rests on the program and not on how
fast a fleet happens to be: below ``FEWEST_QUBITS``, or where a slow board would gain less than
``GAIN`` times, a program keeps to the state vector. Only where the fleet cannot do what is better is it
computed the other way.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from qfleet_controlplane.planning import kinds, needs, noise_method, plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire.limits import LIMITS

FEWEST_QUBITS = 16
GAIN = 2.0
_PROGRAMS = frozenset({"circuit.sample", "circuit.expect"})


class Device(NamedTuple):
    """A device, or some alike, that is known, and whether it is there now."""

    able: needs.Capability
    online: bool


def choose(job: Specification, devices: Iterable[Device]) -> Specification:
    """Settle how a program is computed by a fleet; what has no noise and is not Clifford is left as it is.

    Raises:
        plan.PlanRefused: it is wider than every state vector, and no tableau computes it.
    """
    if job.kind not in _PROGRAMS or job.method or job.cut is not None:
        return job
    known = list(devices)
    if job.noise is not None:
        return noise_method.settled(job, known)
    if not job.clifford:
        _check_width(job, known)
        return job
    first, second = _by_merit(job)
    for wanted in (True, False):
        for each in (first, second):
            if each is not None and any(device.online >= wanted and _runs(each, device) for device in known):
                return _explained(each, preferred=each is first)
    if known:
        raise _nobody(job, known)
    return _explained(first, preferred=True)


def _by_merit(job: Specification) -> tuple[Specification, Specification | None]:
    """The method to prefer, and the other; none for what no state vector holds."""
    tableau = msgspec.structs.replace(job, method="stabilizer")
    if job.qubits > LIMITS.qubits:
        return tableau, None
    gain = _board_ms(job) / _board_ms(tableau)
    return (tableau, job) if job.qubits >= FEWEST_QUBITS and gain >= GAIN else (job, tableau)


def _board_ms(job: Specification) -> float:
    """Time on a slow board that has measured nothing."""
    return kinds.rates(job).cost_ms(job.items, job.shots)


def _runs(job: Specification, device: Device) -> bool:
    return needs.lacks(needs.requirement(job), device.able) is None


def _explained(job: Specification, *, preferred: bool) -> Specification:
    if job.method:
        why = "whose cost does not double with each qubit"
        reason = f"All gates are Clifford: computed on a stabilizer tableau (stim), {why}."
    elif preferred:
        reason = "All gates are Clifford, and the program is small enough to stay on a state vector."
    else:
        reason = "All gates are Clifford, but no device that is online has stim: computed on a state vector."
    return msgspec.structs.replace(job, reason=reason)


def _check_width(job: Specification, known: list[Device]) -> None:
    """Refuse what is too wide for a state vector, with what keeps it from being computed otherwise."""
    widest = _widest(job, known)
    if job.qubits <= LIMITS.qubits and (widest is None or job.qubits <= widest or job.obstacle is None):
        return
    most = f"state vectors go to {LIMITS.qubits} qubits" if widest is None else _most(widest)
    why = "it is not" if job.obstacle is None else str(job.obstacle.why)
    raise plan.PlanRefused(
        f"the program has {job.qubits:,} qubits, and {most}: a wider one must be Clifford, and {why}",
        "use fewer qubits, or only Clifford gates: h, s, x, y, z, cx, cz, swap, turns by multiples of pi/2",
        where=(job.obstacle.line, job.obstacle.column) if job.obstacle and job.obstacle.line else None,
    )


def _nobody(job: Specification, known: list[Device]) -> plan.PlanRefused:
    widest = _widest(job, known)
    vector = "no device has an engine for state vectors" if widest is None else _most(widest)
    return plan.PlanRefused(
        f"the program is Clifford, but no device of this fleet has stim for it; and of its {job.qubits:,} "
        f"qubits as a state vector: {vector}",
        "install stim on a device: pip install 'qfleet-agent[clifford]', and let its profile allow it",
    )


def _widest(job: Specification, known: list[Device]) -> int | None:
    """Qubits of the widest state vector that a device takes."""
    vectors = [device.able for device in known if any(job.kind in one.kinds for one in device.able.engines)]
    return max((able.max_qubits for able in vectors), default=None)


def _most(widest: int) -> str:
    return f"the widest state vector that a device here takes has {widest}"

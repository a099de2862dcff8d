"""Probes of dynamics: qubits that do not know each other, each with a motion in closed form.

- With ``sesolve`` each is driven: H = (Δ Z + Ω (cos φ X + sin φ Y)) / 2 takes |0⟩ to |1⟩ with the probability
  Ω²/W² sin²(W t / 2), W² = Δ² + Ω² (Rabi's formula; Nielsen and Chuang, "Quantum Computation and Quantum
  Information", section 7.5.1).
- With ``mesolve`` and ``mcsolve`` each decays from |1⟩ with a rate γ, whatever its splitting: e^{-γt}. Along
  a trajectory it is in one of the two states, so of N trajectories a binomial number is left.
"""

import functools
import math
from typing import NamedTuple

from qfleet_controlplane.planning import agreement, merge
from qfleet_controlplane.planning.probes import works
from qfleet_controlplane.planning.probes.faults import Fault, hits_differ
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload
from qfleet_wire.workload.dynamics import DynamicsMethod, System

MOST_QUBITS = 5
TIMES = 9
FEWEST_TRAJECTORIES, MOST_TRAJECTORIES = 64, 1024
TOLERANCE = 1e-5
"""Of solutions: the solver is asked for 1e-9 in a step."""
_RTOL, _ATOL = 1e-9, 1e-11


class _Qubit(NamedTuple):
    """Splitting, drive and its phase, and rate of decay."""

    splitting: float
    drive: float
    phase: float
    rate: float

    def excited(self, time: float, method: DynamicsMethod) -> float:
        """Probability to be found in |1⟩."""
        if method != "sesolve":
            return math.exp(-self.rate * time)
        total = math.hypot(self.splitting, self.drive)
        return (self.drive / total * math.sin(total * time / 2.0)) ** 2


def make(parent: Specification, secret: bytes) -> Specification:
    """Qubits in the number of the parent's subsystems, solved by its method."""
    system = codec.decode(parent.problem, System)
    qubits = _qubits(secret, min(MOST_QUBITS, len(system.subsystems)))
    sampled = system.method == "mcsolve"
    work = api.DynamicsRequest(
        subsystems=tuple(api.DynamicsSubsystem(f"q{number}") for number in range(len(qubits))),
        hamiltonian=tuple(
            term for number, each in enumerate(qubits) for term in _terms(number, each, system.method)
        ),
        collapse=()
        if system.method == "sesolve"
        else tuple(
            api.DynamicsCollapse(f"a(q{number})", repr(each.rate)) for number, each in enumerate(qubits)
        ),
        initial={} if system.method == "sesolve" else {f"q{number}": "1" for number in range(len(qubits))},
        observables=tuple(f"n(q{number})" for number in range(len(qubits))),
        times=_times(secret),
        method=system.method,
        trajectories=min(MOST_TRAJECTORIES, max(FEWEST_TRAJECTORIES, parent.shots)) if sampled else 0,
        rtol=_RTOL,
        atol=_ATOL,
    )
    return works.of(api.JobRequest(kind="dynamics.solve", work=work), secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Compare every mean with the closed form."""
    if not isinstance(result, workload.DynamicsResult):
        return Fault(f"a {type(result).__name__} answers no dynamics", exact=True)
    system = codec.decode(probe.problem, System)
    qubits = _qubits(probe.secret, len(system.subsystems))
    wanted = [each.excited(time, system.method) for each in qubits for time in system.times]
    (values,) = merge.values([result]).values()
    level = agreement.LEVEL / len(wanted)
    for number, (right, told) in enumerate(zip(wanted, values, strict=True)):
        where = f"q{number // len(system.times)} at t = {system.times[number % len(system.times)]:g}"
        if system.method != "mcsolve":
            if abs(told.mean - right) > TOLERANCE:
                return Fault(f"the mean of {where} is {told.mean!r} instead of {right!r}", exact=True)
            continue
        difference = hits_differ(round(told.mean * probe.shots), probe.shots, right, level)
        if difference is not None:
            return Fault(f"trajectories left in {where} are {difference}", exact=False)
    return None


@functools.lru_cache(maxsize=32)
def _qubits(secret: bytes, number: int) -> tuple[_Qubit, ...]:
    stream = Stream(secret + b"qubits")
    bounds = ((-2.0, 2.0), (0.5, 3.0), (0.0, 2.0 * math.pi), (0.1, 0.8))
    return tuple(_Qubit(*(works.between(stream, *each) for each in bounds)) for _ in range(number))


def _times(secret: bytes) -> tuple[float, ...]:
    stream = Stream(secret + b"times")
    times = [0.0]
    while len(times) < TIMES:
        times.append(times[-1] + works.between(stream, 0.2, 0.8))
    return tuple(times)


def _terms(number: int, qubit: _Qubit, method: DynamicsMethod) -> list[api.DynamicsTerm]:
    turned = [("Z", qubit.splitting)]
    if method == "sesolve":
        turned += [("X", qubit.drive * math.cos(qubit.phase)), ("Y", qubit.drive * math.sin(qubit.phase))]
    return [api.DynamicsTerm(f"{letter}(q{number})", repr(size / 2.0)) for letter, size in turned]

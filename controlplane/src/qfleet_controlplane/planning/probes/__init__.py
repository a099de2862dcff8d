"""Tasks whose answer the control plane knows, of the kind and size of the work they are mixed into.

A device sees work like any other; whoever knows the secret from which a probe is drawn knows its answer.
Nothing but the secret is stored. How an answer is known, and how sure a fault is, stands in the module of
each kind: ``exact`` faults are impossible but for broken hardware, others happen to an honest device less
than once in 100,000 probes, which is what ``trust`` reckons with.
"""

import math
from types import MappingProxyType, ModuleType

from qfleet_controlplane.planning.probes import (
    amplitudes,
    annealing,
    dynamics,
    estimation,
    integration,
    kernel,
    minimising,
    programs,
)
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, workload

_KINDS = MappingProxyType[str, ModuleType](
    {
        "circuit.sample": programs,
        "circuit.expect": programs,
        "circuit.amplitudes": amplitudes,
        "dynamics.solve": dynamics,
        "anneal.sample": annealing,
        "variational.minimise": minimising,
        "amplitude.estimate": estimation,
        "kernel.matrix": kernel,
        "iit.phi": integration,
    }
)
"""Each has ``make(parent, secret)`` and ``fault(probe, result)``."""


def make(parent: Specification, secret: bytes) -> Specification:
    """A probe for the work of ``parent``: a job of one task."""
    if parent.kind == "probe.echo":
        return Specification(kind=parent.kind, seed=parent.seed, items=1, secret=secret, probe=True)
    made: Specification = _KINDS[parent.kind].make(parent, secret)
    return made


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Say what is wrong with a valid answer to a probe; None when it is right."""
    if probe.kind == "probe.echo":
        return None  # a wrong echo is no valid answer
    found: Fault | None = _KINDS[probe.kind].fault(probe, result)
    return found


def request(parent: api.JobRequest, probe: Specification, job: str) -> api.JobRequest:
    """What a person reads of a probe; devices see its work only."""
    return api.JobRequest(
        kind=parent.kind,
        name=f"probe of {job}",
        shots=probe.shots,
        observables=tuple(each.text for each in probe.observables),
        priority=parent.priority,
        time_limit_s=parent.time_limit_s,
        lost_after_s=parent.lost_after_s,
    )


def number_of(parent: Specification, tasks: int, all_tasks: int) -> int:
    """Probes to mix into so many of a job's tasks."""
    if parent.probe or not parent.probes or not tasks:
        return 0
    wanted = parent.probes * all_tasks if parent.probes < 1.0 else parent.probes
    return math.ceil(wanted * tasks / all_tasks)

"""Requests for dynamics, compiled and run here as a control plane and a device would."""

from typing import Any

import numpy as np

from qfleet_agent.engines import execution
from qfleet_controlplane.planning import kinds, merge, views
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, workload

SUBSYSTEM, TERM, COLLAPSE = api.DynamicsSubsystem, api.DynamicsTerm, api.DynamicsCollapse
QUBIT = (SUBSYSTEM("q"),)
BUDGET = 1 << 30


def asked(**work: Any) -> api.JobRequest:
    """A job that solves a qubit which nothing moves, with changes."""
    usual: dict[str, Any] = {
        "subsystems": QUBIT,
        "hamiltonian": (TERM("Z(q)"),),
        "observables": ("Z(q)",),
        "times": (0.0, 1.0),
    }
    return api.JobRequest(kind="dynamics.solve", work=api.DynamicsRequest(**(usual | work)))


def specification(seed: int = 7, **work: Any) -> Specification:
    return submission.specify(asked(**work), seed)


def ran(job: Specification, part: Slice | None = None, budget: int = BUDGET) -> workload.DynamicsResult:
    """Run a slice, or the whole job as one, through the bytes that a device gets."""
    part = part or Slice(0, job.items, 0, job.shots)
    work: Any = codec.decode(kinds.encode(job, part), workload.Work)  # type: ignore[arg-type] # a union of structs
    result = execution.execute(work, budget=budget, report=lambda _: None)
    assert isinstance(result, workload.DynamicsResult)
    assert kinds.fault(job, part, result) is None
    assert len(codec.encode(result)) <= kinds.result_bytes(job, part)
    return result


def viewed(job: Specification, *results: workload.DynamicsResult) -> api.DynamicsResultView:
    heading = views.Heading("j", "succeeded", asked())
    counted = [views.Counted(result, "pi", "qutip", "5", 1.0) for result in results]
    view = kinds.view(heading, job, counted)
    assert isinstance(view, api.DynamicsResultView)
    return view


def solved(**work: Any) -> Any:
    """Means of all points, shape (points, observables, times)."""
    job = specification(**work)
    view = viewed(job, ran(job))
    return np.array([[curve.values for curve in item.curves] for item in view.items])


def errors(*results: workload.DynamicsResult) -> Any:
    """Standard errors of the first item, flat."""
    return np.array([value.standard_error for value in merge.values(results)[0]])

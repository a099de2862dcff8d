"""Data points and jobs about their kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt
from tests.unit import workload_runs

from qfleet_wire import api

OWN = """OPENQASM 3; include "stdgates.inc";
input float a; input float b;
qubit[3] q;
h q; ry(2*a) q[0]; cx q[0], q[1]; rz(a*b) q[1]; ctrl @ rx(b) q[1], q[2];
"""


def points(count: int, features: int, seed: int = 1) -> tuple[tuple[float, ...], ...]:
    """Random data between 0 and 2π."""
    drawn = np.random.default_rng(seed).uniform(0, 2 * np.pi, (count, features))
    return tuple(map(tuple, drawn.tolist()))


def request(
    data: Any, feature_map: Any = None, *, job: dict[str, Any] | None = None, **work: Any
) -> api.JobRequest:
    """Ask for a kernel; ``job`` are fields of the job, others of its work."""
    asked = api.KernelRequest(points=data, feature_map=feature_map, **work)
    return api.JobRequest(kind="kernel.matrix", work=asked, **({"seed": 1} | (job or {})))


def view_of(asked: api.JobRequest, *, tasks: int = 1) -> api.KernelResultView:
    """Run a job and return what people see."""
    view = workload_runs.run(asked, tasks=tasks).view
    assert isinstance(view, api.KernelResultView)
    return view


def matrix_of(asked: api.JobRequest, *, tasks: int = 1) -> npt.NDArray[np.float64]:
    """Run a job and return its matrix."""
    return np.array(view_of(asked, tasks=tasks).matrix)

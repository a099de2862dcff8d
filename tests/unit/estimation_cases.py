"""Amplitudes to estimate, and a job about them from request to result."""

import math
from typing import Any

from qfleet_agent.engines import amplitude
from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service.submission import specify
from qfleet_wire import api, codec, workload

HEADER = 'OPENQASM 3.0; include "stdgates.inc";'
ENTANGLED = (
    f"{HEADER} qubit[3] q; ry(0.7) q[0]; cx q[0], q[2]; ry(1.1) q[1]; crx(0.4) q[1], q[2]; t q[2]; h q[0];"
)
BUDGET = 1 << 30


def turned(chance: float) -> str:
    """A program whose qubit 0 is 1 with this chance."""
    return f"{HEADER} qubit[1] q; ry({2.0 * math.asin(math.sqrt(chance))!r}) q[0];"


def request(*problems: api.AmplitudeProblem, **fields: Any) -> api.JobRequest:
    asked = problems or (api.AmplitudeProblem(program=ENTANGLED, objective=(2,)),)
    return api.JobRequest(
        kind="amplitude.estimate", work=api.AmplitudeRequest(problems=asked, **fields), seed=7
    )


def specification(asked: api.JobRequest, seed: int = 7) -> Specification:
    return specify(asked, seed)


def ran(job: Specification, part: Slice | None = None) -> workload.AmplitudeResult:
    """What a device answers to a slice, all problems if none is given."""
    part = part or Slice(0, job.items, 0, 0)
    work: workload.Work = codec.decode(kinds.encode(job, part), workload.Work)  # type: ignore[arg-type] # a union of structs
    return amplitude.run(work, budget=BUDGET, report=lambda _: None)


def viewed(asked: api.JobRequest, *results: workload.AmplitudeResult) -> api.AmplitudeResultView:
    counted = [views.Counted(result, "pi-1", "qulacs", "0.6", 1.0) for result in results]
    view = kinds.view(views.Heading("job-1", "succeeded", asked), specification(asked), counted)
    assert isinstance(view, api.AmplitudeResultView)
    return view

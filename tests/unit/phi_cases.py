"""Systems of few qubits, and a job about them from request to result."""

from typing import Any

from qfleet_agent.engines import integration
from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service.submission import specify
from qfleet_wire import api, codec, workload

HEADER = 'OPENQASM 3.0; include "stdgates.inc";'
CNOT = f"{HEADER} qubit[2] q; cx q[0], q[1];"
CNOT_OF_THREE = f"{HEADER} qubit[3] q; cx q[1], q[2];"
NOTHING = f"{HEADER} qubit[3] q;"
GHZ = f"{HEADER} qubit[3] q; h q[0]; cx q[0], q[1]; cx q[1], q[2];"
ROOT = 3**-0.5
W = (0.0, ROOT, ROOT, 0.0, ROOT, 0.0, 0.0, 0.0)


def request(**fields: Any) -> api.JobRequest:
    whole: dict[str, Any] = {"program": CNOT} | fields
    if not {"state", "preparation", "amplitudes", "density"} & whole.keys():
        whole["state"] = "10"
    return api.JobRequest(kind="iit.phi", work=api.PhiRequest(**whole), seed=7)


def specification(asked: api.JobRequest) -> Specification:
    return specify(asked, 7)


def ran(job: Specification, part: Slice | None = None) -> workload.PhiResult:
    """What a device answers to a slice, all items if none is given."""
    part = part or Slice(0, job.items, 0, 0)
    work: workload.Work = codec.decode(kinds.encode(job, part), workload.Work)  # type: ignore[arg-type] # a union of structs
    return integration.run(work, budget=1 << 30, report=lambda _: None)


def viewed(asked: api.JobRequest, *results: workload.PhiResult) -> api.PhiResultView:
    counted = [views.Counted(result, "pi-1", "numpy", "2", 1.0) for result in results]
    view = kinds.view(views.Heading("job-1", "succeeded", asked), specification(asked), counted)
    assert isinstance(view, api.PhiResultView)
    return view


def answer(**fields: Any) -> api.PhiResultView:
    """Ask, run and merge."""
    asked = request(**fields)
    return viewed(asked, ran(specification(asked)))


def table(view: api.PhiResultView, direction: str) -> dict[tuple[str, str], float]:
    """φ by mechanism and purview, spelled as letters, where it is not 0."""
    return {
        (spelled(one.mechanism), spelled(each.purview)): round(each.phi, 6)
        for one in view.distinctions
        if one.direction == direction
        for each in one.purviews
        if each.phi
    }


def spelled(qubits: tuple[int, ...]) -> str:
    return "".join("ABC"[qubit] for qubit in qubits)

"""Small models, and a job about them from request to result."""

import json
from typing import Any

import dimod
import numpy as np

from qfleet_agent.engines import annealing
from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service.submission import specify
from qfleet_wire import api, codec, workload

BUDGET = 1 << 30


def model(variables: int, kind: str, seed: int = 1) -> dimod.BinaryQuadraticModel:
    """A dense random model; biases with many digits, so that no two states are equal by chance."""
    rng = np.random.default_rng(seed)
    linear = {index: float(rng.normal()) for index in range(variables)}
    pairs = {(one, other): float(rng.normal()) for one in range(variables) for other in range(one)}
    return dimod.BinaryQuadraticModel(linear, pairs, 0.25, kind)


def serialized(bqm: dimod.BinaryQuadraticModel) -> dict[str, Any]:
    """A model as it arrives: JSON and back."""
    fields: dict[str, Any] = json.loads(json.dumps(bqm.to_serializable(use_bytes=False)))
    return fields


def request(bqm: dimod.BinaryQuadraticModel, **fields: Any) -> api.JobRequest:
    whole: dict[str, Any] = {"model": serialized(bqm), "reads": 40, "sweeps": 100} | fields
    return api.JobRequest(kind="anneal.sample", work=api.AnnealRequest(**whole), seed=7)


def exact(bqm: dimod.BinaryQuadraticModel) -> dimod.SampleSet:
    """All states of a model, by ``dimod``."""
    return dimod.ExactSolver().sample(bqm)  # type: ignore[no-untyped-call] # not annotated


def specification(asked: api.JobRequest) -> Specification:
    return specify(asked, 7)


def ran(job: Specification, part: Slice) -> workload.AnnealResult:
    """What a device answers to a slice."""
    work: workload.Work = codec.decode(kinds.encode(job, part), workload.Work)  # type: ignore[arg-type] # a union of structs
    return annealing.run(work, budget=BUDGET, report=lambda _: None)


def viewed(asked: api.JobRequest, *results: workload.AnnealResult) -> api.AnnealResultView:
    counted = [views.Counted(result, "pi-1", "dwave-samplers", "1.6.0", 1.0) for result in results]
    view = kinds.view(views.Heading("job-1", "succeeded", asked), specification(asked), counted)
    assert isinstance(view, api.AnnealResultView)
    return view

"""``probe.echo``: one task each, and its answer is known."""

from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import cost, plan, views
from qfleet_controlplane.planning.plan import Fleet, PlanRefused, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload

ANSWER = workload.EchoResult
ECHO = b"qfleet probe"
"""What every echo must return: a known answer."""
ECHO_MS = 0.5
"""An echo costs its way through the agent and nothing else."""
_BYTES = 1024 * 1024
_RESULT_BYTES = 1024
_WORK = msgspec.Raw(codec.encode(workload.ProbeEcho(data=ECHO)))


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Return the same for all devices."""
    del job, calibration
    return cost.Rates(ECHO_MS, 0.0)


def memory_bytes(job: Specification) -> int:
    """Return next to nothing."""
    del job
    return _BYTES


useful_memory_bytes = memory_bytes


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Make a task of each echo."""
    del fleet
    if job.items > plan.MOST_TASKS:
        raise PlanRefused(f"{job.items:,} echoes are over the limit of {plan.MOST_TASKS:,} tasks in one job")
    slices = tuple(Slice(index, 1, 0, 0) for index in range(job.items))
    return slices, [f"{plan.many(job.items, 'echo', 'echoes')}: one task each."]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Return the work, which is the same for all."""
    del job, part
    return _WORK


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the known answer."""
    del job, part
    return _RESULT_BYTES


def fault(job: Specification, part: Slice, result: workload.EchoResult) -> str | None:
    """Compare with what was sent."""
    del job, part
    return None if result.data == ECHO else "the echo differs from what was sent"


def differ(one: workload.EchoResult, other: workload.EchoResult) -> str | None:
    """Compare two echoes."""
    return None if one == other else "the echoes are not equal"


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.EchoResult],
    sources: views.Sources,
) -> api.EchoResultView:
    """Count what came back."""
    del job
    return api.EchoResultView(job=heading.job, status=heading.status, items=len(results), sources=sources)

"""Every kind of workload, and the questions that planning asks of one."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, views
from qfleet_controlplane.planning.kinds import (
    annealing,
    echo,
    expectation,
    integration,
    sampling,
    variational,
)
from qfleet_controlplane.planning.kinds.base import Kind
from qfleet_controlplane.planning.plan import MOST_TASKS, Fleet, Plan, PlanRefused, Slice, capacity
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, payloads, workload

KINDS: dict[str, Kind] = {
    "probe.echo": echo,
    "circuit.sample": sampling,
    "circuit.expect": expectation,
    "anneal.sample": annealing,
    "variational.minimise": variational,
    "iit.phi": integration,
}
"""A new kind is a module and a line here."""


def plan(job: Specification, fleet: Fleet) -> Plan:
    """Split a job over the workers of a fleet; an empty fleet counts as four workers.

    Raises:
        PlanRefused: it cannot be planned.
    """
    slices, sentences = KINDS[job.kind].split(job, fleet)
    if job.copies > 1:
        slices, sentences = copied(job, slices, sentences)
    reason = (job.reason,) if job.reason else ()
    return Plan(slices, (*reason, *sentences, capacity(fleet)), job.items, memory_bytes(job))


def copied(
    job: Specification, slices: tuple[Slice, ...], sentences: list[str]
) -> tuple[tuple[Slice, ...], list[str]]:
    """Let the copies of each slice stand side by side."""
    if len(slices) * job.copies > MOST_TASKS:
        message = f"{len(slices):,} tasks with {job.copies} copies are over the limit of {MOST_TASKS:,} tasks"
        raise PlanRefused(message, "let fewer devices be asked, or make the job smaller")
    told = (
        f"Each task is given to {job.agree} different devices, and to up to {job.copies} until {job.agree} "
        "of their results agree."
    )
    return tuple(part for part in slices for _ in range(job.copies)), [*sentences, told]


def rates(job: Specification, calibration: payloads.Calibration = cost.DEFAULT) -> cost.Rates:
    """Rates of a job on a device with this calibration."""
    return KINDS[job.kind].rates(job, calibration)


def typical(job: Specification, calibrations: Iterable[payloads.Calibration]) -> cost.Rates:
    """Rates on the fleet's median device; on the default one when the fleet is empty."""
    each = [rates(job, calibration) for calibration in calibrations]
    if not each:
        return rates(job)
    return cost.Rates(*map(statistics.median, zip(*each, strict=True)))


def memory_bytes(job: Specification) -> int:
    """Memory that a task needs at least."""
    return KINDS[job.kind].memory_bytes(job)


def useful_memory_bytes(job: Specification) -> int:
    """Memory beyond which a task would not run faster."""
    return KINDS[job.kind].useful_memory_bytes(job)


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work of one slice: the bytes of a ``workload.Work``."""
    return KINDS[job.kind].encode(job, part)


def result_bytes(job: Specification, part: Slice) -> int:
    """Room that the slice's result needs at most: the disk a device reserves for it."""
    return KINDS[job.kind].result_bytes(job, part)


def fault(job: Specification, part: Slice, result: workload.WorkResult) -> str | None:
    """Say what is wrong with a slice's result; None when it is valid.

    The first *valid* result of a task counts, so what a device sends is checked against the slice it
    was given.
    """
    kind = KINDS[job.kind]
    if not isinstance(result, kind.ANSWER):
        return f"a {type(result).__name__} does not answer {job.kind}"
    return kind.fault(job, part, result)


def differ(one: workload.WorkResult, other: workload.WorkResult) -> str | None:
    """Say how two results of one task contradict each other; None when they agree."""
    if one == other:
        return None
    if type(one) is not type(other):
        return "the answers are of different kinds"
    return KINDS[str(one.__struct_config__.tag)].differ(one, other)


def contradiction(one: workload.WorkResult, other: workload.WorkResult, *, exact: bool) -> str | None:
    """As ``differ``; with ``exact``, results must be equal up to rounding, whatever chance might explain."""
    return agreement.unequal(one, other) if exact else differ(one, other)


def view(heading: views.Heading, job: Specification, results: Sequence[views.Counted]) -> api.ResultView:
    """Merge the results of a job's tasks and show them; tasks without a result are left out."""
    kind = KINDS[job.kind]
    answers = [counted.result for counted in results if isinstance(counted.result, kind.ANSWER)]
    return kind.view(heading, job, answers, views.source_views(results))

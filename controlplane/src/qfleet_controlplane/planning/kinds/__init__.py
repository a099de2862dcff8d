"""Every kind of workload, and the questions that planning asks of one."""

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, views
from qfleet_controlplane.planning.kinds import (
    amplitude,
    annealing,
    dynamics,
    echo,
    expectation,
    integration,
    kernel,
    parts,
    programs,
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
    "amplitude.estimate": amplitude,
    "iit.phi": integration,
    "circuit.amplitudes": parts,
    "kernel.matrix": kernel,
    "dynamics.solve": dynamics,
}
"""A new kind is a module and a line here."""

_BY_ANSWER: dict[type[workload.WorkResult], Kind] = {kind.ANSWER: kind for kind in KINDS.values()}


def kind_of(job: Specification) -> Kind:
    """Return the module of a job's kind; whatever is cut is planned as parts."""
    return KINDS[job.kind] if job.cut is None else parts


def plan(job: Specification, fleet: Fleet) -> Plan:
    """Split a job over the workers of a fleet; an empty fleet counts as four workers.

    Raises:
        PlanRefused: it cannot be planned.
    """
    slices, sentences = kind_of(job).split(job, fleet)
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
    return kind_of(job).rates(job, calibration)


def typical(job: Specification, calibrations: Iterable[payloads.Calibration]) -> cost.Rates:
    """Rates on the fleet's median device; on the default one when the fleet is empty."""
    each = [rates(job, calibration) for calibration in calibrations]
    if not each:
        return rates(job)
    return cost.Rates(*map(statistics.median, zip(*each, strict=True)))


def memory_bytes(job: Specification) -> int:
    """Memory that a task needs at least."""
    return kind_of(job).memory_bytes(job)


def copying_bytes(job: Specification) -> int:
    """Memory that a task needs on an agent that copies a state before it draws from it; 0: it copies none."""
    return programs.copying_bytes(job)


def useful_memory_bytes(job: Specification) -> int:
    """Memory beyond which a task would not run faster."""
    return kind_of(job).useful_memory_bytes(job)


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work of one slice: the bytes of a ``workload.Work``."""
    return kind_of(job).encode(job, part)


def result_bytes(job: Specification, part: Slice) -> int:
    """Room that the slice's result needs at most: the disk a device reserves for it."""
    return kind_of(job).result_bytes(job, part)


def fault(job: Specification, part: Slice, result: workload.WorkResult) -> str | None:
    """Say what is wrong with a slice's result; None when it is valid.

    The first *valid* result of a task counts, so what a device sends is checked against the slice it
    was given.
    """
    kind = kind_of(job)
    if not isinstance(result, kind.ANSWER):
        return f"a {type(result).__name__} does not answer {job.kind}"
    return kind.fault(job, part, result)


def differ(one: workload.WorkResult, other: workload.WorkResult) -> str | None:
    """Say how two results of one task contradict each other; None when they agree."""
    if one == other:
        return None
    if type(one) is not type(other):
        return "the answers are of different kinds"
    return _BY_ANSWER[type(one)].differ(one, other)


_REPRODUCED = frozenset({"probe.echo", "circuit.sample", "circuit.expect", "kernel.matrix", "iit.phi"})
"""Kinds whose results one engine gives again on any processor of an architecture.

Optimisers, annealers and adaptive integrators turn a difference in the last digit into another path.
"""


def reproduced(one: workload.WorkResult) -> bool:
    """Whether the same engine on the same architecture must give this result again."""
    return str(one.__struct_config__.tag) in _REPRODUCED


def contradiction(one: workload.WorkResult, other: workload.WorkResult, *, exact: bool) -> str | None:
    """As ``differ``; with ``exact``, results that are reproduced must be equal up to rounding."""
    if isinstance(one, workload.PartResult):  # never by chance; and its numbers are packed
        return differ(one, other)
    return agreement.unequal(one, other) if exact and reproduced(one) else differ(one, other)


def view(heading: views.Heading, job: Specification, results: Sequence[views.Counted]) -> api.ResultView:
    """Merge the results of a job's tasks and show them; tasks without a result are left out."""
    kind = kind_of(job)
    answers = [counted.result for counted in results if isinstance(counted.result, kind.ANSWER)]
    return kind.view(heading, job, answers, views.source_views(results))

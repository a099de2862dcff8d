"""``dynamics.solve``: means over time, point by point; trajectories in blocks."""

import functools
import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import efforts, moments, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import TRAJECTORIES_PER_BLOCK
from qfleet_wire.workload.dynamics import System

ANSWER = workload.DynamicsResult
rates = efforts.rates
memory_bytes = efforts.memory_bytes
useful_memory_bytes = memory_bytes


class _Solve(msgspec.Struct, frozen=True, tag="dynamics.solve"):
    """``workload.DynamicsSolve`` with the system as encoded bytes."""

    system: msgspec.Raw
    seed: int
    items: tuple[workload.ExpectItem, ...]


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by point, and trajectories by blocks."""
    told = _measure(job, fleet)
    slices = plan.by_blocks(job, fleet, TRAJECTORIES_PER_BLOCK) if job.shots else None
    if slices is None:
        slices, grouping = plan.by_items(job, fleet, programs.POINT)
        if job.shots > TRAJECTORIES_PER_BLOCK:
            grouping.insert(0, "Its trajectories stay together: splitting would cost more than it saves.")
        return slices, [told, *grouping]
    pieces = len(slices) // job.items
    return slices, [
        told,
        (
            f"Each trajectory has a seed of its own: {job.shots:,} are split by blocks of "
            f"{TRAJECTORIES_PER_BLOCK} into {plan.many(pieces, 'piece')}"
            f"{' for each parameter point' if job.items > 1 else ''}, "
            f"{plan.many(len(slices), 'task')} in all."
        ),
    ]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work; the system's bytes stand in it as they are."""
    points = job.points or ((),) * job.items
    items = tuple(
        workload.ExpectItem(index, points[index], part.first_block, part.shots)
        for index in range(part.first_item, part.first_item + part.items)
    )
    return msgspec.Raw(codec.encode(_Solve(msgspec.Raw(job.problem), job.seed, items)))


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the sums of each block."""
    blocks = math.ceil(part.shots / TRAJECTORIES_PER_BLOCK)
    width = _columns(_system(job.problem))
    return 1024 + part.items * (64 + (blocks * (32 + 18 * width) if blocks else 9 * width))


def fault(job: Specification, part: Slice, result: workload.DynamicsResult) -> str | None:
    """Check that the same items and blocks come back, with a value for each observable and time."""
    width = _columns(_system(job.problem))
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        moments.fault(part, item, columns=width, block=TRAJECTORIES_PER_BLOCK) for item in result.items
    )


def differ(one: workload.DynamicsResult, other: workload.DynamicsResult) -> str | None:
    """Compare the values within rounding and chance."""
    return agreement.values_differ(merge.values([one]), merge.values([other]))


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.DynamicsResult],
    sources: views.Sources,
) -> api.DynamicsResultView:
    """Average the observables over their trajectories."""
    system = _system(job.problem)
    means = merge.values(results)
    counts = merge.shots(results)
    return api.DynamicsResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        times=system.times,
        items=tuple(
            _item_view(system, _parameters(job, system, index), counts[index], means[index])
            for index in sorted(means)
            # One trajectory alone has no standard error.
            if counts[index] != 1
        ),
        sources=sources,
    )


def _item_view(
    system: System, parameters: dict[str, float], trajectories: int, values: tuple[merge.Value, ...]
) -> api.DynamicsItemView:
    times = len(system.times)
    return api.DynamicsItemView(
        parameters=parameters,
        trajectories=trajectories,
        curves=tuple(
            _curve(measured.text, values[number * times : (number + 1) * times])
            for number, measured in enumerate(system.observables)
        ),
    )


def _curve(text: str, values: tuple[merge.Value, ...]) -> api.DynamicsCurve:
    return api.DynamicsCurve(
        text,
        tuple(value.mean for value in values),
        tuple(value.standard_error for value in values),
        values[0].exact,
    )


def _parameters(job: Specification, system: System, index: int) -> dict[str, float]:
    return dict(zip(system.parameters, job.points[index], strict=True)) if job.points else {}


def _measure(job: Specification, fleet: Fleet) -> str:
    system = _system(job.problem)
    dimension = math.prod(each.levels for each in system.subsystems)
    one, unit = (
        (fleet.rates.shot_ms, "trajectory") if job.shots else (fleet.rates.cost_ms(1, 0), programs.POINT)
    )
    return (
        f"{system.method} in a space of dimension {dimension:,}, {plan.many(len(system.times), 'time')}: "
        f"about {cost.in_words(one)} for a {unit} on a typical device."
    )


def _columns(system: System) -> int:
    return len(system.observables) * len(system.times)


@functools.lru_cache(maxsize=32)
def _system(problem: bytes) -> System:
    return codec.decode(problem, System)

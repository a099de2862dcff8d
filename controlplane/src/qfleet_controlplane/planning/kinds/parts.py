"""Cut programs, and amplitudes: tasks are part × range of paths, and answers are put together from them."""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import cost, merge, plan, views
from qfleet_controlplane.planning.agreement import TOLERANCE
from qfleet_controlplane.planning.cuts import cut as cuts
from qfleet_controlplane.planning.cuts import forecast, gathering
from qfleet_controlplane.planning.cuts.cut import Cut, Part, Range
from qfleet_controlplane.planning.kinds import expectation, programs, slopes
from qfleet_controlplane.planning.plan import Fleet, PlanRefused, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload

ANSWER = workload.PartResult
_MOST_GROUPS = 16


class _Part(msgspec.Struct, frozen=True, tag="circuit.part"):
    """``workload.CircuitPart`` with the program as encoded bytes."""

    program: msgspec.Raw
    seed: int
    part: int
    places: tuple[workload.Place, ...]
    products: tuple[tuple[tuple[str, int], ...], ...]
    strings: tuple[int, ...]
    items: tuple[workload.PartItem, ...]


def cut_of(job: Specification) -> Cut:
    """Return the cut of a job that has one."""
    if job.cut is None:
        raise PlanRefused(f"a {job.kind} job has not been taken apart")
    return job.cut


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Time for a path of a part, the average over all of them."""
    cut = cut_of(job)
    paths = sum(part.paths for part in cut.parts)
    return cost.Rates(0.0, forecast.whole_ms(cut, calibration) / paths)


def memory_bytes(job: Specification) -> int:
    """Memory of the largest task."""
    return max(forecast.part_bytes(part, forecast.most_rows(part)) for part in cut_of(job).parts)


useful_memory_bytes = memory_bytes


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Make tasks of part × range of paths, and of single points where they are large."""
    cut = cut_of(job)
    each_ms = fleet.rates.shot_ms * sum(part.paths for part in cut.parts)
    wanted = plan.worth(job.items * each_ms, plan.MOST_TASKS, fleet)
    largest = max(part.result_bytes(0, forecast.most_rows(part)) for part in cut.parts)
    by_size = math.ceil(job.items * largest / forecast.TASK_BYTES)
    points = plan.groups(job.items, max(1, min(job.items, max(wanted // len(cut.parts), by_size))))
    ranges = _ranges(cut, fleet, each_ms, math.ceil(wanted / len(points)))
    slices = tuple(Slice(first, count, start, rows) for first, count in points for start, rows in ranges)
    if len(slices) > plan.MOST_TASKS:
        raise PlanRefused(f"{len(slices):,} tasks are over the limit of {plan.MOST_TASKS:,} in one job")
    told = [*cut.told, _measure(job, cut, each_ms), _grouping(job, cut, slices)]
    return slices, [*([] if job.gradient is None else [slopes.sentence(job, job.gradient)]), *told]


def _ranges(cut: Cut, fleet: Fleet, each_ms: float, wanted: int) -> list[tuple[int, int]]:
    """Ranges of paths, of costly parts more than of cheap ones, as numbered over all parts."""
    shares = [forecast.part_ms(part, cost.DEFAULT) for part in cut.parts]
    total = sum(shares)
    found: list[tuple[int, int]] = []
    for part, share, start in zip(cut.parts, shares, cuts.offsets(cut)[:-1], strict=True):
        number = round(wanted * share / total)
        if part.products:
            # Elements are taken between all paths: each range walks most of the tree again.
            number = min(number, math.ceil((fleet.workers or 1) / len(cut.parts)), _MOST_GROUPS)
        by_memory = math.ceil(part.paths / forecast.most_rows(part))
        by_time = math.ceil(each_ms * share / total / plan.LONGEST_MS)
        number = min(part.paths, max(1, number, by_memory, by_time))
        found += [(start + first, rows) for first, rows in plan.groups(part.paths, number)]
    return found


def _measure(job: Specification, cut: Cut, each_ms: float) -> str:
    asked = [
        plan.many(len(cut.products), "Pauli product") if cut.products else "",
        plan.many(len(cut.strings), "bit string") if cut.strings else "",
    ]
    what = " and ".join(filter(None, asked))
    about = cost.in_words(each_ms)
    if len(cut.parts) == 1:
        size = f"Ideal program of {plan.many(cut.qubits, 'qubit')} and {plan.many(job.gates, 'gate')}, {what}"
        return f"{size}: about {about} for a parameter point on a typical device."
    parts = ", ".join(
        f"{plan.many(part.paths, 'path')} of {plan.many(part.qubits, 'qubit')}" for part in cut.parts
    )
    return f"{what}: {parts}, about {about} for a parameter point on a typical device, all parts together."


def _grouping(job: Specification, cut: Cut, slices: Sequence[Slice]) -> str:
    points = f" for {plan.many(job.items, 'parameter point')}" if job.items > 1 else ""
    if len(cut.parts) == 1 and cut.paths == 1:
        return f"One state vector gives all amplitudes: {plan.many(len(slices), 'task')}{points}."
    return f"Tasks are parts and ranges of their paths: {plan.many(len(slices), 'task')}{points}."


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work of one part; the program's bytes stand in it as they are."""
    asked, where = _located(job, part)
    items = tuple(
        workload.PartItem(
            index,
            job.points[index],
            asked.factors[index if len(asked.factors) > 1 else 0],
            where.first,
            where.rows,
        )
        for index in range(part.first_item, part.first_item + part.items)
    )
    work = _Part(
        msgspec.Raw(asked.program), job.seed, where.part, asked.places, asked.products, asked.strings, items
    )
    return msgspec.Raw(codec.encode(work))


def _located(job: Specification, part: Slice) -> tuple[Part, Range]:
    where = cuts.located(cut_of(job), part.first_block, part.shots)
    return cut_of(job).parts[where.part], where


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the values of a range of paths."""
    asked, where = _located(job, part)
    return 1024 + part.items * (64 + asked.result_bytes(where.first, where.rows))


def fault(job: Specification, part: Slice, result: workload.PartResult) -> str | None:
    """Check that the same paths come back, with a finite number for everything that was asked."""
    asked, where = _located(job, part)
    if result.part != where.part:
        return f"part {result.part} answers for part {where.part}"
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        _values_fault(asked, where, item) for item in result.items
    )


def _values_fault(asked: Part, where: Range, item: workload.PartValues) -> str | None:
    if (item.first_path, item.paths) != (where.first, where.rows):
        return f"item {item.index} has paths from {item.first_path} instead of {where.first}"
    amplitudes = cuts.COMPLEX_BYTES * len(asked.strings) * where.rows
    elements = asked.result_bytes(where.first, where.rows) - amplitudes
    if (len(item.elements), len(item.amplitudes)) != (elements, amplitudes):
        return f"item {item.index} has {len(item.elements)} and {len(item.amplitudes)} bytes of values"
    # A sum is finite if all numbers are, and much quicker than to look at each.
    if not all(math.isfinite(sum(gathering.doubles(each))) for each in (item.elements, item.amplitudes)):
        return f"item {item.index} has a value that is not finite"
    return None


def differ(one: workload.PartResult, other: workload.PartResult) -> str | None:
    """Compare the values within rounding."""
    if one.part != other.part:
        return "the answers are for different parts"
    for left, right in zip(one.items, other.items, strict=False):
        if (left.index, left.first_path, left.paths) != (right.index, right.first_path, right.paths):
            return "the answers are for different paths"
        for values, others in ((left.elements, right.elements), (left.amplitudes, right.amplitudes)):
            if len(values) != len(others):
                return f"item {left.index} has {len(values)} and {len(others)} bytes of values"
            for first, second in zip(gathering.doubles(values), gathering.doubles(others), strict=True):
                if abs(first - second) > TOLERANCE * max(1.0, abs(first)):
                    return f"values of item {left.index} differ: {first!r} and {second!r}"
    return None if len(one.items) == len(other.items) else "the answers are for different items"


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.PartResult],
    sources: views.Sources,
) -> api.ExpectResultView | api.AmplitudesResultView:
    """Put the parts together, point by point; a point with a part missing is left out."""
    cut = cut_of(job)
    points = gathering.gathered(cut, results)
    if job.kind == "circuit.amplitudes":
        return api.AmplitudesResultView(
            job=heading.job,
            status=heading.status,
            seed=job.seed,
            items=tuple(_amplitudes_view(heading, cut, index, points[index]) for index in sorted(points)),
            sources=sources,
        )
    return api.ExpectResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        items=expectation.items(heading, job, {index: _values(job, points[index]) for index in points}),
        sources=sources,
    )


def _amplitudes_view(
    heading: views.Heading, cut: Cut, index: int, point: gathering.Point
) -> api.AmplitudeItemView:
    values = zip(heading.request.bitstrings, gathering.amplitudes(cut, point), strict=True)
    return api.AmplitudeItemView(
        parameters=programs.parameters(heading, index),
        amplitudes=tuple(
            api.AmplitudeView(string, value.real, value.imag, abs(value) ** 2) for string, value in values
        ),
    )


def _values(job: Specification, point: gathering.Point) -> tuple[merge.Value, ...]:
    values = iter(gathering.expectations(cut_of(job), point))
    return tuple(
        merge.Value(math.fsum(term.coefficient * next(values) for term in observable.terms), 0.0, exact=True)
        for observable in job.observables
    )

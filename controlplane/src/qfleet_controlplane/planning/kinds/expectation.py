"""``circuit.expect``: expectation values of observables, point by point."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import moments, noise, programs, slopes, stabilizer
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload

ANSWER = workload.ExpectResult
memory_bytes = programs.memory_bytes
useful_memory_bytes = programs.useful_memory_bytes


class _Expect(msgspec.Struct, frozen=True, omit_defaults=True, tag="circuit.expect"):
    """``workload.CircuitExpect`` with the program as encoded bytes."""

    program: msgspec.Raw
    seed: int
    observables: tuple[workload.Observable, ...]
    items: tuple[workload.ExpectItem, ...]
    method: workload.Method = ""
    noise: workload.NoiseModel | None = None


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """An ideal program is evolved once per point, and each product is a pass over the state."""
    if job.method == "stabilizer":
        return stabilizer.rates(job, calibration)
    if job.method == "density":
        return noise.rates(job, calibration)
    return programs.rates(job, calibration, ending=job.ending)


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split an ideal program by point only, another one by its shots too."""
    if job.gradient is not None:
        slices, told = _split(job, fleet, "evaluation")
        return slices, [slopes.sentence(job, job.gradient), *told]
    return _split(job, fleet, programs.POINT)


def _split(job: Specification, fleet: Fleet, unit: str) -> tuple[tuple[Slice, ...], list[str]]:
    if job.method == "stabilizer":
        return stabilizer.split(job, fleet, unit)
    if job.method == "density":
        return noise.by_points(job, fleet, unit)
    if job.dynamic:
        return programs.by_blocks(job, fleet)
    slices, grouping = plan.by_items(job, fleet, unit)
    return slices, [programs.measure(job, fleet), *grouping]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work; the program's bytes stand in it as they are."""
    points = tuple(
        workload.ExpectItem(index, job.points[index], part.first_block, part.shots)
        for index in range(part.first_item, part.first_item + part.items)
    )
    work = _Expect(msgspec.Raw(job.program), job.seed, job.observables, points, job.method, job.noise)
    return msgspec.Raw(codec.encode(work))


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the sums of each block."""
    blocks = max(1, math.ceil(part.shots / workload.SHOTS_PER_BLOCK))
    return part.items * (32 + blocks * (32 + 18 * len(job.observables))) + 1024


def fault(job: Specification, part: Slice, result: workload.ExpectResult) -> str | None:
    """Check that the same items and blocks come back, with as many values as observables."""
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        moments.fault(part, item, columns=len(job.observables), block=workload.SHOTS_PER_BLOCK)
        for item in result.items
    )


def differ(one: workload.ExpectResult, other: workload.ExpectResult) -> str | None:
    """Compare the values within rounding and chance."""
    return agreement.values_differ(merge.values([one]), merge.values([other]))


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.ExpectResult],
    sources: views.Sources,
) -> api.ExpectResultView:
    """Average the observables over their blocks."""
    return api.ExpectResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        items=items(heading, job, merge.values(results)),
        sources=sources,
    )


def items(
    heading: views.Heading, job: Specification, means: Mapping[int, tuple[merge.Value, ...]]
) -> tuple[api.ExpectItemView, ...]:
    """Show the values of items, and where gradients are asked those of whole points."""
    if job.gradient is None:
        return tuple(_expect_view(heading, job, index, means[index]) for index in sorted(means))
    return tuple(
        _expect_view(heading, job, point, values, gradient)
        for point, values, gradient in slopes.points(job, job.gradient, means)
    )


def _expect_view(
    heading: views.Heading,
    job: Specification,
    index: int,
    values: tuple[merge.Value, ...],
    gradient: tuple[dict[str, float], ...] = (),
) -> api.ExpectItemView:
    return api.ExpectItemView(
        parameters=programs.parameters(heading, index),
        values=tuple(
            api.ValueView(observable.text, value.mean, value.standard_error, value.exact)
            for observable, value in zip(job.observables, values, strict=True)
        ),
        gradient=gradient,
    )

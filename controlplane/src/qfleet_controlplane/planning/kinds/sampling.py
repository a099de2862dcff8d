"""``circuit.sample``: counts of outcomes, point by point."""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import noise, programs, stabilizer
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, program_load, workload
from qfleet_wire.costs import NOTHING, Load

ANSWER = workload.SampleResult
memory_bytes = programs.memory_bytes
useful_memory_bytes = programs.useful_memory_bytes


class _Sample(msgspec.Struct, frozen=True, omit_defaults=True, tag="circuit.sample"):
    """``workload.CircuitSample`` with the program as encoded bytes."""

    program: msgspec.Raw
    seed: int
    items: tuple[workload.SampleItem, ...]
    method: workload.Method = ""
    noise: workload.NoiseModel | None = None


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """An ideal program is evolved once per point; drawing a shot costs next to nothing."""
    if job.method == "stabilizer":
        return stabilizer.rates(job, calibration)
    if job.method == "density":
        return noise.rates(job, calibration)
    if job.dynamic:
        drawing = program_load.drawing_at_ends(programs.load_of(job), job.qubits, job.bits)
        return programs.rates(job, calibration, ending=NOTHING, drawing=drawing)
    drawing = program_load.drawing(job.shots, job.qubits, job.bits)
    return programs.rates(job, calibration, ending=Load(passes=program_load.READ_PASSES), drawing=drawing)


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split an ideal program by point only, another one by its shots too."""
    if job.method == "stabilizer":
        return stabilizer.split(job, fleet, programs.POINT)
    if job.method == "density":
        return noise.by_points(job, fleet, programs.POINT)
    if job.dynamic:
        return programs.by_blocks(job, fleet)
    slices, grouping = plan.by_items(job, fleet, programs.POINT)
    return slices, [
        programs.measure(job, fleet),
        (
            f"An ideal program is not split by shots: every piece would evolve the state again "
            f"({cost.in_words(fleet.rates.item_ms)}) to save a share of "
            f"{cost.in_words(job.shots * fleet.rates.shot_ms)} of drawing."
        ),
        *grouping,
    ]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work; the program's bytes stand in it as they are."""
    samples = tuple(
        workload.SampleItem(index, job.points[index], part.first_block, part.shots)
        for index in range(part.first_item, part.first_item + part.items)
    )
    return msgspec.Raw(
        codec.encode(_Sample(msgspec.Raw(job.program), job.seed, samples, job.method, job.noise))
    )


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for as many distinct outcomes as there can be."""
    distinct = min(part.shots, 1 << min(job.bits, 62))
    return part.items * (64 + distinct * (math.ceil(job.bits / 8) + 5)) + 1024


def fault(job: Specification, part: Slice, result: workload.SampleResult) -> str | None:
    """Check that the same items and blocks come back, every shot counted once."""
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        _counts_fault(job, part, item) for item in result.items
    )


def differ(one: workload.SampleResult, other: workload.SampleResult) -> str | None:
    """Compare the counts by chi-square."""
    return agreement.counts_differ(merge.counts([one]), merge.counts([other]))


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.SampleResult],
    sources: views.Sources,
) -> api.SampleResultView:
    """Add counts up and spell the outcomes."""
    samples = merge.counts(results)
    return api.SampleResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        items=tuple(_sample_view(heading, job, index, samples[index]) for index in sorted(samples)),
        sources=sources,
    )


def _sample_view(
    heading: views.Heading, job: Specification, index: int, counts: merge.Counts
) -> api.SampleItemView:
    return api.SampleItemView(
        parameters=programs.parameters(heading, index),
        shots=counts.shots,
        counts={views.key(outcome, job.registers): count for outcome, count in counts.counts.items()},
    )


def _counts_fault(job: Specification, part: Slice, item: workload.SampleCounts) -> str | None:
    if item.bits != job.bits:
        return f"outcomes of {item.bits} bits instead of {job.bits}"
    if (item.first_block, item.shots, sum(item.counts)) != (part.first_block, part.shots, part.shots):
        return (
            f"item {item.index} counts {sum(item.counts)} shots from block {item.first_block} "
            f"instead of {part.shots} from block {part.first_block}"
        )
    if any(count < 1 for count in item.counts):
        return f"item {item.index} has a count below 1"
    return _outcomes_fault(item)


def _outcomes_fault(item: workload.SampleCounts) -> str | None:
    width = math.ceil(item.bits / 8)
    if len(item.outcomes) != width * len(item.counts) or (width == 0 and len(item.counts) > 1):
        return f"item {item.index} has {len(item.outcomes)} bytes of outcomes for {len(item.counts)} counts"
    seen = {item.outcomes[at : at + width] for at in range(0, len(item.outcomes), width or 1)}
    if width and len(seen) != len(item.counts):
        return f"item {item.index} counts an outcome twice"
    if any(int.from_bytes(outcome, "little") >> item.bits for outcome in seen):
        return f"item {item.index} has an outcome of more than {item.bits} bits"
    return None

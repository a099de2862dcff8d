"""Whether a result is an answer to the work it claims to answer.

The first *valid* result of a task counts, so what a device sends is checked against the slice it
was given: the same items and blocks, every shot counted once, as many values as observables.
"""

import math
from collections.abc import Iterable

from qfleet_controlplane.planning import work
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import workload


def fault(job: Specification, part: Slice, result: workload.WorkResult) -> str | None:
    """Say what is wrong with a slice's result; None when it is valid."""
    if job.kind == "probe.echo" and isinstance(result, workload.EchoResult):
        return None if result.data == work.ECHO else "the echo differs from what was sent"
    if job.kind == "circuit.sample" and isinstance(result, workload.SampleResult):
        return _items(part, [item.index for item in result.items]) or _first(
            _counts_fault(job, part, item) for item in result.items
        )
    if job.kind == "circuit.expect" and isinstance(result, workload.ExpectResult):
        return _items(part, [item.index for item in result.items]) or _first(
            _moments_fault(job, part, item) for item in result.items
        )
    return f"a {type(result).__name__} does not answer {job.kind}"


def _items(part: Slice, indices: list[int]) -> str | None:
    expected = list(range(part.first_item, part.first_item + part.items))
    if sorted(indices) != expected:
        return f"{len(indices)} items do not cover items {expected[0]} to {expected[-1]}"
    return None


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


def _moments_fault(job: Specification, part: Slice, item: workload.ExpectValues) -> str | None:
    width = len(job.observables)
    size = workload.SHOTS_PER_BLOCK
    blocks = max(1, math.ceil(part.shots / size))
    expected = [(part.first_block + n, min(size, part.shots - n * size)) for n in range(blocks)]
    if [(moments.block, moments.shots) for moments in item.moments] != expected:
        return f"item {item.index} does not cover its {blocks} blocks"
    for moments in item.moments:
        squares = width if part.shots else 0
        if (len(moments.sums), len(moments.squares)) != (width, squares):
            return f"item {item.index} has {len(moments.sums)} values for {width} observables"
        if not all(map(math.isfinite, (*moments.sums, *moments.squares))):
            return f"item {item.index} has a value that is not finite"
    return None


def _first(faults: Iterable[str | None]) -> str | None:
    return next((found for found in faults if found is not None), None)

"""``iit.phi``: mechanisms over purviews, each an item; the purview with the most is chosen when merging."""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import merge, plan, views
from qfleet_controlplane.planning.agreement import TOLERANCE
from qfleet_controlplane.planning.kinds import efforts, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

ANSWER = workload.PhiResult
memory_bytes = efforts.memory_bytes
useful_memory_bytes = efforts.memory_bytes
rates = efforts.rates


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by repertoires: a mechanism, a purview and a direction each."""
    return plan.by_items(job, fleet, "repertoire")


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work with the items of a slice."""
    base = _base(job)
    items = base.items[part.first_item : part.first_item + part.items]
    return msgspec.Raw(codec.encode(msgspec.structs.replace(base, seed=job.seed, items=items)))


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for φ and a partition of each item."""
    return 1024 + part.items * job.effort.item_result_bytes


def fault(job: Specification, part: Slice, result: workload.PhiResult) -> str | None:
    """Check that the same items come back, each with a partition of its own and numbers that it allows."""
    wanted = _base(job).items
    return programs.items_fault(part, [value.index for value in result.items]) or programs.first(
        _value_fault(wanted[value.index], value) for value in result.items
    )


def differ(one: workload.PhiResult, other: workload.PhiResult) -> str | None:
    """Compare the numbers within rounding; partitions may be equally good."""
    left, right = ({value.index: value for value in result.items} for result in (one, other))
    if left.keys() != right.keys():
        return "the answers are for different items"
    for index, value in left.items():
        for name in ("phi", "information"):
            numbers = getattr(value, name), getattr(right[index], name)
            if abs(numbers[0] - numbers[1]) > TOLERANCE:
                return f"{name} of item {index} differs: {numbers[0]!r} and {numbers[1]!r}"
    return None


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.PhiResult],
    sources: views.Sources,
) -> api.PhiResultView:
    """Choose the purview of each mechanism and direction."""
    base = _base(job)
    values = merge.by_index((value for result in results for value in result.items), "item")
    groups: dict[tuple[workload.Direction, tuple[int, ...]], list[api.PurviewView]] = {}
    for item in base.items:
        if item.index in values:
            value = values[item.index]
            groups.setdefault((item.direction, item.mechanism), []).append(
                api.PurviewView(item.purview, value.phi, value.partition, value.information)
            )
    return api.PhiResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        qubits=base.qubits,
        distinctions=tuple(_distinction(*key, purviews) for key, purviews in groups.items()),
        sources=sources,
    )


def _base(job: Specification) -> workload.PhiEvaluate:
    return codec.decode(job.problem, workload.PhiEvaluate)


def _distinction(
    direction: workload.Direction, mechanism: tuple[int, ...], purviews: list[api.PurviewView]
) -> api.DistinctionView:
    most = max(purview.phi for purview in purviews)
    tied = [purview for purview in purviews if purview.phi > most - TOLERANCE]
    chosen = max(tied, key=lambda purview: len(purview.purview))
    return api.DistinctionView(direction, mechanism, chosen.purview, chosen.phi, tuple(purviews))


def _value_fault(item: workload.PhiItem, value: workload.PhiValue) -> str | None:
    """The complete partition bounds what any may lose for each connection that it cuts."""
    parts = [[qubit for part in value.partition for qubit in part[side]] for side in (0, 1)]
    if [sorted(side) for side in parts] != [list(item.mechanism), list(item.purview)]:
        return f"item {item.index} has a partition of other qubits"
    if any(here == item.mechanism and there for here, there in value.partition):
        return f"item {item.index} has a partition that takes nothing apart"
    size = len(item.purview)
    cuts = sum(len(here) * (size - len(there)) for here, there in value.partition)
    most = value.information * cuts / (len(item.mechanism) * size) + TOLERANCE
    if not (math.isfinite(value.phi) and 0.0 <= value.phi <= most):
        return f"item {item.index} has φ = {value.phi!r}; its partition allows at most {most!r}"
    if not 0.0 <= value.information <= size + TOLERANCE:
        return f"item {item.index} has {value.information!r} bits of information about {size} qubits"
    return None

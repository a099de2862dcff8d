"""``kernel.matrix``: blocks of fidelities, put together to one matrix."""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.compile.kernel_matrix import KernelProblem
from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import efforts, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

ANSWER = workload.KernelResult
memory_bytes = efforts.memory_bytes
result_bytes = efforts.result_bytes
rates = efforts.rates

_ROUNDING = 1e-9
"""How far rounding may bring a fidelity out of 0 to 1, or two equal ones apart."""


class _Kernel(msgspec.Struct, frozen=True, omit_defaults=True, tag="kernel.matrix"):
    """``workload.KernelMatrix`` with program and groups as encoded bytes."""

    program: msgspec.Raw
    seed: int
    groups: tuple[msgspec.Raw, ...]
    items: tuple[workload.KernelBlock, ...]
    shots: int = 0


def useful_memory_bytes(job: Specification) -> int:
    """Return what keeps the states of all points, so that none is evolved twice."""
    problem = _problem(job)
    points = problem.rows + problem.columns
    return memory_bytes(job) + points * (cost.STATE_BYTES << min(job.qubits, 50))


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by blocks."""
    problem = _problem(job)
    slices, grouping = plan.by_items(job, fleet, "block")
    entries = f"{problem.shots:,} shots for each entry" if problem.shots else "exact entries"
    told = (
        f"Kernel matrix of {problem.rows:,} × {problem.columns or problem.rows:,} points on "
        f"{plan.many(job.qubits, 'qubit')}, {entries}, in blocks of up to {problem.size} × {problem.size}: "
        f"about {cost.in_words(fleet.rates.item_ms)} for a block on a typical device."
    )
    return slices, [told, *grouping]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work: its blocks, and the groups that they need."""
    problem = _problem(job)
    blocks = tuple(_blocks(problem, part))
    needed = sorted({group for block in blocks for group in (block.rows, block.columns)})
    groups = tuple(problem.groups[number] for number in needed)
    return msgspec.Raw(codec.encode(_Kernel(problem.program, job.seed, groups, blocks, problem.shots)))


def fault(job: Specification, part: Slice, result: workload.KernelResult) -> str | None:
    """Check that the same blocks come back, with fidelities that can be."""
    problem = _problem(job)
    blocks = {block.index: block for block in _blocks(problem, part)}
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        _values_fault(problem, blocks[item.index], item.values) for item in result.items
    )


def differ(one: workload.KernelResult, other: workload.KernelResult) -> str | None:
    """Compare the entries; estimates have the same seeds, so that only rounding can part them."""
    left, right = ({item.index: item.values for item in result.items} for result in (one, other))
    if left.keys() != right.keys():
        return "the answers are for different blocks"
    for index, values in left.items():
        if len(values) != len(right[index]):
            return f"block {index} has {len(values)} entries and {len(right[index])}"
        for a, b in zip(values, right[index], strict=True):
            if abs(a - b) > agreement.TOLERANCE:
                return f"an entry of block {index} differs: {a!r} and {b!r}"
    return None


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.KernelResult],
    sources: views.Sources,
) -> api.KernelResultView:
    """Put the blocks where they belong; what a symmetric matrix has on the left mirrors the right."""
    problem = _problem(job)
    blocks = {block.index: block for block in problem.blocks}
    matrix: list[list[float | None]] = [
        [None] * (problem.columns or problem.rows) for _ in range(problem.rows)
    ]
    items = merge.by_index((item for result in results for item in result.items), "block")
    for index, item in sorted(items.items()):
        values = item.values
        rows, columns = problem.span(blocks[index].rows), problem.span(blocks[index].columns)
        for place, row in enumerate(rows):
            part = values[place * len(columns) : (place + 1) * len(columns)]
            matrix[row][columns.start : columns.stop] = part
            if not problem.columns:
                for column, value in zip(columns, part, strict=True):
                    matrix[column][row] = value
    return api.KernelResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        sources=sources,
        shots=problem.shots,
        matrix=tuple(map(tuple, matrix)),
    )


def _problem(job: Specification) -> KernelProblem:
    return codec.decode(job.problem, KernelProblem, limit=len(job.problem))


def _blocks(problem: KernelProblem, part: Slice) -> list[workload.KernelBlock]:
    return problem.blocks[part.first_item : part.first_item + part.items]


def _values_fault(
    problem: KernelProblem, block: workload.KernelBlock, values: tuple[float, ...]
) -> str | None:
    where = f"block {block.index}"
    high, wide = len(problem.span(block.rows)), len(problem.span(block.columns))
    if len(values) != high * wide:
        return f"{where} has {len(values)} entries instead of {high} × {wide}"
    if not all(-_ROUNDING <= value <= 1.0 + _ROUNDING for value in values):
        return f"{where} has an entry that is no fidelity"
    if problem.shots and not all(_whole(value * problem.shots) for value in values):
        return f"{where} has an entry that is no share of {problem.shots} shots"
    return _symmetry_fault(where, values, high) if block.rows == block.columns else None


def _whole(value: float) -> bool:
    return math.isclose(value, round(value), rel_tol=_ROUNDING, abs_tol=1e-6)


def _symmetry_fault(where: str, values: tuple[float, ...], size: int) -> str | None:
    for row in range(size):
        if abs(values[row * size + row] - 1.0) > _ROUNDING:
            return f"{where} says that a state is not itself"
        for column in range(row):
            if abs(values[row * size + column] - values[column * size + row]) > _ROUNDING:
                return f"{where} is not symmetric"
    return None

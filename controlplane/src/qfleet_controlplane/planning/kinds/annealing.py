"""``anneal.sample``: the lowest states of a model and the energies of all reads.

Reads split by blocks. The lowest states over all reads are among the lowest of each task in which they
were found, so that merging the tasks' lowest states is exact, multiplicities included.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from qfleet_controlplane.compile import quadratic
from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import efforts, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import annealing

ANSWER = workload.AnnealResult
memory_bytes = efforts.memory_bytes
useful_memory_bytes = efforts.memory_bytes
result_bytes = efforts.result_bytes
rates = efforts.rates


class _Base(msgspec.Struct, frozen=True, tag="anneal.sample"):
    """``workload.AnnealSample`` with the model as encoded bytes."""

    model: msgspec.Raw
    seed: int
    items: tuple[workload.AnnealItem, ...]
    sampler: workload.Sampler
    sweeps: int
    keep: int
    beta: tuple[float, float]
    transverse_field: float


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split the reads by blocks."""
    size = workload.READS_PER_BLOCK
    each_ms = fleet.rates.cost_ms(1, 1)
    told = f"{plan.many(job.shots, 'read')} of about {cost.in_words(each_ms)} each on a typical device"
    slices = plan.by_blocks(job, fleet, size)
    if slices is None:
        whole = f"{told} stay together: splitting would cost more than it saves."
        return (Slice(0, 1, 0, job.shots),), [whole]
    pieces = plan.many(len(slices), "task")
    return slices, [f"{told}, split by blocks of {size} into {pieces}; each block has a seed of its own."]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work; the model's bytes stand in it as they are."""
    base = codec.decode(job.problem, _Base)
    item = workload.AnnealItem(part.first_block, part.shots)
    return msgspec.Raw(codec.encode(msgspec.structs.replace(base, seed=job.seed, items=(item,))))


def fault(job: Specification, part: Slice, result: workload.AnnealResult) -> str | None:
    """Check that every read is counted once, and that energies are those of the states."""
    work = codec.decode(job.problem, workload.AnnealSample)
    if (result.first_block, result.reads) != (part.first_block, part.shots):
        return (
            f"{result.reads} reads from block {result.first_block} "
            f"instead of {part.shots} from block {part.first_block}"
        )
    return (
        _levels_fault(result)
        or programs.first(_state_fault(work.model, one) for one in result.states)
        or _order_fault(result)
        or _share_fault(result, work.keep)
    )


def differ(one: workload.AnnealResult, other: workload.AnnealResult) -> str | None:
    """Compare the energies by chi-square: reads on another architecture may end elsewhere by rounding."""
    levels = sorted({level.energy for result in (one, other) for level in result.levels})
    places = {energy: place for place, energy in enumerate(levels)}
    left, right = (
        {0: merge.Counts(result.reads, {places[level.energy]: level.reads for level in result.levels})}
        for result in (one, other)
    )
    found = agreement.counts_differ(left, right)
    return None if found is None else f"the energies of the reads disagree: {found}"


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.AnnealResult],
    sources: views.Sources,
) -> api.AnnealResultView:
    """Put the lowest states and all energies together."""
    base = codec.decode(job.problem, workload.AnnealSample)
    asked = heading.request.work
    labels = quadratic.labels(asked.model) if isinstance(asked, api.AnnealRequest) else ()
    pieces = _distinct(results)
    variables = len(base.model.linear)
    return api.AnnealResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        method=base.sampler,
        variable_type=base.model.variable_type,
        variables=labels,
        reads=sum(piece.reads for piece in pieces),
        states=tuple(
            api.StateView(
                energy,
                reads,
                tuple(annealing.values_of(base.model, annealing.bits_of(state, variables))),
            )
            for energy, state, reads in _lowest(pieces)[: base.keep]
        ),
        energies=tuple(
            api.EnergyView(energy, reads)
            for energy, reads in sorted(
                _sums((lv.energy, lv.reads) for p in pieces for lv in p.levels).items()
            )
        ),
        sources=sources,
    )


def _distinct(results: Iterable[workload.AnnealResult]) -> list[workload.AnnealResult]:
    """Results in order of blocks, each once.

    Raises:
        MergeConflict: two claim the same blocks and differ.
    """
    pieces: dict[int, workload.AnnealResult] = {}
    for result in results:
        known = pieces.setdefault(result.first_block, result)
        if known != result:
            raise merge.MergeConflict(f"two different results for reads from block {result.first_block}")
    return [pieces[block] for block in sorted(pieces)]


def _lowest(pieces: Iterable[workload.AnnealResult]) -> list[tuple[float, bytes, int]]:
    """States by energy, then by their bits."""
    reads: Counter[tuple[float, bytes]] = Counter()
    for piece in pieces:
        for one in piece.states:
            reads[one.energy, one.state] += one.reads
    return [(energy, state, count) for (energy, state), count in sorted(reads.items())]


def _levels_fault(result: workload.AnnealResult) -> str | None:
    if sum(level.reads for level in result.levels) != result.reads:
        return f"the energies do not count {result.reads} reads"
    if any(level.reads < 1 for level in result.levels):
        return "an energy counts no read"
    if any(not low.energy < high.energy for low, high in pairwise(result.levels)):
        return "the energies do not ascend"
    return None


def _state_fault(model: workload.QuadraticModel, one: workload.LowState) -> str | None:
    variables = len(model.linear)
    if len(one.state) != -(-variables // 8) or int.from_bytes(one.state, "little") >> variables:
        return f"a state is not of {variables} variables"
    if one.reads < 1:
        return "a state was never read"
    energy = annealing.energy_of(model, annealing.values_of(model, annealing.bits_of(one.state, variables)))
    return None if energy == one.energy else f"a state of energy {energy!r} is said to have {one.energy!r}"


def _order_fault(result: workload.AnnealResult) -> str | None:
    keys = [(one.energy, one.state) for one in result.states]
    return None if all(low < high for low, high in pairwise(keys)) else "the states do not ascend"


def _share_fault(result: workload.AnnealResult, keep: int) -> str | None:
    """Every energy is made up of its states, as far down as all states are told."""
    found: Counter[float] = Counter()
    for one in result.states:
        found[one.energy] += one.reads
    if len(result.states) > keep or not result.states:
        return f"{len(result.states)} states instead of at most {keep}"
    highest = result.states[-1].energy
    for level in result.levels:
        told = found.pop(level.energy, 0)
        whole = len(result.states) < keep or level.energy < highest
        if told > level.reads or (whole and told != level.reads):
            return f"{level.reads} reads of energy {level.energy!r} have states for {told}"
    return "a state has an energy that no read has" if found else None


def _sums(pairs: Iterable[tuple[float, int]]) -> Counter[float]:
    sums: Counter[float] = Counter()
    for energy, reads in pairs:
        sums[energy] += reads
    return sums

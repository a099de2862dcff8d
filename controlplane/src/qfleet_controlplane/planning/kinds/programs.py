"""What sampling a program and evaluating its observables have in common.

What a program does was counted when it was compiled (``qfleet_wire.program_load``): once a task, once a
parameter point, and once a block of shots of a dynamic program, whose shots share their histories.
"""

from collections.abc import Iterable

from qfleet_controlplane.planning import cost, plan, views
from qfleet_controlplane.planning.kinds import noise, stabilizer
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import costs, payloads
from qfleet_wire.costs import NOTHING, Load
from qfleet_wire.program_load import ProgramLoad
from qfleet_wire.workload import SHOTS_PER_BLOCK

POINT = "parameter point"
BRANCHES = 12
ONE_STATE = 1 + 2**-8
"""A state and the sums of its rows, in states."""


def rates(
    job: Specification, calibration: payloads.Calibration, *, ending: Load, drawing: Load = NOTHING
) -> cost.Rates:
    """Rates of a program on a device with this calibration.

    ``ending`` is what follows each evolution (each history, if the program is dynamic), ``drawing`` what all
    shots of a point take beside it (those of a block, if the program is dynamic).
    """
    counted = load_of(job)

    def time_ms(load: Load) -> float:
        return costs.milliseconds(load, 2.0**job.qubits, calibration)

    if job.dynamic:
        block = counted.block + ending * counted.block.histories + drawing
        return cost.Rates(time_ms(counted.item), time_ms(block) / counted.block_shots, time_ms(counted.task))
    shots_ms = time_ms(drawing) / max(1, job.shots)
    return cost.Rates(time_ms(counted.item + ending), shots_ms, time_ms(counted.task))


def load_of(job: Specification) -> ProgramLoad:
    """What the program does; of one that was stored before it was counted, as its length says."""
    if job.load.known:
        return job.load
    gates = Load(steps=job.gates, passes=job.gates)
    if job.dynamic:
        return ProgramLoad(item=Load(items=1, parts=job.gates), block=gates + Load(turns=1), block_shots=1)
    return ProgramLoad(item=gates + Load(items=1, parts=job.gates))


def memory_bytes(job: Specification) -> int:
    """Return the state vectors of complex doubles, and the program; or what another method needs."""
    if job.method == "stabilizer":
        return stabilizer.memory_bytes(job)
    if job.method == "density":
        return noise.memory_bytes(job)
    return _vectors(job, ONE_STATE if _drawn(job) else 2.0)


def copying_bytes(job: Specification) -> int:
    """Return what an agent needs that copies a state before it draws from it; 0: it copies none."""
    return _vectors(job, 2.0) if _drawn(job) else 0


def _vectors(job: Specification, states: float) -> int:
    return cost.BASE_BYTES + int(states * cost.STATE_BYTES * 2**job.qubits) + 2 * len(job.program)


def _drawn(job: Specification) -> bool:
    """Whether shots are drawn from the one state that a program ends in: nothing else reads a copy of it."""
    static = not job.dynamic and job.noise is None and not job.method
    return static and job.kind == "circuit.sample" and job.cut is None


def useful_memory_bytes(job: Specification) -> int:
    """Return what a task can make use of.

    A dynamic program keeps states at its branches, so that shots share what they have in common.
    """
    if not job.dynamic or job.method == "stabilizer":
        return memory_bytes(job)
    return memory_bytes(job) + int(BRANCHES * cost.STATE_BYTES * 2**job.qubits)


def by_blocks(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split a program with mid-circuit control by point, and a point's shots by blocks."""
    slices = plan.by_blocks(job, fleet, SHOTS_PER_BLOCK)
    if slices is None:
        slices, told = plan.by_items(job, fleet, POINT)
        told = told or [plan.grouping(job.items, POINT, len(slices), fleet.rates.cost_ms(1, job.shots))]
        if job.shots > SHOTS_PER_BLOCK:
            told.insert(0, "Its shots are not split further: that would cost more than it saves.")
        return slices, [measure(job, fleet), *told]
    pieces = len(slices) // job.items
    return slices, [
        measure(job, fleet),
        (
            f"{_why_each(job)}: its {job.shots:,} shots are "
            f"split by blocks of {SHOTS_PER_BLOCK:,} into {plan.many(pieces, 'piece')}"
            f"{' for each parameter point' if job.items > 1 else ''}, "
            f"{plan.many(len(slices), 'task')} in all."
        ),
    ]


def measure(job: Specification, fleet: Fleet) -> str:
    """Say how large a program is, and how long it takes."""
    if job.noise is not None:
        return noise.told(job, fleet)
    nature = "Program with mid-circuit control" if job.dynamic else "Ideal program"
    shots = f", {plan.many(job.shots, 'shot')}" if job.shots else ""
    values = f", {plan.many(len(job.observables), 'observable')}" if job.observables else ""
    return (
        f"{nature} of {plan.many(job.qubits, 'qubit')} and {plan.many(job.gates, 'gate')}{shots}{values}: "
        f"about {cost.in_words(fleet.rates.cost_ms(1, job.shots))} for a parameter point on a typical device."
    )


def _why_each(job: Specification) -> str:
    if job.noise is not None:
        return "A noisy program runs once per shot"
    return "The program decides by its own outcomes and runs once per shot"


def items_fault(part: Slice, indices: list[int]) -> str | None:
    """Say whether the items are those of the slice."""
    expected = list(range(part.first_item, part.first_item + part.items))
    if sorted(indices) != expected:
        return f"{len(indices)} items do not cover items {expected[0]} to {expected[-1]}"
    return None


def first(faults: Iterable[str | None]) -> str | None:
    """Return the first fault of several."""
    return next((found for found in faults if found is not None), None)


def parameters(heading: views.Heading, index: int) -> dict[str, float]:
    """Return the parameter point of an item as it was asked."""
    points = heading.request.parameters
    return points[index] if points else {}

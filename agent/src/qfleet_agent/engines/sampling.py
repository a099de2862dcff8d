"""``circuit.sample``: counts of outcomes.

A static program is evolved once per parameter point and its draw 0 picks a basis state (``distribution``).
In a dynamic program each shot's next draw after its last measurement or reset picks the outcome of all
final measurements together: those at the end of the program with nothing after them.
"""

from collections import Counter as Multiset
from collections.abc import Callable

import numpy as np

from qfleet_agent.engines import draws, tally
from qfleet_agent.engines.distribution import Distribution
from qfleet_agent.engines.evolution import Dynamic, Plan, Static
from qfleet_agent.engines.finals import blocks_of, check_parameters
from qfleet_wire import workload

Report = Callable[[float], None]

_BLOCKS_AT_ONCE = 64


def sample(work: workload.CircuitSample, *, budget: int, report: Report) -> workload.SampleResult:
    """Draw the shots of all items; ``budget`` in bytes, ``report`` is told the share that is done."""
    plan = Plan(work.program, points=len(work.items), budget=budget, drawn=True)
    done = []
    for number, item in enumerate(work.items):
        check_parameters(work.program, item.parameters)

        def share(part: float, number: int = number) -> None:
            report((number + part) / len(work.items))

        if plan.static is not None:
            counts, bits = _static(work, item, plan.static, share)
        else:
            counts, bits = _dynamic(work, item, plan.dynamic(item.parameters), share)
        outcomes, numbers = tally.encode(counts, bits)
        done.append(workload.SampleCounts(item.index, item.first_block, item.shots, bits, outcomes, numbers))
    return workload.SampleResult(tuple(done))


def _static(
    work: workload.CircuitSample, item: workload.SampleItem, static: Static, report: Report
) -> tuple[dict[int, int], int]:
    layout = tally.Layout(work.program, static.finals)
    distribution = Distribution(static.state(item.parameters))
    report(0.5)
    counter = tally.Counter()
    blocks = list(blocks_of(item, work.seed))
    for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
        some = blocks[first : first + _BLOCKS_AT_ONCE]
        numbers = np.concatenate([draws.uniforms(seed, 0)[:shots] for _, shots, seed in some])
        counter.add(distribution.sample(numbers) & layout.mask)
        report(0.5 + 0.5 * (first + len(some)) / len(blocks))
    indices, counts = counter.result()
    base = layout.base([slot.initial for slot in work.program.slots], finals=True)
    outcomes = layout.outcomes(indices)
    return {
        base | outcome: count for outcome, count in zip(outcomes, counts.tolist(), strict=True)
    }, layout.bits


def _dynamic(
    work: workload.CircuitSample, item: workload.SampleItem, dynamic: Dynamic, report: Report
) -> tuple[dict[int, int], int]:
    layout = tally.Layout(work.program, dynamic.finals)
    counts: Multiset[int] = Multiset()
    blocks = list(blocks_of(item, work.seed))
    for done, (_, shots, seed) in enumerate(blocks):
        for machine, finals in dynamic.histories(seed, shots):
            base = layout.base(machine.slots, finals=finals)
            if not finals or not layout.mask:
                counts[base] += len(machine.shots)
                continue
            indices = Distribution(machine.state).sample(machine.draw()) & layout.mask
            for outcome in layout.outcomes(indices):
                counts[base | outcome] += 1
        report((done + 1) / len(blocks))
    return counts, layout.bits

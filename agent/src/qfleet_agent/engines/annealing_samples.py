"""What is timed of the annealers: a ring of spins, annealed for a few lengths.

A read is one step over as many elements as the planner counts for simulated annealing: sweeps × (27 per
variable + 2 per pair), and 150 for each term of the energy of its state.
"""

from collections.abc import Iterator

from qfleet_agent.engines.timing import Coefficient, Sample
from qfleet_wire import costs, workload
from qfleet_wire.workload import annealing

_SPINS = 64
_READS = annealing.READS_PER_BLOCK
_SWEEPS = (50, 500, 5000)


def samples() -> Iterator[Sample]:
    """Beginning a task with the shortest anneal, then longer ones."""
    yield _ring("item", 1, 1)
    for sweeps in _SWEEPS:
        yield _ring("pass", sweeps, _READS)


def _ring(finds: Coefficient, sweeps: int, reads: int) -> Sample:
    heads = (*range(_SPINS - 1), 0)
    tails = (*range(1, _SPINS), _SPINS - 1)
    model = annealing.QuadraticModel("SPIN", (0.1,) * _SPINS, heads, tails, (1.0,) * _SPINS)
    work = workload.AnnealSample(
        model, 1, (annealing.AnnealItem(0, reads),), sampler="simulated", sweeps=sweeps, keep=1
    )
    elements = sweeps * (27.0 + 2.0) * _SPINS + 150.0 * 2 * _SPINS
    return Sample(finds, work, costs.Load(items=1, steps=reads, passes=reads), elements)

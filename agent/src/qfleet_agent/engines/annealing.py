"""The engine for binary quadratic models: D-Wave's classical samplers.

Each block of reads is one call of a sampler with the block's seed, so that any split of a job draws the same
reads. Tabu search runs a number of moves, never for a time: its answer does not depend on the device's speed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt
from dwave.samplers import PathIntegralAnnealingSampler, SimulatedAnnealingSampler, TabuSampler

from qfleet_agent.engines import annealing_samples
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_agent.engines.timing import Sample
from qfleet_wire import workload
from qfleet_wire.workload import annealing

_SIMULATED = SimulatedAnnealingSampler()  # type: ignore[no-untyped-call] # not annotated
_PATHS = PathIntegralAnnealingSampler()  # type: ignore[no-untyped-call] # not annotated
_TABU = TabuSampler()  # type: ignore[no-untyped-call] # not annotated
_SEEDS = 1 << 31
_BYTES_PER_TERM = 200
_DENSE_BYTES = 40
"""Tabu search's matrices, per pair of variables."""


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.AnnealResult:
    """Sample a model.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid: it has no meaning.
    """
    if not isinstance(work, workload.AnnealSample):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    _check(work, budget)
    model = _model(work.model)
    (item,) = work.items
    found: Counter[bytes] = Counter()
    done = 0
    for shots, seed in _blocks(work, item):
        found.update(_states(_sample(work, model, shots, seed)))
        done += shots
        report(done / item.shots)
    return _result(work, item, found)


def warm() -> None:
    """Nothing is warm: the samplers are imported with their first task."""


def samples() -> Iterable[Sample]:
    """Models that tell the annealers' coefficients."""
    return annealing_samples.samples()


def _check(work: workload.AnnealSample, budget: int) -> None:
    model = work.model
    variables, terms = len(model.linear), len(model.linear) + len(model.biases)
    if len(work.items) != 1 or work.items[0].shots < 1 or work.sweeps < 1 or work.keep < 1:
        raise WorkInvalid("the work asks for no reads, sweeps or states")
    if not len(model.heads) == len(model.tails) == len(model.biases) or not variables:
        raise WorkInvalid("the model has no variables, or pairs without biases")
    if any(not 0 <= head < tail < variables for head, tail in zip(model.heads, model.tails, strict=True)):
        raise WorkInvalid(f"the model couples others than its variables 0 to {variables - 1}")
    needed = terms * _BYTES_PER_TERM + (variables**2 * _DENSE_BYTES if work.sampler == "tabu" else 0)
    if needed > budget:
        raise MemoryShort(
            f"the model needs {needed >> 20} MiB and the task may use {budget >> 20} MiB: "
            "use a smaller model, or simulated annealing"
        )


def _model(model: workload.QuadraticModel) -> dimod.BinaryQuadraticModel:
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.array(model.linear),
        (np.array(model.heads, np.int32), np.array(model.tails, np.int32), np.array(model.biases)),
        model.offset,
        dimod.as_vartype(model.variable_type),
    )


def _blocks(work: workload.AnnealSample, item: workload.AnnealItem) -> Iterator[tuple[int, int]]:
    """Yield the reads and the seed of each block."""
    size = workload.READS_PER_BLOCK
    for offset in range(-(-item.shots // size)):
        seed = workload.block_seed(work.seed, 0, item.first_block + offset)
        yield min(size, item.shots - offset * size), seed % _SEEDS


def _sample(
    work: workload.AnnealSample, model: dimod.BinaryQuadraticModel, reads: int, seed: int
) -> dimod.SampleSet:
    common: dict[str, Any] = {"num_reads": reads, "seed": seed}
    match work.sampler:
        case "simulated":
            return _SIMULATED.sample(model, num_sweeps=work.sweeps, beta_range=work.beta, **common)
        case "path-integral":
            # The sampler's own default has no transverse field at all.
            share = np.linspace(0.0, 1.0, work.sweeps) if work.sweeps > 1 else np.ones(1)
            beta = np.linspace(*work.beta, work.sweeps)
            return _PATHS.sample(
                model,
                beta_schedule_type="custom",
                Hp_field=beta * share,
                Hd_field=beta * work.transverse_field * (1.0 - share),
                **common,
            )
        case "tabu":
            common["timeout"] = None  # else its time would count, not its moves
            return _TABU.sample(
                model, num_restarts=0, coefficient_z_first=work.sweeps, lower_bound_z=1, **common
            )


def _states(samples: dimod.SampleSet) -> list[bytes]:
    """Pack states, bit i for variable i, 1 for +1."""
    ordered: npt.NDArray[np.int8] = samples.record.sample[:, np.argsort(np.array(samples.variables))]
    packed = np.packbits(ordered > 0, axis=1, bitorder="little")
    return [row.tobytes() for row in packed]


def _result(
    work: workload.AnnealSample, item: workload.AnnealItem, found: Counter[bytes]
) -> workload.AnnealResult:
    variables = len(work.model.linear)
    states, levels = [], Counter[float]()
    for state, reads in found.items():
        values = annealing.values_of(work.model, annealing.bits_of(state, variables))
        energy = annealing.energy_of(work.model, values)
        levels[energy] += reads
        states.append(workload.LowState(energy, state, reads))
    states.sort(key=lambda one: (one.energy, one.state))
    return workload.AnnealResult(
        item.first_block,
        item.shots,
        tuple(workload.EnergyLevel(energy, levels[energy]) for energy in sorted(levels)),
        tuple(states[: work.keep]),
    )

"""The engine for ``variational.minimise``: each start is one run of an optimiser, here on the device.

QAOA's states are evolved with numpy (``alternating``), programs with qulacs (``adjoint``). Numbers depend
on the job's seed and the start alone.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import draws, memory, minimising, validity
from qfleet_agent.engines.adjoint import Parametrised
from qfleet_agent.engines.alternating import Alternating
from qfleet_agent.engines.draws import Uniforms
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_agent.engines.hamiltonians import Vector
from qfleet_agent.engines.minimising import Landscape, Point
from qfleet_wire import workload

LIBRARY_BYTES = 50 * 1024 * 1024
"""What SciPy's optimisers take when they are imported."""
STATES = 5
"""Vectors of complex doubles that a gradient works on, the cost's included."""

Report = Callable[[float], None]


class Ansatz(Landscape, Protocol):
    """A landscape that knows where to begin, and can be measured."""

    parameters: int

    def first(self, generator: np.random.Generator, start: int) -> Point:
        """Return where a start begins that is given no point."""

    def sample(self, point: Point, uniforms: Uniforms, flips: Uniforms) -> npt.NDArray[np.int64]:
        """Return an outcome for each pair of numbers in [0, 1)."""

    def costs(self, outcomes: npt.NDArray[np.int64]) -> Vector:
        """Return the cost of each outcome."""


def run(work: workload.Work, *, budget: int, report: Report) -> workload.VariationalResult:
    """Run the starts of a work.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    if not isinstance(work, workload.VariationalMinimise):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    _check(work, budget)
    ansatz = _ansatz(work, budget)
    done = []
    for number, item in enumerate(work.items):

        def share(part: float, number: int = number) -> None:
            report((number + part) / len(work.items))

        done.append(_start(work, ansatz, item, share))
        share(1.0)
    return workload.VariationalResult(tuple(done))


def warm() -> None:
    """Nothing is warmed: SciPy costs too much for tasks that do not need it."""


def _check(work: workload.VariationalMinimise, budget: int) -> None:
    needed = memory.states(work.qubits, STATES) + LIBRARY_BYTES
    if needed > budget:
        raise MemoryShort(
            f"minimising over {work.qubits} qubits needs {needed >> 20} MiB and the task may use "
            f"{budget >> 20} MiB: use fewer qubits or a device with more memory"
        )
    if work.evaluations < 1 or not 0.0 < work.tolerance <= 1.0:
        raise WorkInvalid(f"{work.evaluations} evaluations to a tolerance of {work.tolerance} mean nothing")
    if work.shots < 0 or work.best < 0:
        raise WorkInvalid(f"{work.shots} shots and {work.best} strings mean nothing")


def _ansatz(work: workload.VariationalMinimise, budget: int) -> Ansatz:
    if work.program is not None:
        if work.program.qubits != work.qubits:
            raise WorkInvalid(f"a program of {work.program.qubits} qubits in a work of {work.qubits}")
        return Parametrised(work, work.program, budget)
    validity.check_observable(work.cost, work.qubits)
    if work.layers < 1 or work.qubits < 1:
        raise WorkInvalid(f"QAOA of {work.layers} layers on {work.qubits} qubits; it needs one at least")
    if any(letter != "Z" for term in work.cost.terms for letter, _ in term.paulis):
        raise WorkInvalid("QAOA's cost has X or Y")
    return Alternating(work.cost, work.qubits, work.layers)


def _start(
    work: workload.VariationalMinimise, ansatz: Ansatz, item: workload.MinimiseStart, report: Report
) -> workload.MinimisedStart:
    if item.point and len(item.point) != ansatz.parameters:
        raise WorkInvalid(f"start {item.index} gives {len(item.point)} of {ansatz.parameters} parameters")
    seed = workload.block_seed(work.seed, item.index, 0)
    generator = np.random.Generator(np.random.Philox(key=seed))
    first = np.array(item.point) if item.point else ansatz.first(generator, item.index)
    found = minimising.minimise(ansatz, first, work, report)
    return workload.MinimisedStart(
        item.index,
        found.value,
        tuple(found.point.tolist()),
        found.evaluations,
        found.converged,
        found.trace,
        found.every,
        _sample(work, ansatz, item.index, found.point),
    )


def _sample(
    work: workload.VariationalMinimise, ansatz: Ansatz, start: int, point: Point
) -> tuple[workload.SampledString, ...]:
    """Draw the shots block by block, and return the strings of lowest cost."""
    if not work.shots or not work.best:
        return ()
    seeds = [
        (workload.block_seed(work.seed, start, 1 + block), shots)
        for block, shots in enumerate(draws.sizes(work.shots))
    ]
    uniforms, flips = (
        np.concatenate([draws.uniforms(seed, draw)[:shots] for seed, shots in seeds]) for draw in (0, 1)
    )
    outcomes, counts = np.unique(ansatz.sample(point, uniforms, flips), return_counts=True)
    costs = ansatz.costs(outcomes)
    chosen = np.lexsort((outcomes, costs))[: work.best]
    return tuple(
        workload.SampledString(*each)
        for each in zip(
            outcomes[chosen].tolist(), counts[chosen].tolist(), costs[chosen].tolist(), strict=True
        )
    )

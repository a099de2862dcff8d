"""Answers from a density matrix: the engine of the method ``density``."""

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import draws, noise_samples, tally, validity
from qfleet_agent.engines.draws import Indices, Uniforms
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.finals import blocks_of
from qfleet_agent.engines.noise_density import Density
from qfleet_agent.engines.noise_readings import Readings
from qfleet_agent.engines.timing import Sample
from qfleet_wire import workload

Report = Callable[[float], None]
Densities = npt.NDArray[np.complex128]
_BLOCKS_AT_ONCE = 64
_EVOLVING = 0.9
"""Share of the work that evolution is."""


def run(work: workload.Work, *, budget: int, report: Report) -> workload.SampleResult | workload.ExpectResult:
    """Sample a noisy program without feedback, or evaluate its observables exactly.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    match work:
        case workload.CircuitSample():
            return _sample(work, Density(work, budget), report)
        case workload.CircuitExpect():
            return _expect(work, Density(work, budget), report)
        case _:
            raise WorkInvalid(f"{type(work).__name__} is no work for this engine")


def warm() -> None:
    """Nothing: the import alone takes a second and a hundred megabytes, which a task asks for."""


def samples() -> Iterable[Sample]:
    """Programs that tell this engine's coefficients."""
    return noise_samples.samples()


def value(matrix: Densities, observable: workload.Observable) -> float:
    """Return Tr(ρ O), its terms added exactly."""
    return math.fsum(term.coefficient * _product(matrix, term.paulis) for term in observable.terms)


def _expect(work: workload.CircuitExpect, density: Density, report: Report) -> workload.ExpectResult:
    for observable in work.observables:
        validity.check_observable(observable, work.program.qubits)
    done = []
    for number, item in enumerate(work.items):
        matrix = density.evolve(item.parameters, _share(report, number, len(work.items)))
        values = tuple(value(matrix, observable) for observable in work.observables)
        done.append(
            workload.ExpectValues(item.index, (workload.Moments(item.first_block, 0, values),)),
        )
    return workload.ExpectResult(tuple(done))


def _sample(work: workload.CircuitSample, density: Density, report: Report) -> workload.SampleResult:
    readings = Readings(work.program, density.finals, density.rules.misread)
    layout = readings.layout
    base = layout.base([slot.initial for slot in work.program.slots], finals=True)
    done = []
    for number, item in enumerate(work.items):
        matrix = density.evolve(item.parameters, _share(report, number, len(work.items)))
        states, counts = _drawn(matrix, item, work.seed, readings)
        found = {
            base | outcome: count
            for outcome, count in zip(layout.outcomes(states), counts.tolist(), strict=True)
        }
        outcomes, numbers = tally.encode(found, layout.bits)
        done.append(
            workload.SampleCounts(item.index, item.first_block, item.shots, layout.bits, outcomes, numbers)
        )
    return workload.SampleResult(tuple(done))


def _drawn(
    matrix: Densities, item: workload.SampleItem, seed: int, readings: Readings
) -> tuple[Indices, Indices]:
    """Draw the readings of all shots; returns the distinct ones and their counts."""
    running = np.cumsum(np.maximum(matrix.diagonal().real, 0.0))
    last = int(np.searchsorted(running, running[-1], side="left"))
    counter = tally.Counter()
    blocks = list(blocks_of(item, seed))
    for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
        some = blocks[first : first + _BLOCKS_AT_ONCE]

        def draw(number: int, some: list[tuple[int, int, int]] = some) -> Uniforms:
            return np.concatenate([draws.uniforms(key, number)[:shots] for _, shots, key in some])

        def misreading(number: int, draw: Callable[[int], Uniforms] = draw) -> Uniforms:
            return draw(1 + number)

        states: Indices = np.minimum(np.searchsorted(running, draw(0) * running[-1], side="right"), last)
        counter.add(readings.read(states, misreading) & readings.layout.mask)
    return counter.result()


def _product(matrix: Densities, paulis: tuple[tuple[str, int], ...]) -> float:
    """Tr(ρ P): with P|i> = φ(i) |i ⊕ x>, the sum of φ(i) ρ[i, i ⊕ x] over i."""
    flips = sum(1 << qubit for letter, qubit in paulis if letter in "XY")
    signs = sum(1 << qubit for letter, qubit in paulis if letter in "YZ")
    turns = sum(letter == "Y" for letter, _ in paulis)
    states = np.arange(len(matrix))
    phases = 1.0 - 2.0 * (np.bitwise_count(states & signs) & 1)
    total = complex(np.sum(phases * matrix[states, states ^ flips]) * 1j**turns)
    return total.real


def _share(report: Report, number: int, items: int) -> Report:
    return lambda part: report((number + _EVOLVING * part) / items)

"""Noisy programs by quantum trajectories: each shot draws what its channels do, on a state vector.

Averaged over shots, the states are the density matrix (Dalibard, Castin and Mølmer, Physical Review
Letters 68, 580, 1992). Shots share a trajectory until a draw parts them, so that rare errors cost little.
"""

from collections import Counter as Multiset
from collections.abc import Callable

import numpy as np

from qfleet_agent.engines import (
    assembly,
    expectation,
    memory,
    noise_checks,
    noise_weaving,
    tally,
    validity,
)
from qfleet_agent.engines.distribution import Distribution
from qfleet_agent.engines.draws import Block, Indices, Uniforms
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.evolution import Dynamic
from qfleet_agent.engines.finals import blocks_of, check_parameters
from qfleet_agent.engines.noise_readings import Readings
from qfleet_agent.engines.paulis import Observables
from qfleet_wire import workload

Report = Callable[[float], None]


def run(work: workload.Work, *, budget: int, report: Report) -> workload.SampleResult | workload.ExpectResult:
    """Sample a noisy program, or average its observables over trajectories.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    match work:
        case workload.CircuitSample():
            return _sample(work, _Noisy(work, budget), report)
        case workload.CircuitExpect():
            return _expect(work, _Noisy(work, budget), report)
        case _:
            raise WorkInvalid(f"{type(work).__name__} is no work for this engine")


def warm() -> None:
    """Nothing takes time here that the engine of ideal programs has not done."""


class _Noisy:
    """A checked program with its noise woven in."""

    def __init__(self, work: workload.CircuitSample | workload.CircuitExpect, budget: int) -> None:
        validity.check_program(work.program)
        self.rules = noise_checks.rules_of(work)
        memory.check(work.program.qubits, budget, memory.needed(work.program.qubits))
        self._budget = budget
        program = noise_weaving.woven(work.program, self.rules)
        self._planner = assembly.Planner(program, noise_weaving.extensions(work.program))

    def dynamic(self, parameters: tuple[float, ...]) -> Dynamic:
        """Prepare it for one parameter point."""
        check_parameters(self._planner.program, parameters)
        return Dynamic(self._planner, parameters, budget=self._budget)


def _expect(work: workload.CircuitExpect, noisy: _Noisy, report: Report) -> workload.ExpectResult:
    observables = Observables(work.observables, work.program.qubits)
    done = []
    for number, item in enumerate(work.items):
        share = _share(report, number, len(work.items))
        moments = expectation.averaged(work, item, noisy.dynamic(item.parameters), observables, share)
        done.append(workload.ExpectValues(item.index, moments))
    return workload.ExpectResult(tuple(done))


def _sample(work: workload.CircuitSample, noisy: _Noisy, report: Report) -> workload.SampleResult:
    done = []
    for number, item in enumerate(work.items):
        dynamic = noisy.dynamic(item.parameters)
        readings = Readings(work.program, dynamic.finals, noisy.rules.misread)
        counts: Multiset[int] = Multiset()
        blocks = list(blocks_of(item, work.seed))
        for finished, (_, shots, seed) in enumerate(blocks, 1):
            _count(dynamic, readings, counts, shots=shots, seed=seed)
            report((number + finished / len(blocks)) / len(work.items))
        bits = readings.layout.bits
        outcomes, numbers = tally.encode(counts, bits)
        done.append(workload.SampleCounts(item.index, item.first_block, item.shots, bits, outcomes, numbers))
    return workload.SampleResult(tuple(done))


def _count(dynamic: Dynamic, readings: Readings, counts: Multiset[int], *, shots: int, seed: int) -> None:
    """Count the shots of one block; what histories alike have drawn is read together."""
    layout = readings.layout
    drawn: dict[tuple[int, int], list[tuple[Indices, Indices]]] = {}
    for machine, finals in dynamic.histories(seed, shots):
        base = layout.base(machine.slots, finals=finals)
        if not finals or not layout.mask:
            counts[base] += len(machine.shots)
            continue
        states = Distribution(machine.state).sample(machine.draw())
        drawn.setdefault((base, machine.draws), []).append((states, machine.shots))
    block = Block(seed)
    for (base, draws), parts in drawn.items():
        states, members = (np.concatenate(each) for each in zip(*parts, strict=True))
        read = readings.read(states, _Following(block, draws + 1, members))
        for outcome in layout.outcomes(read & layout.mask):
            counts[base | outcome] += 1


class _Following:
    """The numbers of some shots of a block from a draw on."""

    def __init__(self, block: Block, first: int, shots: Indices) -> None:
        self._block, self._first, self._shots = block, first, shots

    def __call__(self, number: int) -> Uniforms:
        return self._block.draw(self._first + number)[self._shots]


def _share(report: Report, number: int, items: int) -> Report:
    return lambda part: report((number + part) / items)

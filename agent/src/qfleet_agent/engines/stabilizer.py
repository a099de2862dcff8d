"""The engine for Clifford programs on stabilizer tableaus, with stim: thousands of qubits.

Shots are drawn block by block with stim's frame simulator, seeded with the block's seed. So an answer
does not depend on how a job was split. It does depend on stim's version and on the width of the
processor's vector instructions, for both enter stim's random numbers. Expectation values are exact: 0 or
±1 for a Pauli product.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import stim

from qfleet_agent.engines import tableau
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.finals import blocks_of, check_parameters
from qfleet_agent.engines.outcomes import Collector, Layout
from qfleet_agent.engines.tableau_samples import samples
from qfleet_wire import circuit, circuit_facts, workload

__all__ = ["run", "samples", "warm"]

Item = TypeVar("Item")


def run(
    work: workload.Work, *, budget: int, report: Callable[[float], None]
) -> workload.SampleResult | workload.ExpectResult:
    """Sample a Clifford program, or evaluate its observables.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid: it has no meaning, or is not Clifford at one of its points.
    """
    match work:
        case workload.CircuitSample(program=program):
            tableau.check(program, budget)
            counted = [_sample(work, item, budget) for item in _told(work.items, report)]
            return workload.SampleResult(tuple(counted))
        case workload.CircuitExpect(program=program):
            tableau.check(program, budget)
            products = tableau.Products(work.observables, program.qubits)
            valued = [_expect(program, item, products) for item in _told(work.items, report)]
            return workload.ExpectResult(tuple(valued))
        case _:
            raise WorkInvalid(f"{type(work).__name__} is no work for this engine")


def warm() -> None:
    """Nothing has to be started: importing this module loads all there is."""


def _told(items: Sequence[Item], report: Callable[[float], None]) -> Iterator[Item]:
    """Go through the items; ``report`` hears of each that is done."""
    for number, item in enumerate(items):
        yield item
        report((number + 1) / len(items))


def _sample(work: workload.CircuitSample, item: workload.SampleItem, budget: int) -> workload.SampleCounts:
    check_parameters(work.program, item.parameters)
    records = tableau.records_of(work.program, item.parameters)
    compiled = tableau.circuit_of(work.program, records)
    layout = Layout(work.program, records.bits)
    reference = compiled.reference_sample(bit_packed=True)
    collector = Collector(layout.bits, budget)
    for _, shots, seed in blocks_of(item, work.seed):
        sampler = compiled.compile_sampler(seed=seed, reference_sample=reference)
        collector.add(layout.outcomes(sampler.sample(shots, bit_packed=True)))
    outcomes, counts = collector.result()
    return workload.SampleCounts(item.index, item.first_block, item.shots, layout.bits, outcomes, counts)


def _expect(
    program: circuit.Program, item: workload.ExpectItem, products: tableau.Products
) -> workload.ExpectValues:
    check_parameters(program, item.parameters)
    split = circuit_facts.split_static(program)
    if split is None:
        raise WorkInvalid("exact values are for programs that measure at their end only")
    unitary = circuit.Program(program.qubits, program.slots, program.parameters, split.gates)
    simulator = stim.TableauSimulator()
    simulator.set_num_qubits(program.qubits)
    simulator.do(tableau.circuit_of(unitary, tableau.records_of(unitary, item.parameters)))
    return workload.ExpectValues(
        item.index, (workload.Moments(item.first_block, 0, products.values(simulator)),)
    )

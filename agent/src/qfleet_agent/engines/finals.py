"""What programs on any kind of state have in common: final measurements, parameters, blocks of shots."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qfleet_agent.engines import draws
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import circuit, workload


class Final(NamedTuple):
    """A measurement at the very end: qubit, slot, bit."""

    qubit: int
    slot: int
    bit: int


def check_parameters(program: circuit.Program, parameters: Sequence[float]) -> None:
    """Check that a work item supplies the parameters that the program names.

    Raises:
        WorkInvalid: their number differs.
    """
    if len(parameters) != len(program.parameters):
        raise WorkInvalid(
            f"a work item gives {len(parameters)} parameters; the program names {len(program.parameters)}"
        )


def blocks_of(
    item: workload.SampleItem | workload.ExpectItem, job_seed: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (block, shots, seed) for each block of an item."""
    for offset, shots in enumerate(draws.sizes(item.shots)):
        block = item.first_block + offset
        yield block, shots, workload.block_seed(job_seed, item.index, block)


def without_finals(
    body: tuple[circuit.Statement, ...],
) -> tuple[tuple[circuit.Statement, ...], tuple[Final, ...]]:
    """Part the run of measurements at the very end from the statements before it."""
    end = len(body)
    while end and isinstance(body[end - 1], circuit.Measure):
        end -= 1
    last = {
        (statement.slot, statement.bit): Final(statement.qubit, statement.slot, statement.bit)
        for statement in body[end:]
        if isinstance(statement, circuit.Measure) and statement.slot is not None
    }
    return body[:end], tuple(last.values())

"""``circuit.sample`` and ``circuit.expect``: what a task runs of a program, and what comes back."""

import msgspec

from qfleet_wire.circuit import Program
from qfleet_wire.workload.methods import Method
from qfleet_wire.workload.noise import NoiseModel


class PauliTerm(msgspec.Struct, frozen=True, array_like=True):
    """``coefficient`` × a product of Paulis; ``paulis`` pairs a letter X, Y or Z with a qubit."""

    coefficient: float
    paulis: tuple[tuple[str, int], ...]


class Observable(msgspec.Struct, frozen=True):
    """A weighted sum of Pauli products; ``text`` is how the user wrote it."""

    text: str
    terms: tuple[PauliTerm, ...]


class SampleItem(msgspec.Struct, frozen=True):
    """One parameter point of a sampling task and the blocks of shots to draw for it.

    ``shots`` counts only this item's share; all blocks but the last of the job are full.
    """

    index: int
    parameters: tuple[float, ...]
    first_block: int
    shots: int


class ExpectItem(msgspec.Struct, frozen=True):
    """One parameter point of an expectation task; ``first_block``/``shots`` as in sampling.

    A static program is evaluated exactly and has ``shots == 0``.
    """

    index: int
    parameters: tuple[float, ...]
    first_block: int = 0
    shots: int = 0


class CircuitSample(msgspec.Struct, frozen=True, omit_defaults=True, tag="circuit.sample"):
    """Draw shots from a program; ``method`` as in ``capability``. ``noise`` goes with a method of its own."""

    program: Program
    seed: int
    items: tuple[SampleItem, ...]
    method: Method = ""
    noise: NoiseModel | None = None


class CircuitExpect(msgspec.Struct, frozen=True, omit_defaults=True, tag="circuit.expect"):
    """Expectation values of observables after a program; ``method`` and ``noise`` as in ``CircuitSample``."""

    program: Program
    seed: int
    observables: tuple[Observable, ...]
    items: tuple[ExpectItem, ...]
    method: Method = ""
    noise: NoiseModel | None = None


class SampleCounts(msgspec.Struct, frozen=True):
    """Counts of one item over its blocks.

    ``outcomes`` holds ``len(counts)`` distinct outcomes in ascending order, each as
    ``ceil(bits / 8)`` bytes, little-endian; ``counts`` has as many entries.
    """

    index: int
    first_block: int
    shots: int
    bits: int
    outcomes: bytes
    counts: tuple[int, ...]


class Moments(msgspec.Struct, frozen=True):
    """Per block: number of shots, and sums of each observable's value and squared value.

    ``shots == 0`` marks an exact evaluation: ``sums`` are the values, ``squares`` is empty.
    """

    block: int
    shots: int
    sums: tuple[float, ...]
    squares: tuple[float, ...] = ()


class ExpectValues(msgspec.Struct, frozen=True):
    """The moments of one item, in block order."""

    index: int
    moments: tuple[Moments, ...]


class SampleResult(msgspec.Struct, frozen=True, tag="circuit.sample"):
    """Answer to ``CircuitSample``."""

    items: tuple[SampleCounts, ...]


class ExpectResult(msgspec.Struct, frozen=True, tag="circuit.expect"):
    """Answer to ``CircuitExpect``."""

    items: tuple[ExpectValues, ...]

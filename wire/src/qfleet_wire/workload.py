"""Workload specifications: what a job asks for, what a task carries, what comes back.

A workload is a pure function of its specification and its seed. Seeds belong to fixed blocks of
shots (``SHOTS_PER_BLOCK``), never to the plan, so that an answer does not depend on how a job
was split. Results of any split merge to the same answer.
"""

import hashlib
from typing import TypeAlias

import msgspec

from qfleet_wire.circuit import Program

SHOTS_PER_BLOCK = 1024


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


class CircuitSample(msgspec.Struct, frozen=True, tag="circuit.sample"):
    """Draw shots from a program."""

    program: Program
    seed: int
    items: tuple[SampleItem, ...]


class CircuitExpect(msgspec.Struct, frozen=True, tag="circuit.expect"):
    """Expectation values of observables after a program."""

    program: Program
    seed: int
    observables: tuple[Observable, ...]
    items: tuple[ExpectItem, ...]


class ProbeEcho(msgspec.Struct, frozen=True, tag="probe.echo"):
    """Return ``data`` unchanged: a known-answer probe and the no-op of the benchmarks."""

    data: bytes = b""


Work: TypeAlias = CircuitSample | CircuitExpect | ProbeEcho
"""What a task runs. The tag is the workload's kind."""


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


class EchoResult(msgspec.Struct, frozen=True, tag="probe.echo"):
    """Answer to ``ProbeEcho``."""

    data: bytes


WorkResult: TypeAlias = SampleResult | ExpectResult | EchoResult


def block_seed(job_seed: int, item: int, block: int) -> int:
    """Seed of one block, 0 ≤ seed < 2^63: SHA-256 of job seed, item and block number.

    It names the block and nothing of the plan, so any split of a job draws the same numbers.
    """
    text = f"qfleet block {job_seed} {item} {block}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1

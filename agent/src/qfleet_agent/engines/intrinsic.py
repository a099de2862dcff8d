"""Intrinsic information of repertoires, and how much of it a partition destroys.

QID(ρ‖σ) = max over eigenvectors i of ρ of p_i (log₂ p_i - ⟨i|log₂ σ|i⟩): the quantum intrinsic difference, in
bits. Where an eigenvalue has several eigenvectors, the maximum is over all of its eigenspace.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from qfleet_agent.engines.repertoires import TOLERANCE, Density, Qubits, Repertoires, mixed, product

Partition: TypeAlias = tuple[tuple[Qubits, Qubits], ...]
"""Pairs of a part of the mechanism and a part of the purview; either may be empty."""


class Integrated(NamedTuple):
    """φ and the partition that it is told by, and the intrinsic information of the whole; in bits."""

    phi: float
    partition: Partition
    information: float


def difference(one: Density, other: Density) -> float:
    """QID(one‖other), ≥ 0; infinite where ``one`` has a part outside the support of ``other``."""
    below, between = np.linalg.eigh(other)
    support = below > TOLERANCE
    outside = between[:, ~support]
    logarithm = (between[:, support] * np.log2(below[support])) @ between[:, support].conj().T
    best = 0.0
    for value, space in _eigenspaces(one):
        if outside.size and np.linalg.norm(outside.conj().T @ space) > math.sqrt(TOLERANCE):
            return math.inf
        least = float(np.linalg.eigvalsh(space.conj().T @ logarithm @ space)[0])
        best = max(best, value * (math.log2(value) - least))
    return best


def integrated(repertoires: Repertoires, direction: str, mechanism: Qubits, purview: Qubits) -> Integrated:
    """φ of a mechanism over a purview: the loss by the partition with the least loss for each cut connection.

    Of partitions alike in that, the one with the larger loss counts, then the one with fewer parts.
    """
    whole = repertoires.repertoire(direction, mechanism, purview)
    information = difference(whole, mixed(len(purview)))
    best, least = Integrated(math.inf, (), information), math.inf
    for partition in partitions(mechanism, purview):
        parted = product(
            [(there, repertoires.repertoire(direction, here, there)) for here, there in partition if there]
        )
        phi = difference(whole, parted)
        if phi < TOLERANCE:
            return Integrated(0.0, partition, information)
        share = phi / cuts(partition, purview)
        if share < least - TOLERANCE or (share < least + TOLERANCE and phi > best.phi):
            best, least = Integrated(phi, partition, information), min(share, least)
    return best


def cuts(partition: Partition, purview: Qubits) -> int:
    """Connections from mechanism to purview that a partition cuts."""
    return sum(len(here) * (len(purview) - len(there)) for here, there in partition)


def partitions(mechanism: Qubits, purview: Qubits) -> Iterator[Partition]:
    """All partitions of a mechanism and a purview: nothing of the purview is left to a whole mechanism."""
    yield ((mechanism, ()), ((), purview))
    for blocks in sorted(_split(mechanism), key=len):
        if len(blocks) < 2:
            continue
        for choice in np.ndindex(*(len(blocks) + 1,) * len(purview)):
            sides: list[list[int]] = [[] for _ in range(len(blocks) + 1)]
            for qubit, side in zip(purview, choice, strict=True):
                sides[side].append(qubit)
            yield tuple(
                (here, tuple(there))
                for here, there in zip((*blocks, ()), sides, strict=True)
                if here or there
            )


def _split(names: Qubits) -> Iterator[tuple[Qubits, ...]]:
    """All ways to part names into blocks."""
    if not names:
        yield ()
        return
    first, rest = names[0], names[1:]
    for blocks in _split(rest):
        yield ((first,), *blocks)
        for place, block in enumerate(blocks):
            yield (*blocks[:place], (first, *block), *blocks[place + 1 :])


def _eigenspaces(state: Density) -> Iterator[tuple[float, Density]]:
    """Eigenvalues above 0, each once, with a basis of its space in the columns."""
    values, vectors = np.linalg.eigh(state)
    start = 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] - values[start] > TOLERANCE:
            if values[start] > TOLERANCE:
                yield float(values[start:end].mean()), vectors[:, start:end]
            start = end

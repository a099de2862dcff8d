"""Integrated information of a classical deterministic mechanism, which the quantum one generalises.

L. S. Barbosa and others, "Mechanism Integrated Information", Entropy 23, 362 (2021): the intrinsic difference
of repertoires. From L. Albantakis and others, "Integrated information theory (IIT) 4.0", PLOS Computational
Biology 19, e1011465 (2023), are cause repertoires by Bayes' rule (equation 33), disintegrating partitions
(38), φ at the partition with the least difference per connection cut (42, 43) and the best purview (45, 46).
Causes are weighed by the same difference as effects, as in the quantum form; IIT 4.0 has a generalised one
for them (7, 44), which can differ. Units are bits; a step is a permutation of states.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = tuple[int, ...]
Units: TypeAlias = tuple[int, ...]
Partition: TypeAlias = tuple[tuple[Units, Units], ...]
Direction: TypeAlias = Literal["cause", "effect"]
Repertoire: TypeAlias = dict[State, float]

_TIE = 1e-9


@dataclass(frozen=True)
class Mechanism:
    """A system of ``units`` bits, its step, and its state before the step."""

    units: int
    step: Callable[[State], State]
    state: State

    def states(self) -> Iterator[State]:
        """All states."""
        return itertools.product((0, 1), repeat=self.units)


def phi(system: Mechanism, direction: Direction, mechanism: Units, purview: Units) -> float:
    """φ of a mechanism over a purview, in bits. Causes are those of the state after the step."""
    whole = repertoire(system, direction, mechanism, purview)
    best: tuple[float, float] | None = None
    for partition in partitions(mechanism, purview):
        parted = _product(system, direction, partition, purview)
        lost = difference(whole, parted)
        cut = sum(len(part) * (len(purview) - len(of)) for part, of in partition)
        # of equally weak partitions the one that loses more counts
        key = (round(lost / cut, 9), -lost)
        best = key if best is None or key < best else best
    assert best is not None
    return max(-best[1], 0.0)


def structure(system: Mechanism) -> dict[tuple[Direction, Units], tuple[Units, float]]:
    """The purview with the largest φ, of equals the larger one, and that φ, by direction and mechanism."""
    subsets = [units for size in range(1, system.units + 1) for units in _subsets(system.units, size)]
    found: dict[tuple[Direction, Units], tuple[Units, float]] = {}
    directions: tuple[Direction, ...] = ("cause", "effect")
    for direction, mechanism in itertools.product(directions, subsets):
        scored = [(phi(system, direction, mechanism, purview), purview) for purview in subsets]
        top = max(value for value, _ in scored)
        purview = max((one for value, one in scored if top - value < _TIE), key=len)
        found[direction, mechanism] = (purview, top)
    return found


def repertoire(system: Mechanism, direction: Direction, mechanism: Units, purview: Units) -> Repertoire:
    """Probabilities of the purview's states, by what the mechanism's state says; even where it is empty."""
    if direction == "effect":
        factors = [_effect(system, mechanism, unit) for unit in purview]
        return {
            state: math.prod(factor[bit] for factor, bit in zip(factors, state, strict=True))
            for state in itertools.product((0, 1), repeat=len(purview))
        }
    weights = {
        state: math.prod(_likelihood(system, unit, purview, state) for unit in mechanism)
        for state in itertools.product((0, 1), repeat=len(purview))
    }
    total = sum(weights.values())
    return {state: weight / total for state, weight in weights.items()}


def difference(whole: Repertoire, parted: Repertoire) -> float:
    """Intrinsic difference max_s p(s) log₂(p(s)/q(s)), in bits."""
    return max(
        p * math.log2(p / parted[state]) if p > 0 and parted[state] > 0 else (math.inf if p > 0 else 0.0)
        for state, p in whole.items()
    )


def partitions(mechanism: Units, purview: Units) -> Iterator[Partition]:
    """All partitions into pairs of parts, either of which may be empty, none of which is whole.

    The disintegrating partitions Θ(M, Z) of a mechanism and a purview, equation 38 of the paper.
    """
    for parts in _set_partitions(mechanism):
        # a purview unit goes to one of the parts, or to none of them
        blocks: list[Units] = [tuple(part) for part in parts]
        for owners in itertools.product(range(len(blocks) + 1), repeat=len(purview)):
            given = [
                tuple(unit for unit, owner in zip(purview, owners, strict=True) if owner == place)
                for place in range(len(blocks) + 1)
            ]
            pairs = [*zip(blocks, given, strict=False)]
            pairs += [((), given[-1])] if given[-1] else []
            if any(part == mechanism and of for part, of in pairs):
                continue
            yield tuple(pairs)


def _effect(system: Mechanism, mechanism: Units, unit: int) -> tuple[float, float]:
    outcomes = [
        system.step(state)[unit]
        for state in system.states()
        if all(state[one] == system.state[one] for one in mechanism)
    ]
    ones = sum(outcomes) / len(outcomes)
    return 1 - ones, ones


def _likelihood(system: Mechanism, unit: int, purview: Units, past: State) -> float:
    """How often the unit ends as it is, when the purview was in a state and the rest anywhere."""
    now = system.step(system.state)[unit]
    ends = [
        system.step(state)[unit] == now
        for state in system.states()
        if all(state[one] == bit for one, bit in zip(purview, past, strict=True))
    ]
    return sum(ends) / len(ends)


def _product(system: Mechanism, direction: Direction, partition: Partition, purview: Units) -> Repertoire:
    parts = [(of, repertoire(system, direction, part, of)) for part, of in partition if of]
    places = {unit: place for place, unit in enumerate(purview)}
    return {
        state: math.prod(found[tuple(state[places[unit]] for unit in of)] for of, found in parts)
        for state in itertools.product((0, 1), repeat=len(purview))
    }


def _subsets(number: int, size: int) -> Iterable[Units]:
    return itertools.combinations(range(number), size)


def _set_partitions(units: Units) -> Iterator[list[list[int]]]:
    if not units:
        yield []
        return
    first, *rest = units
    for smaller in _set_partitions(tuple(rest)):
        yield [[first], *smaller]
        for place, part in enumerate(smaller):
            yield [*smaller[:place], [first, *part], *smaller[place + 1 :]]

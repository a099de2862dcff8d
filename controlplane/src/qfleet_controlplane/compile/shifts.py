"""The parameter-shift rule: how expectation values at shifted angles give exact derivatives.

A gate e^{-iθG} whose generator G has two eigenvalues a distance of 1 apart (rotations, phases under any
controls) gives E'(θ) = [E(θ + π/2) - E(θ - π/2)] / 2 (Schuld et al., Phys. Rev. A 99, 032331, 2019).
A rotation under controls has eigenvalues 0 and ±1/2 and takes four terms, at ±π/2 and ±3π/2, with
weights (√2 ± 1) / (4√2) (Anselmetti et al., New J. Phys. 23, 113010, 2021, equation 22). An input that
stands in several angles, or inside an expression, gets its derivative by the chain rule over all of them.
"""

import math
from collections.abc import Sequence

import msgspec

from qfleet_wire import circuit, circuit_values

TWO: tuple[tuple[float, float], ...] = ((math.pi / 2, 0.5), (-math.pi / 2, -0.5))
_NEAR, _FAR = (math.sqrt(2) + 1) / (4 * math.sqrt(2)), (math.sqrt(2) - 1) / (4 * math.sqrt(2))
FOUR: tuple[tuple[float, float], ...] = (
    (math.pi / 2, _NEAR),
    (-math.pi / 2, -_NEAR),
    (3 * math.pi / 2, -_FAR),
    (-3 * math.pi / 2, _FAR),
)


class Shift(msgspec.Struct, frozen=True, array_like=True):
    """An angle of a gate: how many terms its rule has, and its derivative with respect to each input."""

    terms: int
    derivatives: tuple[circuit.Expression | None, ...]

    @property
    def rule(self) -> tuple[tuple[float, float], ...]:
        """Pairs of an angle to add and the weight of the value there."""
        return TWO if self.terms == len(TWO) else FOUR


class Recipe(msgspec.Struct, frozen=True):
    """How the items of a job make gradients: of each point first the value, then one item for each term."""

    inputs: tuple[str, ...]
    shifts: tuple[Shift, ...]

    @property
    def evaluations(self) -> int:
        """Items for each point."""
        return 1 + sum(shift.terms for shift in self.shifts)


def rule_of(gate: circuit.Gate, argument: int) -> int:
    """Terms of the rule for an angle of a gate; 0 where it changes nothing that can be observed."""
    if gate.name == "gphase" and not gate.controls:
        return 0
    turns = gate.name in ("rx", "ry", "rz") or (gate.name == "u" and argument == 0)
    return len(FOUR) if turns and gate.controls else len(TWO)


def points(recipe: Recipe, point: Sequence[float]) -> list[tuple[float, ...]]:
    """Parameter vectors of a point's items: the point, the number of the shifted angle, and its shift."""
    vectors = [(*point, -1.0, 0.0)]
    for number, shift in enumerate(recipe.shifts):
        vectors += [(*point, float(number), angle) for angle, _ in shift.rule]
    return vectors


def slopes(recipe: Recipe, point: Sequence[float]) -> list[list[float]]:
    """Derivative of each shifted angle with respect to each input, at a point."""
    return [
        [
            0.0 if each is None else float(circuit_values.evaluate(each, point, ()))
            for each in shift.derivatives
        ]
        for shift in recipe.shifts
    ]


def gradient(recipe: Recipe, slope: Sequence[Sequence[float]], values: Sequence[float]) -> dict[str, float]:
    """Derivative of one observable with respect to each input.

    ``slope`` is what ``slopes`` says of the point, ``values`` the observable's at the point's items.
    """
    along: list[float] = []
    place = 1
    for shift in recipe.shifts:
        weighted = zip(shift.rule, values[place : place + shift.terms], strict=True)
        along.append(math.fsum(weight * value for (_, weight), value in weighted))
        place += shift.terms
    return {
        name: math.fsum(along[number] * slope[number][column] for number in range(len(along)))
        for column, name in enumerate(recipe.inputs)
    }

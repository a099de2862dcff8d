"""Gradients of expectation values: which items of a job belong to a point, and what they make."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from qfleet_controlplane.compile import shifts
from qfleet_controlplane.planning import merge, plan
from qfleet_controlplane.planning.specification import Specification

Gradient: TypeAlias = tuple[dict[str, float], ...]
"""For each observable its derivative by name of input."""


def points(
    job: Specification, recipe: shifts.Recipe, means: Mapping[int, tuple[merge.Value, ...]]
) -> Iterator[tuple[int, tuple[merge.Value, ...], Gradient]]:
    """Number, values and gradient of each point whose items are all there."""
    size = recipe.evaluations
    for number in range(job.items // size):
        first = number * size
        items = [means.get(index) for index in range(first, first + size)]
        known = [item for item in items if item is not None]
        if len(known) == size:
            yield number, known[0], _gradient(recipe, job.points[first], known)


def _gradient(
    recipe: shifts.Recipe, point: tuple[float, ...], items: list[tuple[merge.Value, ...]]
) -> Gradient:
    slope = shifts.slopes(recipe, point)
    return tuple(
        shifts.gradient(recipe, slope, [item[column].mean for item in items])
        for column in range(len(items[0]))
    )


def sentence(job: Specification, recipe: shifts.Recipe) -> str:
    """Say how many evaluations a gradient takes, and why."""
    inputs, angles = plan.many(len(recipe.inputs), "input"), plan.many(len(recipe.shifts), "angle")
    return (
        f"Gradient by {inputs} in {angles} of gates: the parameter-shift rule takes "
        f"{plan.many(recipe.evaluations, 'evaluation')} for a point, {job.items:,} in all."
    )

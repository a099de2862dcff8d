"""The maximum of a function in a box, for many links at once: deterministic, and arrays all the way.

A planner asks for hundreds of optima of a function that numpy computes for a thousand points in the time of a
few, and whose tops lie on ridges with kinks. So every round computes a cloud of points around each link's
best one. The cloud stretches along the moves that led highest, as in the covariance matrix adaptation of
Hansen and Ostermeier, Evolutionary Computation 9, 159 (2001); where the function is smooth, a parabola
through the cloud finds its top at once. What CMA-ES draws at random comes from a lattice.
"""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qfleet_wire.qkd.quantities import Floats

Objective = Callable[[Floats], Floats]
"""Of points (links, points, dimensions) in the unit box, the values (links, points); higher is better."""

SEEDS = 1024
STARTS = 3
ROUNDS = 40
_AT_ONCE = 1 << 15
_APART = 0.2
_FIRST_STEP = 0.1
_SHRINK = 0.6
_GROW = 1.2
_LEARN = 0.4
_REACH = 4.0
_SMALLEST = 1e-6
_FLATTEST = 1e-9


def maximise(objective: Objective, *, links: int, dimensions: int, steps: int = 1) -> tuple[Floats, Floats]:
    """The best points (links, dimensions) of the unit box, and their values (links,).

    ``steps`` says how many values of its own the objective computes for each, so that what is computed at
    once shrinks as they grow.
    """
    width = max(1, _AT_ONCE // max(1, links * steps))

    def valued(points: Floats) -> Floats:
        """The values of points (links, points, dimensions), some of each link at a time."""
        slices = range(0, points.shape[1], width)
        return np.concatenate([objective(points[:, at : at + width]) for at in slices], axis=1)

    def climbed(points: Floats) -> Floats:
        """The values of points around each start, given to the objective as points of each link."""
        return valued(points.reshape(links, -1, dimensions)).reshape(len(points), -1)

    seeds = lattice(SEEDS, dimensions)
    heights = valued(np.broadcast_to(seeds, (links, SEEDS, dimensions)))
    starts = seeds[_apart(seeds, heights)].reshape(links * STARTS, dimensions)

    found, values = _climb(climbed, starts)
    return _highest(found.reshape(links, STARTS, dimensions), values.reshape(links, STARTS))


def lattice(count: int, dimensions: int) -> Floats:
    """Points (count, dimensions) spread evenly over the unit box, always the same.

    Multiples of the powers of the generalised golden ratio, the root of x^(d+1) = x + 1, modulo 1.
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    powers = ratio ** -np.arange(1.0, dimensions + 1.0)
    return (0.5 + np.arange(1, count + 1)[:, None] * powers) % 1.0


def _apart(seeds: Floats, heights: Floats) -> NDArray[np.intp]:
    """Of each link the highest seed, then the highest that is not near one before: (links, starts)."""
    left = heights.copy()
    chosen = []
    for _ in range(STARTS):
        highest = left.argmax(axis=1)
        chosen.append(highest)
        near = np.abs(seeds - seeds[highest][:, None]).max(axis=2) < _APART
        left = np.where(near, -np.inf, left)
    return np.stack(chosen, axis=1)


def _climb(objective: Objective, best: Floats) -> tuple[Floats, Floats]:
    """Where each start (n, d) leads, and how high that is."""
    count, dimensions = best.shape
    value = objective(best[:, None])[:, 0]
    step = np.full((count, 1, 1), _FIRST_STEP)
    shape = np.broadcast_to(np.eye(dimensions), (count, dimensions, dimensions))
    guesses = best[:, None]
    for cloud, fit in zip(*_clouds(dimensions), strict=True):
        axes = step * np.linalg.cholesky(shape)
        around = np.clip(best[:, None] + cloud @ axes.transpose(0, 2, 1), 0.0, 1.0)
        points = np.concatenate([guesses, around], axis=1)
        values = objective(points)
        rise = values[:, guesses.shape[1] :] - value[:, None]
        elite = _elite(around, rise)
        top = best + np.einsum("nij,nj->ni", axes, _summit(rise @ fit.T))
        guesses = np.clip(np.stack([top, elite.mean(axis=1)], axis=1), 0.0, 1.0)
        shape = _stretched(shape, (elite - best[:, None]) / step)
        found, height = _highest(points, values)
        better = (height > value)[:, None]
        step = step * np.where(better, _GROW, _SHRINK)[..., None]
        best, value = np.where(better, found, best), np.maximum(value, height)
        if step.max() < _SMALLEST:
            break
    return best, value


@functools.cache
def _clouds(dimensions: int) -> tuple[Floats, Floats]:
    """Of each round the offsets (points, dimensions) from -1 to 1, and what fits a parabola to their values.

    Twice as many points as a parabola has terms, and two for each axis.
    """
    size = 2 * _terms(np.zeros((1, dimensions))).shape[1] + 2 * dimensions
    clouds = 2.0 * lattice(ROUNDS * size, dimensions).reshape(ROUNDS, size, dimensions) - 1.0
    return clouds, np.stack([np.linalg.pinv(_terms(cloud)) for cloud in clouds])


def _terms(points: Floats) -> Floats:
    """x_i, then x_i x_j for i ≤ j, of points (n, d)."""
    first, second = np.triu_indices(points.shape[1])
    return np.concatenate([points, points[:, first] * points[:, second]], axis=1)


def _elite(points: Floats, rise: Floats) -> Floats:
    """The highest quarter of the points of each start."""
    order = np.argsort(-rise, axis=1)[:, : rise.shape[1] // 4]
    elite: Floats = np.take_along_axis(points, order[..., None], axis=1)
    return elite


def _stretched(shape: Floats, moves: Floats) -> Floats:
    """The covariances of the clouds, turned towards the moves; their volumes stay, for size is the step's."""
    dimensions = shape.shape[1]
    seen = np.einsum("nki,nkj->nij", moves, moves) * dimensions / moves.shape[1]
    mixed = (1.0 - _LEARN) * shape + _LEARN * seen + _FLATTEST * np.eye(dimensions)
    volume = np.linalg.det(mixed) ** (1.0 / dimensions)
    return np.asarray(mixed / volume[:, None, None])


def _summit(coefficients: Floats) -> Floats:
    """Where parabolas (n, terms) are highest, within ``_REACH``; uphill where they curve upwards."""
    dimensions = round((np.sqrt(9.0 + 8.0 * coefficients.shape[1]) - 3.0) / 2.0)
    slope = coefficients[:, :dimensions]
    curve = np.zeros((len(coefficients), dimensions, dimensions))
    first, second = np.triu_indices(dimensions)
    curve[:, first, second] = coefficients[:, dimensions:]
    bend, axes = np.linalg.eigh(curve + curve.transpose(0, 2, 1))
    along = np.einsum("nij,ni->nj", axes, slope)
    flattest = _FLATTEST * np.abs(bend).max(axis=1, keepdims=True) + np.finfo(np.float64).tiny
    steps = np.clip(along / np.maximum(np.abs(bend), flattest), -_REACH, _REACH)
    moves: Floats = np.einsum("nij,nj->ni", axes, steps)
    return moves


def _highest(points: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Of each link the point with the highest value, and that value."""
    chosen = values.argmax(axis=1)
    links = np.arange(len(values))
    return points[links, chosen], values[links, chosen]

"""SciPy's optimisers on a landscape, with a history and a cap that hold for all of them.

SciPy is imported when a task needs it: that takes a second and 50 MB.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines.errors import ProgramFailed
from qfleet_wire import workload

Point: TypeAlias = npt.NDArray[np.float64]


class Landscape(Protocol):
    """A cost over the parameters of an ansatz."""

    def value(self, point: Point) -> float:
        """Return the cost."""

    def gradient(self, point: Point) -> tuple[float, Point]:
        """Return the cost and its derivatives."""


class Found(NamedTuple):
    """Where an optimiser was led."""

    value: float
    point: Point
    evaluations: int
    converged: bool
    trace: tuple[float, ...]
    every: int


class _Enough(Exception):
    """The cap is reached."""


class _History:
    """Every evaluation passes here: the best is kept, and every so many-th value."""

    def __init__(self, most: int, report: Callable[[float], None]) -> None:
        self._most, self._report = most, report
        self.evaluations = 0
        self.value = math.inf
        self.point: Point = np.empty(0)
        self.trace: list[float] = []
        self.every = 1

    def before(self) -> None:
        """Stop where the evaluations are used up."""
        if self.evaluations >= self._most:
            raise _Enough

    def after(self, point: Point, value: float) -> float:
        """Enter a value."""
        if not math.isfinite(value):
            raise ProgramFailed(f"the cost is {value} at evaluation {self.evaluations + 1}")
        if self.evaluations % self.every == 0:
            if len(self.trace) == workload.TRACE:
                self.trace, self.every = self.trace[::2], 2 * self.every
            if self.evaluations % self.every == 0:
                self.trace.append(value)
        if value < self.value:
            self.value, self.point = value, point.copy()
        self.evaluations += 1
        self._report(self.evaluations / self._most)
        return value


def minimise(
    landscape: Landscape,
    first: Point,
    work: workload.VariationalMinimise,
    report: Callable[[float], None],
) -> Found:
    """Minimise from a first point; ``report`` is told the share of the evaluations that are used.

    Raises:
        ProgramFailed: the cost is not a number somewhere.
    """
    # SciPy costs too much to be imported by tasks that do not minimise.
    from scipy import optimize  # type: ignore[import-untyped] # ships no types  # noqa: PLC0415

    history = _History(work.evaluations, report)

    def value(point: Point) -> float:
        history.before()
        return history.after(point, landscape.value(point))

    def gradient(point: Point) -> tuple[float, Point]:
        history.before()
        found, slopes = landscape.gradient(point)
        return history.after(point, found), slopes

    by_gradient = work.optimiser == "l-bfgs-b"
    try:
        ended = optimize.minimize(
            gradient if by_gradient else value,
            first,
            jac=by_gradient,
            method=work.optimiser,
            options=_options(work),
        )
        converged = bool(ended.success)
    except _Enough:
        converged = False
    return Found(
        history.value,
        history.point,
        history.evaluations,
        converged,
        tuple(history.trace),
        history.every,
    )


def _options(work: workload.VariationalMinimise) -> dict[str, float | bool]:
    """Return the optimiser's options: near a minimum the cost grows with the square of the way."""
    most, way = work.evaluations + 1, math.sqrt(work.tolerance)
    match work.optimiser:
        case "l-bfgs-b":
            return {"maxfun": most, "maxiter": most, "ftol": work.tolerance, "gtol": way}
        case "cobyla":
            return {"maxiter": most, "rhobeg": 0.5, "tol": way}
        case "nelder-mead":
            return {"maxfev": most, "maxiter": most, "xatol": way, "fatol": work.tolerance, "adaptive": True}

"""What formulas are at a number of times and points: finite, rates not negative, states that fit.

A device looks again, at every time at which its solver asks.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from qfleet_controlplane.compile.dynamics import states
from qfleet_controlplane.compile.dynamics.points import Points
from qfleet_controlplane.compile.dynamics.size import Weights
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.workload import formula_values
from qfleet_wire.workload.dynamics import System
from qfleet_wire.workload.formula import Formula, Number, is_steady

_EVALUATIONS = 50_000
_TIMES = 16


class Samples(NamedTuple):
    """Numbers of some points, and some times."""

    points: tuple[int, ...]
    times: tuple[float, ...]


class _Case(NamedTuple):
    field: str
    formula: Formula
    rate: bool = False


def check(system: System, names: Sequence[str], points: Points) -> Weights:
    """Look at every formula; returns the mean absolute values of coefficients and rates.

    ``names`` are those of the subsystems.

    Raises:
        RequestRefused: a value is not finite, a rate negative, or a state does not fit into its mode.
    """
    samples = _samples(system, len(points.vectors))
    for number in samples.points:
        _check_states(system, names, points, number)
    return Weights(
        tuple(
            _mean(_Case(f"work.hamiltonian[{index}].coefficient", term.coefficient), points, samples)
            for index, term in enumerate(system.hamiltonian)
        ),
        tuple(
            _mean(_Case(f"work.collapse[{index}].rate", term.coefficient, rate=True), points, samples)
            for index, term in enumerate(system.jumps)
        ),
    )


def _samples(system: System, points: int) -> Samples:
    terms = max(1, len(system.hamiltonian) + len(system.jumps))
    most = max(2, _EVALUATIONS // (_TIMES * terms))
    return Samples(_spread(points, most), tuple(system.times[k] for k in _spread(len(system.times), _TIMES)))


def _spread(count: int, most: int) -> tuple[int, ...]:
    """At most so many of ``range(count)``, the first and the last among them."""
    if count <= most:
        return tuple(range(count))
    return tuple(sorted({round(k * (count - 1) / (most - 1)) for k in range(most)}))


def _mean(case: _Case, points: Points, samples: Samples) -> float:
    if isinstance(case.formula, Number):
        return _size(case, points, 0, samples.times[:1])
    times = samples.times[:1] if is_steady(case.formula) else samples.times
    return math.fsum(_size(case, points, number, times) for number in samples.points) / len(samples.points)


def _size(case: _Case, points: Points, number: int, times: Sequence[float]) -> float:
    value = formula_values.evaluator(case.formula, points.vectors[number])
    sizes = []
    for t in times:
        try:
            found = value(t)
        except ValueError as error:
            hint = "coefficients and rates are finite at all times"
            raise RequestRefused(case.field, f"{error}{_at(points, number)}", hint) from None
        if case.rate and (isinstance(found, complex) or found < 0.0):
            hint = "a rate is 0 or more at all times"
            raise RequestRefused(case.field, f"is {found:g} at t = {t:g}{_at(points, number)}", hint)
        sizes.append(abs(found))
    return math.fsum(sizes) / len(sizes)


def _check_states(system: System, names: Sequence[str], points: Points, number: int) -> None:
    for name, preparation, subsystem in zip(names, system.initial, system.subsystems, strict=True):
        if preparation.kind not in ("coherent", "thermal"):
            continue
        field = f"work.initial.{name}"
        try:
            value = complex(formula_values.evaluator(preparation.value, points.vectors[number])(0.0))
        except ValueError:
            hint = "its value is a finite number"
            raise RequestRefused(field, f"has no finite value{_at(points, number)}", hint) from None
        if preparation.kind == "thermal" and value.real < 0:
            hint = "a thermal state has 0 or more quanta on average"
            raise RequestRefused(field, f"has {value.real:g} quanta{_at(points, number)}", hint)
        lost = states.lost(preparation, value, subsystem.levels)
        if lost > states.LOST:
            message = f"loses {lost:.2g} of its state beyond {subsystem.levels} levels{_at(points, number)}"
            raise RequestRefused(field, message, f"give the mode {name} more levels")


def _at(points: Points, number: int) -> str:
    return f" at work.parameters[{number}]" if points.names else ""

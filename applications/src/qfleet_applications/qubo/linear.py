"""The classical side of problems that are linear: integer programs by HiGHS, which OR-Tools carries."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.qubo import proving
from qfleet_applications.qubo.proving import Proof

LIMIT_S = 60.0
"""HiGHS stops after so many seconds of wall clock; what it has is told with its bound."""
_GAP = 1e-8
"""Relative; what HiGHS takes for proved by itself, 1e-4, is no proof here."""
_PARTS = 1e9


class Row(NamedTuple):
    """A constraint: ``low`` ≤ Σ a x ≤ ``high``."""

    factors: Mapping[int, float]
    low: float
    high: float


def minimised(
    costs: Sequence[float],
    rows: Sequence[Row],
    what: str,
    *,
    highest: Sequence[int] = (),
    limit_s: float = LIMIT_S,
) -> Proof[tuple[int, ...]]:
    """The whole numbers from 0 of least cost that meet all rows; ``highest`` are their bounds, usually 1.

    Raises:
        InvalidProblem: nothing meets the rows, nothing was found in time, or OR-Tools is not installed.
    """
    try:
        # takes most of a second, which other commands need not wait for
        from ortools.math_opt.python import mathopt  # noqa: PLC0415
    except ImportError:
        hint = "pip install 'qfleet-applications[all]'"
        raise InvalidProblem("the classical baseline needs OR-Tools, which is missing", hint=hint) from None
    model = mathopt.Model()
    bits = [model.add_integer_variable(lb=0, ub=bound) for bound in highest or (1,) * len(costs)]
    for row in rows:
        total = sum(factor * bits[index] for index, factor in row.factors.items())
        model.add_linear_constraint(lb=row.low, ub=row.high, expr=total)
    model.minimize(sum(cost * bit for cost, bit in zip(costs, bits, strict=True)))
    parameters = mathopt.SolveParameters(
        time_limit=dt.timedelta(seconds=limit_s), relative_gap_tolerance=_GAP
    )
    result = mathopt.solve(model, mathopt.SolverType.HIGHS, params=parameters)
    if not result.has_primal_feasible_solution():
        raise InvalidProblem(f"{what}: HiGHS finds no solution ({result.termination.reason.value})")
    found = tuple(round(value) for value in result.variable_values(bits))
    return Proof(
        found, result.objective_value(), result.best_objective_bound(), result.solve_time().total_seconds()
    )


def constrained(
    costs: Sequence[float], rows: Sequence[Row], what: str, *, seed: int = 0
) -> Proof[tuple[int, ...]]:
    """The same bits by CP-SAT, to which costs are whole numbers: rounded to a part in 10⁹ of the largest.

    The factors and bounds of the rows must be whole numbers.

    Raises:
        InvalidProblem: no bits meet the rows, or OR-Tools is not installed.
    """
    model = proving.constraints()
    bits = [model.new_bool_var("") for _ in costs]
    for row in rows:
        total = sum(round(factor) * bits[index] for index, factor in row.factors.items())
        model.add_linear_constraint(total, round(row.low), round(row.high))
    unit = max(map(abs, costs), default=1.0) / _PARTS or 1.0
    model.minimize(sum(round(cost / unit) * bit for cost, bit in zip(costs, bits, strict=True)))
    proof = proving.minimised(model, lambda solver: tuple(map(solver.value, bits)), what, seed=seed)
    value = sum(cost * bit for cost, bit in zip(costs, proof.solution, strict=True))
    return Proof(proof.solution, value, value if proof.proved else proof.bound * unit, proof.seconds)

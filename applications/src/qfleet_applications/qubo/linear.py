"""The classical side of problems that are linear: binary programs by HiGHS, which OR-Tools carries."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.qubo.proving import Proof


class Row(NamedTuple):
    """A constraint: ``low`` ≤ Σ a x ≤ ``high``."""

    factors: Mapping[int, float]
    low: float
    high: float


def minimised(costs: Sequence[float], rows: Sequence[Row], what: str) -> Proof[tuple[int, ...]]:
    """The bits of least cost that meet all rows.

    Raises:
        InvalidProblem: no bits meet them, or OR-Tools is not installed.
    """
    try:
        # takes most of a second, which other commands need not wait for
        from ortools.math_opt.python import mathopt  # noqa: PLC0415
    except ImportError:
        hint = "pip install 'qfleet-applications[all]'"
        raise InvalidProblem("the classical baseline needs OR-Tools, which is missing", hint=hint) from None
    model = mathopt.Model()
    bits = [model.add_binary_variable() for _ in costs]
    for row in rows:
        total = sum(factor * bits[index] for index, factor in row.factors.items())
        model.add_linear_constraint(lb=row.low, ub=row.high, expr=total)
    model.minimize(sum(cost * bit for cost, bit in zip(costs, bits, strict=True)))
    result = mathopt.solve(model, mathopt.SolverType.HIGHS)
    if result.termination.reason != mathopt.TerminationReason.OPTIMAL:
        raise InvalidProblem(f"{what}: HiGHS finds no solution ({result.termination.reason.value})")
    found = tuple(round(value) for value in result.variable_values(bits))
    return Proof(
        found, result.objective_value(), result.best_objective_bound(), result.solve_time().total_seconds()
    )

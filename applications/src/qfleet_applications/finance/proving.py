"""The best choice in equal parts with its proof, by two solvers that share no code: CP-SAT and HiGHS."""

import time
from typing import Any

import numpy as np

from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.finance.selecting import Choice
from qfleet_applications.finance.selection import Selection

_SCALE = 1e12
"""CP-SAT computes with integers: coefficients are rounded to a part in this many."""
_WORK_LIMIT = 60.0
"""Of CP-SAT, in its deterministic unit of time, which is about a second; it ends equally on every machine."""
_NODES = 2000
"""Of HiGHS's search, for the same reason."""
MOST_FOR_HIGHS = 60
"""Assets whose pairs HiGHS gets: its limit of nodes does not bound its first linear programme."""
_LARGEST = 1e3
"""What HiGHS's largest coefficient is scaled to: it calls 1e-6 of an objective nothing."""


def by_cp_sat(selection: Selection) -> Choice:
    """The best choice and a bound below which there is none, by OR-Tools CP-SAT with one worker."""
    from ortools.sat.python import cp_model  # noqa: PLC0415 - takes long to import

    began = time.perf_counter()
    model = cp_model.CpModel()
    held = [model.new_bool_var(name) for name in selection.assets]
    model.add(sum(held) == selection.choose)
    scale = _SCALE / max(1.0, selection.penalty)
    terms: list[Any] = [round(float(value) * scale) * held[i] for i, value in enumerate(selection.linear)]
    for i in range(selection.size):
        for j in range(i + 1, selection.size):
            both = model.new_bool_var("")
            model.add_multiplication_equality(both, [held[i], held[j]])
            terms.append(round(float(selection.quadratic[i, j]) * scale) * both)
    model.minimize(sum(terms))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _WORK_LIMIT
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        raise UnexpectedResult(f"CP-SAT ended with {solver.status_name(status)}")
    chosen = tuple(i for i, one in enumerate(held) if solver.boolean_value(one))
    objective = selection.objective(chosen)
    bound = objective if status == cp_model.OPTIMAL else solver.best_objective_bound / scale
    return Choice(chosen, objective, time.perf_counter() - began, min(bound, objective))


def by_highs(selection: Selection) -> Choice | None:
    """The same by SciPy's HiGHS on the linearised problem; None for too many assets, or if it found none.

    A product x_i x_j becomes y_ij in [0, 1] with y_ij ≤ x_i, y_ij ≤ x_j, and Σ_j y_ij = (k - 1) x_i for
    each i: the first level of Sherali and Adams (SIAM J. Discrete Math. 3, 411, 1990) for Σ x = k. Where x is
    binary the equations alone force y_ij = x_i x_j.
    """
    if selection.size > MOST_FOR_HIGHS:
        return None
    from scipy import optimize  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; slow import

    began = time.perf_counter()
    size, pairs = selection.size, np.triu_indices(selection.size, 1)
    costs = np.concatenate((selection.linear, selection.quadratic[pairs]))
    scale = _LARGEST / max(float(np.abs(costs).max()), 1e-300)
    matrix, low, high = _rows(selection)
    found = optimize.milp(
        costs * scale,
        integrality=np.concatenate((np.ones(size), np.zeros(len(pairs[0])))),
        bounds=optimize.Bounds(0.0, 1.0),
        constraints=optimize.LinearConstraint(matrix, low, high),
        options={"node_limit": _NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    chosen = tuple(int(one) for one in np.flatnonzero(found.x[:size] > 0.5))
    objective = selection.objective(chosen)
    # a proven optimum's bound differs from it by rounding alone
    bound = objective if found.status == 0 else min(float(found.mip_dual_bound) / scale, objective)
    return Choice(chosen, objective, time.perf_counter() - began, bound)


def _rows(selection: Selection) -> tuple[Vector, Vector, Vector]:
    """Constraints low ≤ M (x, y) ≤ high: how many assets, each asset's pairs, and pairs within assets."""
    size, (first, second) = selection.size, np.triu_indices(selection.size, 1)
    count = len(first)
    places = np.arange(count)
    number = np.concatenate((np.ones(size), np.zeros(count)))[None, :]
    degrees = np.zeros((size, size + count))
    degrees[first, size + places] = degrees[second, size + places] = 1.0
    degrees[np.arange(size), np.arange(size)] = 1.0 - selection.choose
    within = np.zeros((2 * count, size + count))
    within[places, size + places] = within[count + places, size + places] = 1.0
    within[places, first] = within[count + places, second] = -1.0
    matrix = np.concatenate((number, degrees, within))
    low = np.concatenate(([selection.choose], np.zeros(size), np.full(2 * count, -np.inf)))
    high = np.concatenate(([selection.choose], np.zeros(size + 2 * count)))
    return matrix, low, high

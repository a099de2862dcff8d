"""The classical side: OR-Tools CP-SAT with one worker and a seed, so that it finds the same again.

Its answer is a value and a bound; where they meet, the value is proved optimal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from qfleet_applications.errors import InvalidProblem

T = TypeVar("T")

LIMIT_S = 20.0
"""CP-SAT stops after so much of its deterministic time, about seconds; what it has is told with its bound."""


@dataclass(frozen=True, slots=True)
class Proof(Generic[T]):
    """A solution, its value, the bound below which no solution lies, and the wall time in seconds."""

    solution: T
    value: float
    bound: float
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether nothing is better."""
        return abs(self.value - self.bound) <= 1e-6 * max(1.0, abs(self.value))

    @property
    def note(self) -> str:
        """How much is proved, for people."""
        return "proved optimal" if self.proved else f"not proved; nothing is below {self.bound:.6g}"


def constraints() -> Any:
    """An empty model of CP-SAT.

    Raises:
        InvalidProblem: OR-Tools is not installed.
    """
    try:
        # takes most of a second, which other commands need not wait for
        from ortools.sat.python import cp_model  # noqa: PLC0415
    except ImportError:
        hint = "pip install 'qfleet-applications[all]'"
        raise InvalidProblem("the classical baseline needs OR-Tools, which is missing", hint=hint) from None
    return cp_model.CpModel()


def minimised(
    model: Any, read: Callable[[Any], T], what: str, *, seed: int = 0, limit_s: float = LIMIT_S
) -> Proof[T]:
    """Solve a model of CP-SAT; ``read`` takes the solver's values, ``limit_s`` is of its deterministic time.

    Raises:
        InvalidProblem: nothing meets the constraints, or nothing was found in time.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - as above

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit_s
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        raise InvalidProblem(f"{what}: CP-SAT finds no solution ({solver.status_name(status).lower()})")
    return Proof(read(solver), solver.objective_value, solver.best_objective_bound, solver.wall_time)


def gap(what: str, found: float, proof: Proof[Any], method: str = "CP-SAT") -> str:
    """How far the fleet's answer is above that of an exact method, as a sentence."""
    share = f"{100 * (found / proof.value - 1):.2f} % above" if proof.value else "beside"
    return (
        f"The fleet's {what} of {found:.6g} is {share} {method}'s {proof.value:.6g}, which is {proof.note}."
    )


def credited(rule: str, sampler: str, begun: float, found: float) -> str:
    """The method that an answer is due to: a search begins at what a rule gives, and may not improve it."""
    if found < begun:
        return f"{sampler}, from {rule}"
    return f"{rule}, which {sampler} did not improve"


def beginning(rule: str, begun: str, *, better: bool) -> str:
    """Where a search began, and whether the sampler found anything better, as a sentence."""
    found = "the sampler found better." if better else "the sampler found nothing better."
    return f"The search began at {begun}, by {rule}; {found}"

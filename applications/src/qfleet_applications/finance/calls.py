"""Calls at equal error: amplitude estimation beside Monte Carlo, and what a call of each is made of.

A call of one is no call of the other, and neither is a second: a preparation is so many gates one after
another on a coherent register, a draw is a few random numbers. The table says how many.
"""

from dataclasses import dataclass

from qfleet import AmplitudeProblem
from qfleet_applications.finance.estimating import Estimate
from qfleet_applications.finance.simulation import Simulation
from qfleet_applications.frame.report import QUANTUM, Cell, Comparison, Measured, Table

QUANTITY = "calls (preparations of the state, or draws; not seconds)"
NOTE = (
    "Amplitude estimation takes about 1/ε calls, plain draws 1/ε². The count leaves out what a call costs: a "
    "preparation is as many gates as the table says, one after another, and error correction comes on top; a "
    "draw is a few random numbers. Fewer calls are not less time: see the times. Sobol points are what a "
    "quant would draw in few dimensions; their lead shrinks as dimensions grow."
)


@dataclass(frozen=True)
class Calls:
    """One mean, by amplitude estimation with circuits of ``gates``, and by draws that are as precise."""

    problem: str
    unit: str
    estimate: Estimate
    gates: int
    quantum_seconds: float
    simulated: tuple[Simulation, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Amplitude estimation against each simulation."""
        return tuple(self._against(one) for one in self.simulated)

    def _against(self, one: Simulation) -> Comparison:
        counted, drawn = float(self.estimate.preparations), float(one.draws)
        return Comparison(
            problem=f"{self.problem} to ± {self.estimate.half:.3g} {self.unit}",
            quantity=QUANTITY,
            unit="calls",
            goal="lower",
            fleet=Measured(
                "amplitude estimation", counted, counted, counted, self.quantum_seconds, kind=QUANTUM
            ),
            classical=Measured(one.method, drawn, drawn, drawn, one.seconds),
            interval="calls are counted",
        )

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """Each method's calls and steps."""
        found = self.estimate
        counted: list[tuple[Cell, ...]] = [
            (
                self.problem,
                "amplitude estimation",
                found.value,
                found.half,
                found.preparations,
                f"{self.gates} gates",
                found.preparations * self.gates,
            )
        ]
        for one in self.simulated:
            steps = f"{one.numbers} random number{'s' * (one.numbers != 1)}"
            counted.append(
                (self.problem, one.method, one.mean, one.half, one.draws, steps, one.draws * one.numbers)
            )
        return tuple(counted)


def table(counted: tuple[Calls, ...]) -> Table:
    """Calls and what they are made of."""
    columns = ("mean of", "method", "value", "±", "calls", "a call is", "steps in all")
    rows = tuple(row for one in counted for row in one.rows)
    return Table("Calls for the same error, and what a call is: no count is a time", columns, rows)


def gates(problem: AmplitudeProblem) -> int:
    """Gates of a circuit as it is written; one with many controls counts as one, which flatters it."""
    heading = 3
    return problem.program.count(";") - heading

"""The study ``manufacturing maintain``: when each machine is out, so that the reserve is even."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.manufacturing import calendar, exact, levelling, planning
from qfleet_applications.manufacturing.calendar import SHARE, Plant
from qfleet_applications.manufacturing.planning import Plan, Rounds
from qfleet_applications.qubo import proving, sampling
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=16, sweeps=500, keep=16, beta=(0.2, 6.0))
"""A unit of energy is the mean square of the outages: at first they move freely, at last not at all."""
CLASSICAL = "annealing of the starts and CP-SAT"


@dataclass(frozen=True)
class MaintainStudy:
    """A plant and how long to search; ``clock`` gives seconds."""

    plant: Plant
    rounds: Rounds
    clock: Callable[[], float] = time.perf_counter

    @property
    def title(self) -> str:
        """What it is about."""
        sizes = f"{len(self.plant.machines)} machines in {len(self.plant.load)} periods"
        return f"Maintenance of {self.plant.name}, {sizes}"

    @property
    def qubits(self) -> int:
        """Qubits of the widest model, which only QAOA needs."""
        if self.rounds.effort.method != "qaoa":
            return 0
        return max(len(calendar.model(block)[0]) for block in self._first())

    def requests(self) -> tuple[JobRequest, ...]:
        """The first round.

        Raises:
            TooLarge: all machines are asked for in one model and do not fit.
        """
        self._check()
        return planning.requests(self._first(), self.rounds, self.rounds.seed)

    def conduct(self, desk: Runner) -> Report:
        """Search on the fleet, ask CP-SAT, and compare."""
        self._check()
        began = self.clock()
        plan = planning.begun(self.plant)
        planning.search(plan, desk, self.rounds, self._chance())
        seconds = self.clock() - began
        began = self.clock()
        first = levelling.annealed(self.plant, planning.begun(self.plant).starts, self._chance())
        beside = self.clock() - began
        proof = exact.levelled(self.plant, first, seed=self.rounds.seed)
        return self._report(plan, replace(proof, seconds=proof.seconds + beside), seconds)

    def _check(self) -> None:
        if self.rounds.whole:
            bits = sum(len(self.plant.starts(one)) for one in range(len(self.plant.machines)))
            sampling.check(bits, 0, self.rounds.effort, self.title)

    def _chance(self) -> np.random.Generator:
        return np.random.default_rng(self.rounds.seed)

    def _first(self) -> list[calendar.Block]:
        return planning.blocks(planning.begun(self.plant), self.rounds, self._chance())

    def _report(self, plan: Plan, proof: Proof[tuple[int, ...]], seconds: float) -> Report:
        plant, described = self.plant, self.rounds.effort.described
        ours, theirs = plant.spread(plan.starts), plant.spread(proof.solution)
        begun = plant.spread(planning.begun(plant).starts)
        method = proving.credited("the greedy rule", described, begun, ours)
        kind = self.rounds.effort.kind if ours < begun else "classical"
        comparison = Comparison(
            self.title,
            "standard deviation of the reserve",
            plant.unit,
            "lower",
            Measured(method, ours, ours, ours, seconds, kind=kind),
            Measured(CLASSICAL, theirs, theirs, theirs, proof.seconds, _note(plant, proof)),
            "exact values",
        )
        return Report(
            pack="manufacturing",
            command="maintain",
            title=self.title,
            comparisons=(comparison,),
            tables=(_starts(plant, plan, proof), _steps(plan)),
            figures=(_reserve(plant, plan, proof),),
            notes=(
                f"The classical plan is {_note(plant, proof)}.",
                proving.beginning("a greedy rule", f"{begun:.4g}", better=ours < begun),
                "Both searches draw at random: another seed may turn the comparison.",
                "Minimised is the sum of squares of load and outage: what is out in sum is fixed.",
                "A machine with no start in a state, or several, gets one where load and outage are least.",
                self.rounds.effort.nature,
            ),
            settings={
                "seed": str(self.rounds.seed),
                "method": described,
                "weight of a machine without one start": f"{SHARE:g} of all that its overlaps can cost",
                "machines and starts in a model": f"{self.rounds.machines}, {self.rounds.choices} for each",
            },
            versions=versions("ortools"),
        )


def _note(plant: Plant, proof: Proof[tuple[int, ...]]) -> str:
    if proof.proved:
        return "proved optimal"
    return f"not proved optimal: CP-SAT shows that no plan is below {plant.spread_of(proof.bound):.4g}"


def _starts(plant: Plant, plan: Plan, proof: Proof[tuple[int, ...]]) -> Table:
    unit = f" [{plant.unit}]" if plant.unit else ""
    columns = ("machine", f"capacity{unit}", "periods out", "from period (fleet)", "from period (classical)")
    rows = tuple(
        (machine.name, machine.capacity, machine.periods, ours + 1, theirs + 1)
        for machine, ours, theirs in zip(plant.machines, plan.starts, proof.solution, strict=True)
    )
    return Table("When each machine is out", columns, rows)


def _steps(plan: Plan) -> Table:
    columns = ("machines", "variables", "states read", "of them valid", "spread before", "spread found")
    rows = tuple(
        (one.machines, one.variables, one.kept, one.valid, one.before, one.after) for one in plan.steps
    )
    return Table("Models that the fleet was asked", columns, rows)


def _reserve(plant: Plant, plan: Plan, proof: Proof[tuple[int, ...]]) -> Figure:
    curves = [("nothing out", list(plant.load))]
    for label, starts in (("classical", proof.solution), ("fleet", plan.starts)):
        curves.append((label, plant.levels(starts)))
    # the last period is as wide as the others
    x = tuple(float(period + 1) for period in range(len(plant.load) + 1))
    series = [
        Series(label, x, tuple(float(plant.capacity - level) for level in (*row, row[-1])), style="steps")
        for label, row in curves
    ]
    unit = f" [{plant.unit}]" if plant.unit else ""
    return Figure("reserve", f"Reserve of {plant.name}", "period", f"reserve{unit}", tuple(series))

"""``option``: prices by amplitude estimation, beside Black and Scholes, and draws that are as precise.

The payoff is loaded with exact angles, so its estimate has no bias. Beside it stands the *linearised* payoff
of the literature, whose bias on the same grid is computed and reported.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qfleet import AmplitudeProblem, JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import (
    calls,
    circuits,
    contracts,
    estimating,
    option_report,
    reading,
    simulation,
)
from qfleet_applications.finance.calls import Calls
from qfleet_applications.finance.circuits import Circuit
from qfleet_applications.finance.contracts import Contract, Grid
from qfleet_applications.finance.estimating import Estimate, Precision
from qfleet_applications.finance.option_report import REFERENCE_POWER, Priced
from qfleet_applications.finance.simulation import Integrand
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report
from qfleet_applications.frame.versions import versions

PER_CONTRACT = 3
MOST = 50
MOST_POINTS = 1 << 11
"""Of all grids together: their circuits take about ten seconds to compile, and a client waits no minute."""


@dataclass(frozen=True)
class OptionTerms:
    """How options are priced: the grid, the scale c of the linearised payoff, precision, seed, currency."""

    width: int = 3
    reach: float = 3.0
    scale: float = 0.25
    epsilon: float = 0.002
    confidence: float = 0.95
    seed: int = 0
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if not 0.01 <= self.scale <= 1.0:
            raise InvalidProblem(f"--scale {self.scale:g} is not within 0.01 to 1")


@dataclass(frozen=True)
class OptionStudy:
    """Some contracts, priced in one job."""

    contracts: tuple[Contract, ...]
    terms: OptionTerms
    source: dict[str, str]

    def __post_init__(self) -> None:
        if not 1 <= len(self.contracts) <= MOST:
            raise InvalidProblem(f"{len(self.contracts)} contracts; a report takes 1 to {MOST}")
        for grid in self.grids:
            if grid.payoff.max() <= 0.0:
                raise InvalidProblem(
                    f"contract {grid.contract.name!r} pays nothing anywhere on the grid",
                    hint="give more --reach or --qubits, or a strike nearer to the price",
                )

        points = sum(1 << grid.qubits - 1 for grid in self.grids)
        if points > MOST_POINTS:
            raise InvalidProblem(
                f"{len(self.contracts)} contracts on {points} grid points in all, the widest of "
                f"{self.qubits} qubits; one report writes out circuits of {MOST_POINTS} at most",
                hint="give fewer --qubits, or some contracts by --contract",
            )

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Prices of {len(self.contracts)} European option{'s' * (len(self.contracts) != 1)}"

    @cached_property
    def grids(self) -> tuple[Grid, ...]:
        """Each contract on its grid."""
        return tuple(Grid(one, self.terms.width, self.terms.reach) for one in self.contracts)

    @property
    def qubits(self) -> int:
        """The widest circuit."""
        return max(grid.qubits for grid in self.grids)

    @property
    def precision(self) -> Precision:
        """The level of each estimate."""
        return Precision(self.terms.epsilon, self.terms.confidence, PER_CONTRACT * len(self.contracts))

    def requests(self) -> tuple[JobRequest, ...]:
        """One job: payoff, probability of exercise, and linearised payoff of each contract."""
        problems = [one for grid in self.grids for one in _problems(grid, self.terms.scale)]
        return (estimating.request(problems, self.precision, "options", seed=self.terms.seed, number=0),)

    def conduct(self, desk: Runner) -> Report:
        """Price, and judge."""
        began = time.perf_counter()
        found = estimating.run(desk, self.requests()[0], "option prices")
        seconds = (time.perf_counter() - began) / len(self.grids)
        priced = [
            self._priced(grid, found[PER_CONTRACT * number : PER_CONTRACT * (number + 1)], seconds)
            for number, grid in enumerate(self.grids)
        ]
        terms = self.terms
        return Report(
            pack="finance",
            command="option",
            title=self.title,
            comparisons=option_report.comparisons(priced, terms.currency),
            tables=option_report.tables(priced, terms.currency, terms.scale),
            figures=(option_report.figure(priced, terms.currency),),
            notes=option_report.NOTES,
            settings=self.source
            | {
                "grid": f"{terms.width} qubits for each price, within ±{terms.reach:g} standard deviations",
                "scale": f"{terms.scale:g} of the linearised payoff",
                "epsilon": f"{terms.epsilon:g}",
                "confidence": f"{terms.confidence:g}, all intervals together",
                "seed": str(terms.seed),
                "qubits": str(self.qubits),
            },
            versions=versions("numpy"),
        )

    def _priced(self, grid: Grid, found: Sequence[Estimate], seconds: float) -> Priced:
        contract, alpha = grid.contract, self.precision.alpha
        top = float(grid.payoff.max())
        payoff = found[0].scaled(top)
        began = time.perf_counter()
        closed = contracts.closed_form(contract)
        closed_seconds = time.perf_counter() - began
        integrand = Integrand(lambda points: contracts.at(contract, points), len(contract.assets))
        mean, reach, deviation = simulation.averaged(integrand, REFERENCE_POWER, alpha, self.terms.seed)
        reference = (closed,) * 3 if closed is not None else (mean, mean - reach, mean + reach)
        reference_seconds = closed_seconds if closed is not None else time.perf_counter() - began
        price = payoff.scaled(contract.discount)
        plain = simulation.plain(
            lambda number, rng: contracts.sampled(contract, number, rng),
            deviation,
            (price.half, alpha),
            numbers=len(contract.assets),
            seed=self.terms.seed,
        )
        sobol = simulation.as_precise(integrand, price.half, alpha, self.terms.seed)
        return Priced(
            grid=grid,
            payoff=payoff,
            exercise=found[1],
            linear=_from_linear(found[2], top, self.terms.scale),
            linear_exact=_linear_exact(grid, self.terms.scale),
            seconds=seconds,
            reference=reference,
            reference_seconds=reference_seconds,
            calls=Calls(
                problem=f"{contract.name}, price",
                unit=self.terms.currency,
                estimate=price,
                gates=calls.gates(_problems(grid, self.terms.scale)[0]),
                quantum_seconds=seconds,
                simulated=(plain, *((sobol,) if sobol is not None else ())),
            ),
        )


def of_file(file: Path | None, terms: OptionTerms, *, only: tuple[str, ...] = ()) -> OptionStudy:
    """The study of a file's contracts, the bundled ones if none is given, or of some by name.

    Raises:
        InvalidData: the file holds no contracts.
        InvalidProblem: a contract cannot be, or there is none of a name.
    """
    read = file or reading.CONTRACTS
    found = {one.name: one for one in reading.contracts(read, terms.currency)}
    for name in only:
        if name not in found:
            raise InvalidProblem(f"there is no contract {name!r}", hint=f"there are {', '.join(found)}")
    source = {
        "file": str(file) if file else "bundled contracts.csv",
        "sha256": reading.digest(read),
        "contracts": ", ".join(only or found),
    }
    return OptionStudy(tuple(found[name] for name in only or found), terms, source)


def _problems(grid: Grid, scale: float) -> tuple[AmplitudeProblem, ...]:
    """Payoff / largest payoff, the probability of exercise, and the linearised payoff."""
    prices = tuple(range(grid.qubits - 1))
    payoff = len(prices)
    loaded = Circuit(grid.qubits)
    circuits.prepare(loaded, grid.probabilities, prices)
    exact, linear = loaded.copy(), loaded.copy()
    shares = grid.payoff / grid.payoff.max()
    circuits.mark(exact, shares, prices, payoff)
    circuits.mark(linear, circuits.linear_share(shares, scale), prices, payoff)
    exercised = np.flatnonzero(grid.contract.exercised(grid.basket))
    good = circuits.words([int(one) for one in exercised], payoff)
    return (
        AmplitudeProblem(program=exact.text, objective=(payoff,)),
        AmplitudeProblem(program=loaded.text, objective=prices, good=good),
        AmplitudeProblem(program=linear.text, objective=(payoff,)),
    )


def _from_linear(found: Estimate, top: float, scale: float) -> Estimate:
    """The expected payoff that a chance of the linearised circuit is read as."""
    slope = 2.0 / (np.pi * scale)
    return found.scaled(top * slope, top * (0.5 - slope / 2.0))


def _linear_exact(grid: Grid, scale: float) -> float:
    """What the linearised circuit would say without any error of estimation."""
    top = float(grid.payoff.max())
    chance = float(grid.probabilities @ circuits.linear_share(grid.payoff / top, scale))
    return top * circuits.from_linear(chance, scale)

"""The measures of risk of one exposure: by amplitude estimation, exactly, and by equally precise draws."""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qfleet import JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import calls, credit, estimating, exposures, measures, quantiles, simulation
from qfleet_applications.finance.calls import Calls
from qfleet_applications.finance.credit import Book
from qfleet_applications.finance.estimating import Estimate, Precision
from qfleet_applications.finance.exposures import Exposure
from qfleet_applications.finance.histories import Past
from qfleet_applications.finance.measures import Tail
from qfleet_applications.finance.quantiles import Search
from qfleet_applications.frame.desk import Runner

LINEAR, MEANS, TAIL = 100, 101, 102
"""Numbers of jobs, beyond those of the search."""


@dataclass(frozen=True)
class Terms:
    """How a study of risk is done: level of the value at risk, precision, seed, and the unit of losses."""

    level: float = 0.95
    epsilon: float = 0.002
    confidence: float = 0.95
    seed: int = 0
    unit: str = "EUR"

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise InvalidProblem(f"--level {self.level:g} is not within 0 to 1")


@dataclass(frozen=True)
class Findings:
    """What a study found; ``calls`` are those of the expected loss by each method."""

    mean: Estimate
    tail: Tail
    search: Search
    linear: tuple[Estimate, Estimate] | None
    calls: Calls
    exact_seconds: float


@dataclass(frozen=True)
class Assessment:
    """The risk of a credit book, or of one asset by its past.

    ``source`` says where the data are from, for the report.
    """

    exposure: Exposure
    terms: Terms
    source: dict[str, str]
    book: Book | None = None
    past: Past | None = None

    @property
    def title(self) -> str:
        """What it is about."""
        if self.book is not None:
            return f"Risk of a book of {len(self.book.loans)} loans"
        return f"Risk of {self.source.get('history', 'an asset')} by its past returns"

    @property
    def qubits(self) -> int:
        """Qubits of every circuit."""
        return self.exposure.qubits

    @cached_property
    def precision(self) -> Precision:
        """The level of each estimate, from how many there can be."""
        count = quantiles.AT_ONCE * quantiles.rounds(self.exposure.losses.most) + 4
        return Precision(self.terms.epsilon, self.terms.confidence, count)

    @cached_property
    def linear(self) -> Exposure | None:
        """The same book in the linearised circuit."""
        return exposures.of_book(self.book, linear=True) if self.book is not None else None

    def search(self) -> Search:
        """A search that has not begun."""
        return Search(self.exposure, self.terms.level, self.precision, self.terms.seed)

    def requests(self) -> tuple[JobRequest, ...]:
        """The mean, and the first round of the search."""
        first = self.search().first()
        return (self._means(), *((first,) if first is not None else ()))

    def found(self, desk: Runner) -> Findings:
        """All numbers of the report."""
        began = time.perf_counter()
        losses = self.exposure.losses
        (share,) = estimating.run(desk, self._means(), "expected loss")
        quantum_seconds = time.perf_counter() - began
        search = self.search()
        place = search.run(desk)
        tail = self._tail(desk, search, place)
        linear = self._linearised(desk, place)
        mean = share.scaled(losses.most * losses.step, losses.first)
        exact_seconds = self._exactly()
        return Findings(
            mean=mean,
            tail=tail,
            search=search,
            linear=linear,
            calls=self._calls(mean, quantum_seconds),
            exact_seconds=exact_seconds,
        )

    def _calls(self, mean: Estimate, quantum_seconds: float) -> Calls:
        """Draws that know the expected loss as precisely: plain, and of Sobol points."""
        losses, seed = self.exposure.losses, self.terms.seed
        alpha, integrand = self.precision.alpha, self.exposure.integrand
        deviation = float(np.sqrt(losses.probabilities @ (losses.values - losses.mean) ** 2))
        plain = simulation.plain(
            self.exposure.draw, deviation, (mean.half, alpha), numbers=self.exposure.numbers, seed=seed
        )
        sobol = simulation.as_precise(integrand, mean.half, alpha, seed)
        return Calls(
            problem=f"{self.title}, expected loss",
            unit=self.terms.unit,
            estimate=mean,
            gates=calls.gates(self.exposure.excess(0)),
            quantum_seconds=quantum_seconds,
            simulated=(plain, *((sobol,) if sobol is not None else ())),
        )

    def _means(self) -> JobRequest:
        problems = (self.exposure.excess(0),)
        return estimating.request(
            problems, self.precision, "expected loss", seed=self.terms.seed, number=MEANS
        )

    def _tail(self, desk: Runner, search: Search, place: int) -> Tail:
        losses = self.exposure.losses
        if place == losses.most:
            return measures.certain(losses, search.bounds(), 0)
        job = estimating.request(
            (self.exposure.excess(place),),
            self.precision,
            "beyond the value at risk",
            seed=self.terms.seed,
            number=TAIL,
        )
        (excess,) = estimating.run(desk, job, "beyond the value at risk")
        found = (search.seen[place], excess)
        return measures.tail(losses, self.terms.level, place, search.bounds(), found)

    def _linearised(self, desk: Runner, place: int) -> tuple[Estimate, Estimate] | None:
        """Expected loss, and probability to stay within the value at risk, in the linearised circuit."""
        if self.linear is None:
            return None
        losses = self.linear.losses
        problems = (self.linear.excess(0), self.linear.below(place))
        job = estimating.request(
            problems, self.precision, "linearised circuit", seed=self.terms.seed, number=LINEAR
        )
        share, below = estimating.run(desk, job, "linearised circuit")
        return share.scaled(losses.most * losses.step, losses.first), below

    def _exactly(self) -> float:
        """How long the exact distribution and its measures take."""
        began = time.perf_counter()
        if self.book is not None:
            losses = credit.distribution(self.book, linear=False)
        else:
            losses = self.exposure.losses
        losses.shortfall(self.terms.level)
        return time.perf_counter() - began

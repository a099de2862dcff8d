"""Jobs of amplitude estimation, what they cost, and Monte Carlo draws that are as precise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from qfleet import AmplitudeProblem, AmplitudeRequest, AmplitudeResultView, JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.desk import Runner, expect

LEAST_DRAWS = 100
_APART = 1000
"""Seeds of one report's jobs lie in a block of this many, so that reports with other seeds share none."""


@dataclass(frozen=True)
class Precision:
    """Each amplitude to ± ``epsilon``; all ``estimates`` hold together with the chance ``confidence``.

    The level is shared equally by the estimates (Bonferroni).
    """

    epsilon: float
    confidence: float
    estimates: int

    def __post_init__(self) -> None:
        if not 1e-6 <= self.epsilon <= 0.25:
            raise InvalidProblem(f"--epsilon {self.epsilon:g} is not within 1e-06 to 0.25")
        if not 0.5 <= self.confidence <= 0.9999:
            raise InvalidProblem(f"--confidence {self.confidence:g} is not within 0.5 to 0.9999")

    @property
    def alpha(self) -> float:
        """The chance of one estimate to be wrong."""
        return (1.0 - self.confidence) / self.estimates


@dataclass(frozen=True)
class Estimate:
    """A number that follows from an amplitude, with its interval.

    ``preparations`` counts how often the state was prepared or undone: 2k + 1 times a shot at power k.
    """

    value: float
    low: float
    high: float
    preparations: int

    @property
    def half(self) -> float:
        """Half the interval."""
        return (self.high - self.low) / 2.0

    def scaled(self, factor: float, shift: float = 0.0) -> "Estimate":
        """``shift`` + factor × this."""
        low, high = sorted((shift + factor * self.low, shift + factor * self.high))
        return Estimate(shift + factor * self.value, low, high, self.preparations)


def request(
    problems: Sequence[AmplitudeProblem], precision: Precision, name: str, *, seed: int, number: int
) -> JobRequest:
    """A job of some problems; ``number`` tells the jobs of one report apart."""
    work = AmplitudeRequest(problems=tuple(problems), epsilon=precision.epsilon, alpha=precision.alpha)
    return JobRequest(kind="amplitude.estimate", name=name, work=work, seed=seed * _APART + number)


def run(desk: Runner, job: JobRequest, label: str) -> tuple[Estimate, ...]:
    """Run a job and return its amplitudes in order."""
    view = expect(desk.run(job, label), AmplitudeResultView)
    return tuple(
        Estimate(
            found.estimate,
            *found.interval,
            sum((2 * turn.power + 1) * turn.shots for turn in found.rounds),
        )
        for _, found in sorted(view.problems.items())
    )


def deviations(alpha: float) -> float:
    """How many standard errors a mean stays within, but for a chance ``alpha``, by the central limit."""
    return NormalDist().inv_cdf(1.0 - alpha / 2.0)


def equal_draws(deviation: float, half: float, alpha: float) -> int:
    """Draws after which a mean is known to ± ``half`` but for a chance ``alpha``."""
    if half <= 0.0:
        raise InvalidProblem("no number of draws gives a mean exactly")
    return max(LEAST_DRAWS, math.ceil((deviations(alpha) * deviation / half) ** 2))

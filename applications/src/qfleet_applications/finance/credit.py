"""The Gaussian conditional independence model of a credit book.

A latent factor Z ~ N(0, 1) stands for the economy. Given Z = z, loans default independently with

    p_k(z) = F((F⁻¹(p⁰_k) - √ρ_k z) / √(1 - ρ_k))

(Rutkowski, Tarca, Int. J. Theor. Appl. Finance 18, 1550034, 2015; as a circuit: Egger, García Gutiérrez,
Cahué Mestre, Woerner, IEEE Trans. Computers 70, 2136, 2021). Z is cut to 2^n points in ±z_max. The circuit of
that paper turns each loan's qubit by an angle *linear* in z, which is off by a model error; here the
angles can also be exact.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import circuits
from qfleet_applications.finance.circuits import Circuit, Vector
from qfleet_applications.finance.losses import Losses

MOST_STEPS = 1 << 20
"""A loss of more steps than this would take more than 20 qubits to sum."""
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Loan:
    """A loan: its chance to default, its sensitivity ρ to the economy, and what is lost when it does."""

    name: str
    probability: float
    sensitivity: float
    loss: int


@dataclass(frozen=True)
class Book:
    """Loans under one latent factor of ``2**factor_qubits`` points within ±``reach`` standard deviations."""

    loans: tuple[Loan, ...]
    factor_qubits: int = 2
    reach: float = 2.0

    def __post_init__(self) -> None:
        if not self.loans:
            raise InvalidProblem("a credit book needs a loan")
        if not 1 <= self.factor_qubits <= 8 or not 0.0 < self.reach <= 8.0:
            raise InvalidProblem(
                f"a factor of {self.factor_qubits} qubits within ±{self.reach:g} cannot be: "
                "1 to 8 qubits, and above 0 to 8 standard deviations"
            )
        if self.steps > MOST_STEPS:
            raise InvalidProblem(
                f"losses add up to {self.steps} steps of {self.step}, more than {MOST_STEPS}: "
                f"the book needs {self.qubits} qubits",
                hint="round the losses to a coarser unit",
            )

    @property
    def step(self) -> int:
        """The greatest step of which all losses are multiples."""
        return math.gcd(*(loan.loss for loan in self.loans))

    @property
    def steps(self) -> int:
        """The largest loss, in steps."""
        return sum(loan.loss for loan in self.loans) // self.step

    @property
    def sum_qubits(self) -> int:
        """The width of the register that sums the losses."""
        return self.steps.bit_length()

    @property
    def qubits(self) -> int:
        """Factor, loans, their sum, and one for a payoff."""
        return self.factor_qubits + len(self.loans) + self.sum_qubits + 1

    @property
    def register(self) -> tuple[int, ...]:
        """The qubits of the sum."""
        first = self.factor_qubits + len(self.loans)
        return tuple(range(first, first + self.sum_qubits))

    @property
    def mean(self) -> float:
        """The expected loss with a continuous factor: Σ p⁰ loss, whatever ρ is."""
        return math.fsum(loan.probability * loan.loss for loan in self.loans)


def factor(book: Book) -> tuple[Vector, Vector]:
    """The points of the latent factor and their probabilities, the density made to sum to 1."""
    points = np.linspace(-book.reach, book.reach, 1 << book.factor_qubits)
    weights = np.exp(-(points**2) / 2.0)
    return points, weights / weights.sum()


def chances(book: Book, *, linear: bool) -> Vector:
    """Default probabilities, shape (loans, points); ``linear`` as the linearised circuit has them."""
    points, _ = factor(book)
    return np.stack([np.sin(_angles(loan, points, linear=linear) / 2.0) ** 2 for loan in book.loans])


def distribution(book: Book, *, linear: bool) -> Losses:
    """The exact distribution of the loss, by convolution over the loans for each point of the factor."""
    _, weights = factor(book)
    total = np.zeros(1 << book.sum_qubits)
    for weight, defaults in zip(weights, chances(book, linear=linear).T, strict=True):
        given = np.zeros_like(total)
        given[0] = weight
        for loan, chance in zip(book.loans, defaults, strict=True):
            amount = loan.loss // book.step
            moved = np.concatenate((np.zeros(amount), given[: len(given) - amount]))
            given = (1.0 - chance) * given + chance * moved
        total += given
    return Losses(0.0, float(book.step), total, book.steps)


def circuit(book: Book, *, linear: bool) -> Circuit:
    """Factor, then loans, then their sum; the last qubit is left for a payoff."""
    made = Circuit(book.qubits)
    points, weights = factor(book)
    latent = tuple(range(book.factor_qubits))
    circuits.prepare(made, weights, latent)
    for number, loan in enumerate(book.loans):
        target = book.factor_qubits + number
        angles = _angles(loan, points, linear=linear)
        if linear:
            made.ry(float(angles[0]), target)
            for bit in latent:
                made.cry(float(angles[1] - angles[0]) * (1 << bit), bit, target)
        else:
            circuits.rotate(made, angles, latent, target)
    for number, loan in enumerate(book.loans):
        circuits.add(made, loan.loss // book.step, book.factor_qubits + number, book.register)
    return made


def sampled(book: Book, number: int, rng: np.random.Generator) -> Vector:
    """Losses of so many draws from the model, as a Monte Carlo simulation takes them."""
    _, weights = factor(book)
    economy = rng.choice(len(weights), size=number, p=weights)
    total = np.zeros(number)
    for loan, defaults in zip(book.loans, chances(book, linear=False), strict=True):
        total += loan.loss * (rng.random(number) < defaults[economy])
    return total


def expected_at(book: Book, points: Vector) -> Vector:
    """Expected losses given the factor, at points in [0, 1], shape (points, 1), by its inverse distribution.

    The loans are averaged in closed form: conditional Monte Carlo, usual for books under a factor.
    """
    _, weights = factor(book)
    given = np.array([loan.loss for loan in book.loans]) @ chances(book, linear=False)
    places = np.searchsorted(np.cumsum(weights), points[:, 0], side="right")
    return np.asarray(given[np.minimum(places, len(weights) - 1)])


def _angles(loan: Loan, points: Vector, *, linear: bool) -> Vector:
    """θ with sin²(θ/2) = p(z): exactly, or to first order around z = 0 (Egger et al.)."""
    start = _NORMAL.inv_cdf(loan.probability) / math.sqrt(1.0 - loan.sensitivity)
    slope = -math.sqrt(loan.sensitivity / (1.0 - loan.sensitivity))
    if not linear:
        exact = np.array([_NORMAL.cdf(start + slope * z) for z in points])
        return np.asarray(2.0 * np.arcsin(np.sqrt(exact)))
    middle = _NORMAL.cdf(start)
    rise = _NORMAL.pdf(start) * slope / math.sqrt(middle * (1.0 - middle))
    return 2.0 * math.asin(math.sqrt(middle)) + rise * points

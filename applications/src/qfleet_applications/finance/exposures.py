"""What may be lost, as a distribution and as a circuit that loads it: a credit book, or past returns."""

from dataclasses import dataclass

import numpy as np

from qfleet import AmplitudeProblem
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import circuits, credit
from qfleet_applications.finance.circuits import Circuit, Vector
from qfleet_applications.finance.credit import Book
from qfleet_applications.finance.losses import Losses
from qfleet_applications.finance.simulation import Draw, Integrand

MOST_PAST_QUBITS = 10
"""Of a grid of past losses, for which each point is a gate more in every circuit."""
MOST_SUM_QUBITS = 12
"""Payoffs and good outcomes are written out for each value of the register."""


@dataclass(frozen=True)
class Exposure:
    """A loss whose value index is in the ``register`` of a circuit; the last qubit is free for a payoff."""

    losses: Losses
    circuit: Circuit
    register: tuple[int, ...]
    draw: Draw
    numbers: int
    """Random numbers of a draw."""
    integrand: Integrand
    """What has the expected loss as its mean over the unit interval."""

    def __post_init__(self) -> None:
        if len(self.register) > MOST_SUM_QUBITS:
            raise InvalidProblem(
                f"the losses need a register of {len(self.register)} qubits, {self.circuit.qubits} in all; "
                f"payoffs are written out for at most {MOST_SUM_QUBITS}",
                hint="round the losses to a coarser step, or give fewer --qubits",
            )

    @property
    def qubits(self) -> int:
        """All qubits, and one for a payoff."""
        return self.circuit.qubits

    def below(self, place: int) -> AmplitudeProblem:
        """P(loss ≤ its value at ``place``)."""
        good = circuits.words(range(place + 1), len(self.register))
        return AmplitudeProblem(program=self.circuit.text, objective=self.register, good=good)

    def excess(self, place: int) -> AmplitudeProblem:
        """E[(v - place)⁺] / (most - place), as the chance of a payoff qubit; 0 ≤ place < most."""
        loaded = self.circuit.copy()
        over = np.clip(np.arange(1 << len(self.register)) - place, 0, None)
        circuits.mark(loaded, over / (self.losses.most - place), self.register, self.qubits - 1)
        return AmplitudeProblem(program=loaded.text, objective=(self.qubits - 1,))


def of_book(book: Book, *, linear: bool = False) -> Exposure:
    """The loss of a credit book."""
    return Exposure(
        credit.distribution(book, linear=linear),
        credit.circuit(book, linear=linear),
        book.register,
        lambda number, rng: credit.sampled(book, number, rng),
        1 + len(book.loans),
        Integrand(lambda points: credit.expected_at(book, points), 1),
    )


def of_past(past: Vector, qubits: int) -> Exposure:
    """Past losses, each as likely as another, rounded to 2^qubits even points between their ends."""
    if not 1 <= qubits <= MOST_PAST_QUBITS:
        raise InvalidProblem(
            f"--qubits {qubits} is not within 1 to {MOST_PAST_QUBITS}; with the payoff they make {qubits + 1}"
        )
    first, last = float(past.min()), float(past.max())
    if first == last:
        raise InvalidProblem("the prices never change: there is no risk to measure")
    most = (1 << qubits) - 1
    step = (last - first) / most
    places = np.rint((past - first) / step).astype(np.int64)
    losses = Losses(first, step, np.bincount(places, minlength=most + 1) / len(past), most)
    made = Circuit(qubits + 1)
    register = tuple(range(qubits))
    circuits.prepare(made, losses.probabilities, register)
    on_grid = losses.at(0) + step * np.sort(places)

    def at(points: Vector) -> Vector:
        # the inverse of the distribution: sorted losses are as good as strata
        return np.asarray(on_grid[(points[:, 0] * len(on_grid)).astype(np.int64)])

    return Exposure(
        losses,
        made,
        register,
        lambda number, rng: rng.choice(on_grid, size=number),
        1,
        Integrand(at, 1),
    )

"""Bell-diagonal pairs, the states in which repeaters keep their accounts.

A Bell-diagonal pair is known by the probabilities of the four Bell states, or as well by three
correlations: those of Φ+ are (1, 1, 1), of Φ- (-1, -1, 1), of Ψ+ (1, -1, -1), of Ψ- (-1, 1, -1), for XX,
-YY and ZZ. Swaps, decay and Pauli noise only multiply correlations, which makes their averages simple;
purification is written in probabilities. A Werner pair has three equal correlations w = (4F - 1)/3 (Werner,
PRA 40, 4277, 1989).
"""

import math
from typing import NamedTuple

from qfleet_controlplane import errors


class InvalidState(errors.InvalidRequest):
    """These numbers describe no entangled pair."""


class Correlations(NamedTuple):
    """Expectations of XX, -YY and ZZ: all 1 for Φ+."""

    x: float
    y: float
    z: float

    def times(self, other: "Correlations") -> "Correlations":
        """Componentwise product: both noises one after the other, or both pairs swapped."""
        return Correlations(self.x * other.x, self.y * other.y, self.z * other.z)


class Pair(NamedTuple):
    """Probabilities of Φ+, Ψ-, Ψ+, Φ-, in the order of Deutsch et al. 1996."""

    phi_plus: float
    psi_minus: float
    psi_plus: float
    phi_minus: float

    @property
    def fidelity(self) -> float:
        """Overlap with Φ+."""
        return self.phi_plus

    def correlations(self) -> Correlations:
        """The same pair by its correlations."""
        a, b, c, d = self
        return Correlations(a - b + c - d, a + b - c - d, a - b - c + d)


def pair(*probabilities: float) -> Pair:
    """A checked pair.

    Raises:
        InvalidState: unless these are four probabilities that add up to 1.
    """
    wrong = len(probabilities) != len(Pair._fields) or not all(0.0 <= each <= 1.0 for each in probabilities)
    if wrong or not math.isclose(sum(probabilities), 1.0, abs_tol=1e-9):
        raise InvalidState(f"{probabilities} are not four probabilities of Bell states that add up to 1")
    return Pair(*probabilities)


def of(correlations: Correlations) -> Pair:
    """The pair of these correlations."""
    x, y, z = correlations
    return Pair((1 + x + y + z) / 4, (1 - x + y - z) / 4, (1 + x - y - z) / 4, (1 - x - y + z) / 4)


def werner(fidelity: float) -> Pair:
    """A Werner pair: Φ+ with the fidelity, the other three alike.

    Raises:
        InvalidState: unless the fidelity lies between 0 and 1.
    """
    if not 0.0 <= fidelity <= 1.0:
        raise InvalidState(f"a fidelity of {fidelity:g} is not possible; it lies between 0 and 1")
    rest = (1.0 - fidelity) / 3.0
    return Pair(fidelity, rest, rest, rest)


def twirled(state: Pair) -> Pair:
    """The Werner pair of the same fidelity, as random bilateral rotations leave it (Bennett et al. 1996)."""
    return werner(state.fidelity)


def parameter(fidelity: float) -> float:
    """Werner parameter w = (4F - 1)/3 of a fidelity."""
    return (4.0 * fidelity - 1.0) / 3.0


def fidelity(parameter: float) -> float:
    """Fidelity (1 + 3w)/4 of a Werner parameter."""
    return (1.0 + 3.0 * parameter) / 4.0


def hashing_yield(state: Pair) -> float:
    """Pairs that one-way hashing distils from each, 1 - S or none (Bennett et al., PRA 54, 3824, 1996)."""
    entropy = -sum(each * math.log2(each) for each in state if each > 0.0)
    return max(0.0, 1.0 - entropy)

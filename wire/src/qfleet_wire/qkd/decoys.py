"""A source of decoy states and what was counted of it: the input of the key lengths of BB84.

The names follow Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014): the key is made of events in which
both sides chose the basis X, here the key basis; the events of the basis Z, here the check basis, bound the
phase error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import quantities

INTENSITIES = 3
_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Alice's settings, each a number or an array over links.

    ``intensities`` (..., 3) in photons per pulse, μ1 > μ2 + μ3 and μ2 > μ3 ≥ 0; ``probabilities`` (..., 3) of
    choosing each; ``key_basis`` (...), q_x, the probability with which either side chooses the key basis.
    """

    intensities: ArrayLike
    probabilities: ArrayLike
    key_basis: ArrayLike = 0.5

    def __post_init__(self) -> None:
        """Refuse what the decoy analysis does not hold for (Lim et al. 2014, section II)."""
        mu = quantities.within("intensity", _triples("intensities", self.intensities), low=0.0, high=np.inf)
        if not (mu[..., 0] > mu[..., 1] + mu[..., 2]).all():
            raise InvalidQuantity(
                "the signal's intensity must be over the sum of both decoys' (μ1 > μ2 + μ3)"
            )
        if not (mu[..., 1] > mu[..., 2]).all():
            raise InvalidQuantity("the intensities must fall (μ2 > μ3 ≥ 0)")
        p = quantities.probability(
            "the probability of an intensity", _triples("probabilities", self.probabilities)
        )
        if not (p > 0.0).all():
            raise InvalidQuantity("each intensity must be sent with a probability over 0")
        if (np.abs(p.sum(axis=-1) - 1.0) > _SUM_TOLERANCE).any():
            worst = p.sum(axis=-1).flat[np.abs(p.sum(axis=-1) - 1.0).argmax()]
            raise InvalidQuantity(f"the probabilities of the intensities sum to {worst:g}, and must sum to 1")
        quantities.probability("the probability of the key basis", self.key_basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of a block after sifting, each a number or an array over blocks.

    ``key`` (..., 3) and ``check`` (..., 3) are the events of each intensity in the two bases (n_X,k and
    n_Z,k), ``key_errors`` (...) the errors of the key basis (m_X), ``check_errors`` (..., 3) those of the
    check basis (m_Z,k). They need not be whole numbers: a planner expects fractions.
    """

    key: ArrayLike
    check: ArrayLike
    key_errors: ArrayLike
    check_errors: ArrayLike

    def __post_init__(self) -> None:
        """Refuse counts that no block can have."""
        key = quantities.within("count of the key basis", _triples("key", self.key), low=0.0, high=np.inf)
        check = quantities.within(
            "count of the check basis", _triples("check", self.check), low=0.0, high=np.inf
        )
        wrong = quantities.within("errors of the key basis", self.key_errors, low=0.0, high=np.inf)
        missed = quantities.within(
            "errors of the check basis", _triples("check_errors", self.check_errors), low=0.0, high=np.inf
        )
        if (wrong > key.sum(axis=-1)).any():
            raise InvalidQuantity("the key basis has more errors than events")
        if (missed > check).any():
            raise InvalidQuantity("the check basis has more errors than events at an intensity")


def _triples(name: str, values: ArrayLike) -> ArrayLike:
    shape = np.shape(values)
    if not shape or shape[-1] != INTENSITIES:
        raise InvalidQuantity(
            f"{name} has the shape {shape}, and its last axis must hold {INTENSITIES} intensities"
        )
    return values

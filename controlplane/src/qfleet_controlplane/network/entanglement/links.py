"""Elementary links: how often a heralded attempt over fibre succeeds, and how long it takes.

Two schemes, as in Sangouard, Simon, de Riedmatten, Gisin, RMP 83, 33 (2011): two photons meet in the
middle, where linear optics can tell two of four Bell states (Calsamiglia, Lütkenhaus, Appl. Phys. B 72, 67,
2001), or one photon goes to the far end and is stored there. An attempt lasts until its herald is back,
since a memory must know before it may try again.
"""

import math
from typing import Literal

import msgspec

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell

FIBRE_KM_PER_S = 2.0e5
"""Light in fibre, with a group index of 1.5."""
LINEAR_OPTICS = 0.5


class InvalidLink(errors.InvalidRequest):
    """A link cannot be so."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of equal length, each of which makes a pair of this state with this probability.

    Raises:
        InvalidLink: for a probability that is not above 0 and at most 1, or a duration that is not above 0.
    """

    success: float
    attempt_s: float
    pair: bell.Pair

    def __post_init__(self) -> None:
        if not 0.0 < self.success <= 1.0:
            raise InvalidLink(f"an attempt that succeeds with probability {self.success:g} makes no link")
        if not 0.0 < self.attempt_s < math.inf:
            raise InvalidLink(f"an attempt cannot last {self.attempt_s:g} s")

    @property
    def rate_hz(self) -> float:
        """Pairs per second when attempts follow each other."""
        return self.success / self.attempt_s


class Fibre(msgspec.Struct, frozen=True, kw_only=True):
    """A fibre; ``efficiency`` is that of emitting, coupling and detecting one photon.

    ``preparation_s`` is added to each attempt.
    """

    length_km: float
    loss_db_per_km: float = 0.2
    efficiency: float = 1.0
    preparation_s: float = 0.0
    scheme: Literal["midpoint", "far end"] = "midpoint"


def transmission(length_km: float, loss_db_per_km: float = 0.2) -> float:
    """Probability that a photon passes a fibre."""
    return float(10.0 ** (-loss_db_per_km * length_km / 10.0))


def heralded(fibre: Fibre, pair: bell.Pair) -> Link:
    """The link of a fibre whose successful attempts leave pairs of a given state.

    Midpoint: ½ η² T and L/c, as each photon crosses half of the fibre and the herald the same half back.
    Far end: η T and 2 L/c.

    Raises:
        InvalidLink: for a length, a loss, an efficiency or a time that cannot be.
    """
    if not 0.0 < fibre.length_km < math.inf or not 0.0 <= fibre.loss_db_per_km < math.inf:
        raise InvalidLink(f"no fibre is {fibre.length_km:g} km long with {fibre.loss_db_per_km:g} dB/km")
    if not 0.0 < fibre.efficiency <= 1.0 or fibre.preparation_s < 0.0:
        raise InvalidLink(
            f"an efficiency of {fibre.efficiency:g} and a preparation of {fibre.preparation_s:g} s "
            "are not possible"
        )
    passed = transmission(fibre.length_km, fibre.loss_db_per_km)
    light_s = fibre.length_km / FIBRE_KM_PER_S
    if fibre.scheme == "midpoint":
        success, attempt_s = LINEAR_OPTICS * fibre.efficiency**2 * passed, light_s
    else:
        success, attempt_s = fibre.efficiency * passed, 2.0 * light_s
    return Link(success=success, attempt_s=attempt_s + fibre.preparation_s, pair=pair)

"""What both ends of a key session agree on before it starts; nothing here is secret.

The scheduler of a link makes a plan, and either end gets the same one. Its figures of the line are what is
expected of it: for a simulated apparatus they are also what is drawn from. Only plain ranges are looked at
here, so that the control plane's gateway and the agent's daemon need no numpy; the formulas' own types look
at the rest where a session begins.
"""

from math import inf, isfinite
from typing import Annotated, Literal, TypeAlias

import msgspec

from qfleet_wire.errors import InvalidQuantity

Variant: TypeAlias = Literal["as printed", "capped"]
Authentication: TypeAlias = Literal["sealed", "tagged"]
SessionName = Annotated[str, msgspec.Meta(max_length=64)]

MOST_BLOCK_PULSES = (1 << 31) - 1


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """One side's detectors, with the meaning and units of ``qfleet_wire.qkd.detection.Receiver``."""

    efficiency: float
    noise: float
    misalignment: float
    afterpulsing: float = 0.0
    dead_time_s: float = 0.0


class WeakPulses(msgspec.Struct, frozen=True, kw_only=True, tag="bb84"):
    """Decoy-state BB84: Alice sends weak coherent pulses (``qfleet_wire.qkd.decoys.Source``)."""

    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    key_basis: float = 0.5


class Pairs(msgspec.Struct, frozen=True, kw_only=True, tag="bbm92"):
    """BBM92: a source of ``pairs_per_pulse`` at ``place`` of the loss, 0 at Alice and 1 at Bob."""

    pairs_per_pulse: float
    alice: Receiver
    place: float = 0.5
    key_basis: float = 0.5


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The quantum channel as it is expected: linear transmittance, Bob's detectors, pulses per second."""

    transmittance: float
    bob: Receiver
    pulses_hz: float


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session is given up.

    ``error_rate`` is the highest QBER of the check basis. ``tolerance_db`` is how far the loss of the line
    may lie from the plan before a count rate is no longer weather. ``false_alarm`` is the most that chance
    alone may give each alarm of a session.
    """

    error_rate: float = 0.11
    tolerance_db: float = 1.0
    false_alarm: float = 1e-9


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One session of a link.

    ``session`` is its name, unique for ever between the two ends. ``blocks`` blocks of ``block_pulses``
    pulses are one block of the finite-key bound. ``delay_s`` is the one-way delay of the classical path, by
    which the reconciliation is chosen. ``variant`` is that of ``bb84_finite``; BBM92 has none.
    ``authentication`` is ``sealed`` by the peer path alone, or also ``tagged`` with one-time keys of the
    link.

    Raises:
        InvalidQuantity: No session can follow it.
    """

    session: SessionName
    protocol: WeakPulses | Pairs
    line: Line
    blocks: int
    block_pulses: int
    delay_s: float
    secrecy: float = 1e-9
    correctness: float = 1e-15
    variant: Variant = "capped"
    bounds: Bounds = Bounds()
    authentication: Authentication = "sealed"

    def __post_init__(self) -> None:
        """Refuse a plan that no session can follow."""
        if not self.session or len(self.session) > 64:
            raise InvalidQuantity("a session needs a name of 1 to 64 characters")
        if self.blocks < 1 or not 1 <= self.block_pulses <= MOST_BLOCK_PULSES:
            raise InvalidQuantity("a session needs at least one block, each of 1 to 2^31 - 1 pulses")
        if not (0.0 < self.line.pulses_hz < inf and isfinite(self.delay_s) and self.delay_s >= 0.0):
            raise InvalidQuantity("pulses per second must be over 0, and the delay not under 0")
        if not 0.0 <= self.line.transmittance <= 1.0:
            raise InvalidQuantity(
                f"transmittance is {self.line.transmittance:g}, and must be 0 to 1: give "
                "10 ** (-loss_db / 10) of a loss in dB"
            )
        bounds = self.bounds
        if not (0.0 < bounds.error_rate < 0.5 and bounds.tolerance_db >= 0.0 < bounds.false_alarm < 1.0):
            raise InvalidQuantity(
                "the error rate must be bounded between 0 and 1/2, the tolerance not under 0 dB, and the "
                "chance of a false alarm between 0 and 1"
            )

    @property
    def pulses(self) -> int:
        """N, the pulses of the session."""
        return self.blocks * self.block_pulses

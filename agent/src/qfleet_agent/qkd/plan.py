"""What both ends of a session agree on before it starts; nothing here is secret.

The scheduler of a link makes a plan, and either end gets the same one. Its figures of the line are what is
expected of it: for the simulated apparatus they are also what is drawn from.
"""

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, decoys, detection, quantities

Variant: TypeAlias = Literal["as printed", "capped"]
Authentication: TypeAlias = Literal["sealed", "tagged"]


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """One side's detectors, with the meaning and units of ``qfleet_wire.qkd.detection.Receiver``."""

    efficiency: float
    noise: float
    misalignment: float
    afterpulsing: float = 0.0
    dead_time_s: float = 0.0

    def model(self) -> detection.Receiver:
        """The same for the formulas."""
        return detection.Receiver(
            efficiency=self.efficiency,
            noise=self.noise,
            misalignment=self.misalignment,
            afterpulsing=self.afterpulsing,
            dead_time_s=self.dead_time_s,
        )


class WeakPulses(msgspec.Struct, frozen=True, kw_only=True, tag="bb84"):
    """Decoy-state BB84: Alice sends weak coherent pulses (``qfleet_wire.qkd.decoys.Source``)."""

    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    key_basis: float = 0.5

    def source(self) -> decoys.Source:
        """The same for the formulas."""
        return decoys.Source(
            intensities=self.intensities, probabilities=self.probabilities, key_basis=self.key_basis
        )


class Pairs(msgspec.Struct, frozen=True, kw_only=True, tag="bbm92"):
    """BBM92: a source of ``pairs_per_pulse`` at ``place`` of the loss, 0 at Alice and 1 at Bob."""

    pairs_per_pulse: float
    alice: Receiver
    place: float = 0.5
    key_basis: float = 0.5

    def checked(self) -> None:
        """Refuse what no source of pairs can be.

        Raises:
            InvalidQuantity: With the value that is not possible.
        """
        self.alice.model()
        quantities.within("pairs per pulse", self.pairs_per_pulse, low=0.0, high=np.inf)
        quantities.probability("the place of the source", self.place)
        quantities.probability("the probability of the key basis", self.key_basis)


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
    """

    session: str
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
            raise ExchangeMisused("a session needs a name of 1 to 64 characters")
        if self.blocks < 1 or not 1 <= self.block_pulses < 1 << 31:
            raise ExchangeMisused("a session needs at least one block, each of 1 to 2^31 - 1 pulses")
        if not self.line.pulses_hz > 0.0 or self.delay_s < 0.0:
            raise ExchangeMisused("pulses per second must be over 0, and the delay not under 0")
        bounds = self.bounds
        if not (0.0 < bounds.error_rate < 0.5 and bounds.tolerance_db >= 0.0 < bounds.false_alarm < 1.0):
            raise ExchangeMisused(
                "the error rate must be bounded between 0 and 1/2, the tolerance not under 0 dB, and the "
                "chance of a false alarm between 0 and 1"
            )
        try:
            self._checked()
        except InvalidQuantity as error:
            raise ExchangeMisused(f"the plan of session {self.session}: {error}") from error

    @property
    def pulses(self) -> int:
        """N, the pulses of the session."""
        return self.blocks * self.block_pulses

    def security(self) -> bb84_finite.Security:
        """ε_sec and ε_cor for the formulas."""
        return bb84_finite.Security(secrecy=self.secrecy, correctness=self.correctness)

    def _checked(self) -> None:
        """Have the formulas' own types refuse what they do not hold for."""
        self.security()
        self.line.bob.model()
        quantities.transmittance(self.line.transmittance)
        match self.protocol:
            case WeakPulses():
                self.protocol.source()
            case Pairs():
                self.protocol.checked()

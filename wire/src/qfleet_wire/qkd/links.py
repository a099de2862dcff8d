"""Links for which the best settings are sought: what is given, before anything is chosen."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, detection, quantities, reconciliation
from qfleet_wire.qkd.quantities import Floats

VACUUM_MOST = 5e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Channels, all of one kind of source and receiver, shape (L,).

    ``transmittance`` is linear, (L,), or with ``steps`` (L, T): T steps of a pass that has one setting
    throughout. The receiver's fields are numbers, or have the same shape. ``vacuum`` is μ3, what the weakest
    intensity still holds. Security and reconciliation are those of the key.
    """

    transmittance: ArrayLike
    receiver: detection.Receiver
    pulses_hz: float
    steps: bool = False
    efficiency: float = reconciliation.EFFICIENCY
    security: bb84_finite.Security = field(default_factory=bb84_finite.Security)
    variant: bb84_finite.Variant = "capped"
    vacuum: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a link that is none."""
        through = quantities.transmittance(self.transmittance)
        if through.ndim < 1 + self.steps:
            axes = "links and steps" if self.steps else "links"
            raise InvalidQuantity(f"transmittance has {through.ndim} axes, and must have those of {axes}")
        if through.size == 0:
            raise InvalidQuantity("transmittance is empty, and must be that of at least one link")
        quantities.within("pulses per second", self.pulses_hz, low=1e-9, high=np.inf)
        quantities.within("efficiency of reconciliation", self.efficiency, low=1.0, high=np.inf)
        quantities.within("the weakest intensity", self.vacuum, low=0.0, high=VACUUM_MOST)

    @property
    def count(self) -> int:
        """L, how many links there are."""
        return len(np.asarray(self.transmittance))

    def unstepped(self) -> None:
        """Refuse steps, where there is nothing for them to share.

        Raises:
            InvalidQuantity: Where the link has steps.
        """
        if self.steps:
            raise InvalidQuantity(
                "only a block of a given duration may have steps; give each step as a link of its own"
            )

    def widened(self) -> "Link":
        """The same with an axis after the first, for the settings that are tried on each link."""
        security = replace(
            self.security,
            secrecy=_column(self.security.secrecy),
            correctness=_column(self.security.correctness),
        )
        return replace(
            self,
            transmittance=_column(self.transmittance),
            receiver=column(self.receiver),
            security=security,
        )


def column(receiver: detection.Receiver) -> detection.Receiver:
    """A receiver whose arrays have an axis after the first."""
    return detection.Receiver(
        **{each.name: _column(getattr(receiver, each.name)) for each in fields(receiver)}
    )


def _column(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim else array

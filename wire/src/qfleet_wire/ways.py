"""The way that carries a device's messages, as the device tells it.

A device may have several ways to a broker of its region: a cable, a mobile network, a satellite. It
chooses by itself, and says which it has taken and how it will be heard over it: the control plane judges
silence by that, gathers what it sends, and weighs the way's latency when it gives out work.
"""

from typing import Literal

import msgspec

from qfleet_wire.names import Millis

LinkKind = Literal["ethernet", "wifi", "lte", "satellite"]
"""What a way is; on the wire a text, so that a newer agent may know others."""


class Window(msgspec.Struct, frozen=True):
    """A contact window; points in time by the device's clock."""

    opens: Millis
    closes: Millis


class Way(msgspec.Struct, frozen=True, omit_defaults=True):
    """The way in use. Times in milliseconds; points in time by the device's clock."""

    name: str
    kind: str
    since: Millis
    """When its connection came about."""
    latency_ms: float | None = None
    """Round trip to the gateway, measured; None: not yet."""
    rhythm_ms: int = 0
    """The longest that the device is unheard while all is well; 0: it does not say."""
    batch_ms: int = 0
    """How long messages gather before they are sent together, in both directions; 0: not at all."""
    gateway: str = ""
    """Address of the region's broker, or of the gateway to it."""
    contact: Window | None = None
    """The contact window that is open; None: the way is always there."""
    returns: Millis | None = None
    """When the window after that opens; None where none is known."""
    planned: bool = False
    """Whether these windows come from a plan that the control plane has sent."""

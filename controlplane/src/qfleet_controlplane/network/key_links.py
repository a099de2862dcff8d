"""Links of a scenario over which two devices can make keys, as plain data: read without numpy.

A session's plan follows from it without a formula: what needs one was computed when the scenario was loaded.
"""

from typing import TypeAlias

import msgspec

from qfleet_wire.api.network import LinkKind
from qfleet_wire.key_plans import Pairs, Receiver, WeakPulses
from qfleet_wire.names import DeviceName

Protocol: TypeAlias = WeakPulses | Pairs


class Light(msgspec.Struct, frozen=True, kw_only=True):
    """What one session of a link sends, and what is expected of it.

    ``transmittance`` is the linear one of the channel, its mean over the pulses. ``blocks`` of
    ``block_pulses`` fit a device's memory. ``bits`` is the finite key of the expected counts, which gives up
    the check basis whole, as sessions do; ``qber`` the expected error rate. ``key_basis`` is how often each
    end chooses the basis of the key: a short block takes more of the other one than the scenario's hours do.
    """

    transmittance: float
    blocks: int
    block_pulses: int
    bits: float
    qber: float
    key_basis: float

    @property
    def pulses(self) -> int:
        """All pulses of the session."""
        return self.blocks * self.block_pulses


class KeyContact(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a link that is not always there can make one block of key; seconds since the epoch."""

    start_s: float
    end_s: float
    light: Light


class KeyLink(msgspec.Struct, frozen=True, kw_only=True):
    """A quantum link from ``a``, which sends (Alice), to ``b``, which receives (Bob): nodes of the scenario.

    ``delay_s`` is how long light takes. A fibre has ``light`` all the time, a satellite's link has
    ``contacts`` in order of start. ``bits_per_s`` is what the scenario expects of the link on average.
    """

    a: str
    b: str
    devices: tuple[DeviceName, DeviceName]
    kind: LinkKind
    protocol: Protocol
    bob: Receiver
    pulses_hz: float
    delay_s: float
    bits_per_s: float
    light: Light | None = None
    contacts: tuple[KeyContact, ...] = ()

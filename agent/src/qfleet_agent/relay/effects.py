"""What a device of a relay wants done, in this order, each durable before the next.

Keys come from and go to the key store; whatever is asked for is answered by a call of the decider.
"""

from typing import TypeAlias

import msgspec

from qfleet_agent.relay.messages import Message
from qfleet_agent.relay.route import Plan


class Take(msgspec.Struct, frozen=True):
    """Take ``size`` bytes of key that only ``neighbour`` shares, announced to it; then call ``took``.

    Where there is not enough, a source is told to ``give_up``, a node that the pad is ``unfetched``.
    """

    plan: Plan
    neighbour: str
    size: int


class Fetch(msgspec.Struct, frozen=True):
    """Get the pad of this name that ``neighbour`` has taken; then call ``fetched``, or ``unfetched``."""

    plan: Plan
    neighbour: str
    pad: bytes


class Keep(msgspec.Struct, frozen=True):
    """Store the key that is shared with ``peer``: provisional, or ``released`` at once, in one transaction.

    ``plan`` is its provenance: its nodes were trusted. ``ciphertext`` and ``proof`` are stored with a
    provisional one, so that the other end can still be told after a restart.
    """

    plan: Plan
    peer: str
    key: bytes
    released: bool
    ciphertext: bytes = b""
    proof: bytes = b""

    def __repr__(self) -> str:
        return f"Keep({self.plan.relay.hex()}, {8 * len(self.key)} bits, released={self.released})"


class Release(msgspec.Struct, frozen=True):
    """From now on the provisional key may be used."""

    plan: Plan


class Destroy(msgspec.Struct, frozen=True):
    """Destroy the provisional key."""

    plan: Plan
    why: str


class Alarm(msgspec.Struct, frozen=True):
    """Somebody alters what goes along the route: what was seen."""

    relay: bytes
    seen: str


class Send(msgspec.Struct, frozen=True):
    """Send a message over the sealed path to a device; it may get lost."""

    to: str
    message: Message


Effect: TypeAlias = Take | Fetch | Keep | Release | Destroy | Alarm | Send

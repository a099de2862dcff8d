"""How this KME reaches the KME at the other end of a link; what carries it is chosen elsewhere.

An announcement may be repeated any number of times and come in any order: the peer answers the
same. An answer ``taken`` means that the peer has stored the key durably.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import msgspec

from qfleet_agent.errors import RemoteError
from qfleet_agent.keystore.announcement import Announcement

Verdict = Literal["taken", "no-such-bits", "unwanted", "later"]


class Answer(msgspec.Struct, frozen=True):
    """What the peer says of one announcement.

    ``no-such-bits``: it cannot make the key of what it holds, and never will. ``unwanted``: it
    knows no such slave, or the key's time is over. ``later``: it cannot store anything now; ask
    again. A withdrawn key is always taken.
    """

    key: bytes
    verdict: Verdict
    reason: str = ""
    blocks: tuple[bytes, ...] = ()
    """Those that are at fault: not here, or not as the key needs them."""


class PeerSilent(RemoteError):
    """The peer was not reached, or did not answer."""


class Announcer(Protocol):
    """A way to the peers."""

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        """Send announcements to the peer of ``link`` and return its answers, in any order.

        Raises:
            PeerSilent: it does not answer; whether it has heard is not known.
        """
        ...


Hearer = Callable[[str, Sequence[Announcement]], Awaitable[Sequence[Answer]]]
"""What answers announcements that come in: the name of the peer, proved by the way, and what it says."""


class Unreached:
    """No way to any peer."""

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        """Raise ``PeerSilent``."""
        raise PeerSilent(f"there is no way to {link} ({len(batch)} keys wait)")

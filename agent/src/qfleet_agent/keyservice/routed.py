"""Announcements by the way that each peer has: a socket on this machine, else the line between devices."""

from collections.abc import Sequence

from qfleet_agent.delivery.announcer import Announcer, Answer
from qfleet_agent.keystore.announcement import Announcement


class RoutedAnnouncer:
    """Reaches the peers of ``local`` by sockets and all others by lines."""

    def __init__(self, local: frozenset[str], sockets: Announcer, lines: Announcer) -> None:
        self._local = local
        self._sockets = sockets
        self._lines = lines

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        """Send a batch and return the answers. Raises ``PeerSilent``."""
        way = self._sockets if link in self._local else self._lines
        return await way.announce(link, batch)

"""The device's identity as the key process reads it: from the files that the daemon keeps. Blocking."""

from pathlib import Path

from qfleet_agent.errors import NotEnrolled
from qfleet_agent.journal import keepsake, vault
from qfleet_wire.channel import authority
from qfleet_wire.channel.authority import Authority, Credentials


class Identity:
    """Credentials that follow a renewal."""

    def __init__(self, state: Path) -> None:
        """Read the authority's record.

        Raises:
            NotEnrolled: the device is no member of a fleet.
            Untrusted: the record was altered.
        """
        kept = keepsake.load(state)
        if kept is None:
            raise NotEnrolled
        self.fleet, self.device = kept.membership.fleet, kept.membership.device
        self._state = state
        self._authority: Authority = authority.read_record(
            kept.membership.authority, kept.membership.authority_hash
        )
        self._seen: tuple[int, int] | None = None
        self._own: Credentials | None = None

    @property
    def own(self) -> Credentials:
        """The identity in use, read again when its file was replaced.

        Raises:
            NotEnrolled: the file is gone.
            InvalidKey, Untrusted: it is damaged, or another fleet's.
        """
        try:
            found = vault.path_in(self._state).stat()
        except FileNotFoundError:
            raise NotEnrolled from None
        seen = (found.st_ino, found.st_mtime_ns)
        if self._own is None or seen != self._seen:
            current = vault.load(self._state).current
            self._own = authority.credentials(current.seed, current.chain, self._authority)
            self._seen = seen
        return self._own

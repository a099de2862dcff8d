"""The controller's key for what it signs itself, with the certificate that counts now.

A region's own runtime renews that certificate on disk; whoever signs now and then reads it again when the
one in hand has lived half its life.
"""

from collections.abc import Callable

from qfleet_controlplane.authority.keyring import Keyring
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.names import Millis


class Pen:
    """Signs under the present certificate of a controller."""

    def __init__(self, read: Callable[[], Keyring], clock: Callable[[], Millis]) -> None:
        self._read = read
        self._clock = clock
        self._ring = read()

    @property
    def credentials(self) -> Credentials:
        """Key, chain and authority."""
        return self._current().credentials

    @property
    def revocations(self) -> bytes:
        """The root's list of revoked controllers."""
        return self._current().revocations

    def _current(self) -> Keyring:
        if self._clock() >= self._ring.renew_due():
            self._ring = self._read()
        return self._ring

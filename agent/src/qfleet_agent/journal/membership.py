"""What a device knows of the fleet that it belongs to, beside its keys; one value in the journal."""

import msgspec

from qfleet_agent.errors import JournalDamaged, NotEnrolled
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import DeviceName, FleetName, RegionName


class Membership(msgspec.Struct, frozen=True):
    """Names, where the broker is and how to log in, and the fleet's authority record."""

    fleet: FleetName
    region: RegionName
    device: DeviceName
    broker: str
    login: str
    password: str
    authority: bytes
    authority_hash: bytes

    def __repr__(self) -> str:
        """Leave out the password."""
        return f"Membership({self.fleet}/{self.region}/{self.device}, broker={self.broker!r}, …)"


def write(membership: Membership) -> bytes:
    """Encode for storage. What comes out is secret: it holds the broker's password."""
    return codec.encode(membership)


def read(stored: bytes | None) -> Membership:
    """Decode what is stored.

    Raises:
        NotEnrolled: nothing is.
        JournalDamaged: it does not decode.
    """
    if stored is None:
        raise NotEnrolled
    try:
        return codec.decode(stored, Membership)
    except RemoteError as error:
        raise JournalDamaged("the membership does not decode") from error

"""A relay as it is planned: who carries it, and how much key it makes. Nothing of it is secret."""

import msgspec

from qfleet_agent.relay.errors import RelayMisused
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import parse_name

RELAY_ID_BYTES = 16
MOST_NODES = 32
MOST_BYTES = 16_384
"""Of one relay's key: as much as a message of the peer path carries well."""
LEAST_BYTES = 16


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One relay from ``route[0]``, the source, to ``route[-1]``, the target, by the nodes between."""

    relay: bytes
    """Its name, 16 bytes, unique for ever."""
    route: tuple[str, ...]
    size: int
    """Bytes of key."""

    def __post_init__(self) -> None:
        """Refuse a relay that cannot be. Raises ``RelayMisused``."""
        if len(self.relay) != RELAY_ID_BYTES:
            raise RelayMisused(f"a relay is named by {RELAY_ID_BYTES} bytes, not {len(self.relay)}")
        if not 3 <= len(self.route) <= MOST_NODES:
            raise RelayMisused(
                f"a route has 3 to {MOST_NODES} devices, its two ends among them, not {len(self.route)}"
            )
        try:
            for name in self.route:
                parse_name(name, "device")
        except InvalidName as error:
            raise RelayMisused(str(error)) from None
        if len(set(self.route)) != len(self.route):
            raise RelayMisused("a route visits a device twice")
        if not LEAST_BYTES <= self.size <= MOST_BYTES:
            raise RelayMisused(f"a relay makes {LEAST_BYTES} to {MOST_BYTES} bytes of key, not {self.size}")

    @property
    def source(self) -> str:
        """Who draws the secret."""
        return self.route[0]

    @property
    def target(self) -> str:
        """Who gets it last."""
        return self.route[-1]

    @property
    def trusted(self) -> tuple[str, ...]:
        """The nodes that see the secret which the source draws: they must be trusted not to combine it."""
        return self.route[1:-1]

    def place(self, device: str) -> int:
        """Return where a device stands on the route. Raises ``RelayMisused``."""
        try:
            return self.route.index(device)
        except ValueError:
            raise RelayMisused(f"{device} is not on the route {' - '.join(self.route)}") from None

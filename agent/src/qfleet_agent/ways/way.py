"""One way to the region's broker, as the settings describe it, and how messages go over it."""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from qfleet_agent.ways.contact import Contact
from qfleet_wire.ways import LinkKind


class Manner(NamedTuple):
    """How messages go over a class of ways."""

    latency_ms: float
    """Round trip that is expected while none was measured."""
    stretch: int
    """Heartbeats and telemetry are so many times rarer than the profile says."""
    batch_ms: int
    """How long messages gather before they are sent together."""
    thrifty: bool
    """Every byte counts: no hints, and an idle connection is looked at less often."""


MANNERS: dict[LinkKind, Manner] = {
    "ethernet": Manner(5.0, 1, 0, thrifty=False),
    "wifi": Manner(15.0, 1, 0, thrifty=False),
    "lte": Manner(60.0, 4, 200, thrifty=True),
    "satellite": Manner(650.0, 10, 2_000, thrifty=True),
}
"""The latencies say which class is tried first, until each has been measured."""
METERED = Manner(0.0, 4, 200, thrifty=True)
"""What a price or a budget makes of a cable or a wireless network, but for its latency."""
MOST_BATCH_MS = 60_000


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A gateway, and what lies between the device and it."""

    name: str
    kind: LinkKind = msgspec.field(name="class")
    broker: str | None = None
    """URL of the gateway: the region's broker, a bridge or leaf of it, or several nodes by commas;
    None: the one of the join token."""
    ca_file: Path | None = None
    """Certificates that it is checked against; None: those of ``[link]``."""
    region: str | None = None
    """The region whose broker it leads to; a device belongs to one region, and this must be it."""
    source: str | None = None
    """Address of the device to connect from, so that the system routes it over the right interface."""
    latency_ms: float | None = None
    """Round trip that is expected while none was measured; None: as usual for the class."""
    price_per_mb: float = 0.0
    """Money for 1,000,000 bytes in both directions together, in whatever unit all ways share."""
    month_mb: float | None = None
    """Millions of bytes that a calendar month (UTC) may cost; None: no bound."""
    beyond: Literal["last", "never"] = "last"
    """After that the way is taken where no other is left, or not at all."""
    stretch: int | None = None
    """Heartbeats and telemetry are so many times rarer; None: as usual for the class."""
    batch_ms: int | None = None
    """How long messages gather before they are sent together; None: as usual for the class."""
    contact: Contact | None = None
    """When it is there; None: always."""

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError(f"name = {self.name!r} of a way must be printable, and not empty")
        if self.price_per_mb < 0 or (self.month_mb is not None and self.month_mb <= 0):
            raise ValueError(
                f"price_per_mb = {self.price_per_mb} must not be below 0, month_mb = {self.month_mb} above it"
            )
        if self.latency_ms is not None and self.latency_ms <= 0:
            raise ValueError(f"latency_ms = {self.latency_ms} must be above 0")
        if self.stretch is not None and not 1 <= self.stretch <= 1000:
            raise ValueError(f"stretch = {self.stretch} must be between 1 and 1000")
        if self.batch_ms is not None and not 0 <= self.batch_ms <= MOST_BATCH_MS:
            raise ValueError(f"batch_ms = {self.batch_ms} must be between 0 and {MOST_BATCH_MS}")

    @property
    def manner(self) -> Manner:
        """How messages go over it: as usual for its class, but for what the settings say."""
        usual = MANNERS[self.kind]
        metered = self.price_per_mb > 0 or self.month_mb is not None
        base = METERED if metered and not usual.thrifty else usual
        return Manner(
            latency_ms=usual.latency_ms if self.latency_ms is None else self.latency_ms,
            stretch=base.stretch if self.stretch is None else self.stretch,
            batch_ms=base.batch_ms if self.batch_ms is None else self.batch_ms,
            thrifty=base.thrifty,
        )


ONLY = Way(name="link", kind="ethernet")
"""The one way of a device whose settings name none."""

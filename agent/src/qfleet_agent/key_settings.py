"""The table ``[keys]`` of the configuration: what the key delivery serves, to whom, and with whom.

Sizes of keys in bits, as the standard has them; sizes on the disk in bytes; times in seconds.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec

from qfleet_wire.errors import InvalidName
from qfleet_wire.names import parse_name

DEFAULT_PORT = 8014
RELAY: Final = "relay"
"""Stands as master and slave of every pad of a relay; what relays use is counted under it."""


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device that shares key material with this one; the table's name is the device's."""

    applications: tuple[str, ...] = ()
    """SAE IDs of the applications there."""
    socket: Path | None = None
    """Unix socket of its key delivery, where that runs on this machine too."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Key delivery to applications on this device (ETSI GS QKD 014)."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    certificate_file: Path | None = None
    """Of the server; ``qfleet-agent keys certificates`` makes one."""
    key_file: Path | None = None
    client_ca_file: Path | None = None
    """Certificates that applications are checked against."""
    tls: Literal["1.3", "1.2"] = "1.3"
    """The lowest version that is spoken; 1.2 only for a client that has no better one."""
    sae_id: Literal["common-name", "uri", "serial"] = "common-name"
    """What of a client's certificate is its SAE ID."""
    device: str | None = None
    """This device's name; default: the one that it was enrolled with."""
    kme_id: str | None = None
    """Default: the device's name."""
    applications: tuple[str, ...] = ()
    """SAE IDs that may ask here."""
    peers: dict[str, Peer] = {}
    socket: Path | None = None
    """Unix socket on which peers on this machine announce their keys."""
    key_size: int = 256
    min_key_size: int = 64
    max_key_size: int = 65_536
    max_key_per_request: int = 128
    max_sae_id_count: int = 8
    answer_s: float = 5.0
    """How long an application waits for the peer before it is answered 503."""
    fetch_within_s: float = 3_600.0
    """How long a key waits for the applications that may fetch it."""
    store_bytes: int = 256 * 1024 * 1024
    """How large the key store may grow."""
    leave_bytes: int = 64 * 1024 * 1024
    """What of the disk stays free of new key material."""

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_names()
        if not 0 <= self.port < 65_536:
            raise ValueError(f"port = {self.port} must be 0 to 65535")
        if self.answer_s <= 0 or self.fetch_within_s <= 0:
            raise ValueError(
                f"answer_s = {self.answer_s} and fetch_within_s = {self.fetch_within_s} must be above 0"
            )
        if self.store_bytes < 1 << 20 or self.leave_bytes < 0:
            raise ValueError(
                f"store_bytes = {self.store_bytes} must be at least {1 << 20}, "
                f"leave_bytes = {self.leave_bytes} not below 0"
            )

    def _check_sizes(self) -> None:
        sizes = (self.min_key_size, self.key_size, self.max_key_size)
        if list(sizes) != sorted(sizes) or sizes[0] < 8 or any(size % 8 for size in sizes):
            raise ValueError(
                f"min_key_size = {sizes[0]}, key_size = {sizes[1]} and max_key_size = {sizes[2]} must rise, "
                "and be multiples of 8 from 8 on"
            )
        if sizes[2] > 1 << 23 or not 1 <= self.max_key_per_request <= 1024:
            raise ValueError(
                f"max_key_size = {sizes[2]} must be at most {1 << 23}, "
                f"max_key_per_request = {self.max_key_per_request} 1 to 1024"
            )
        if not 0 <= self.max_sae_id_count <= 64:
            raise ValueError(f"max_sae_id_count = {self.max_sae_id_count} must be 0 to 64")

    def _check_names(self) -> None:
        try:
            for name in (*self.peers, *filter(None, [self.device])):
                parse_name(name, "device")
        except InvalidName as error:
            raise ValueError(str(error)) from None
        every = [*self.applications, *(one for peer in self.peers.values() for one in peer.applications)]
        if RELAY in every:
            raise ValueError(f"no application may be called {RELAY!r}: pads are counted under that name")
        for one in every:
            if every.count(one) > 1:
                raise ValueError(f"the application {one!r} stands at two places: an SAE ID has one")

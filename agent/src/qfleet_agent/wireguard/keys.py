"""A preshared key as WireGuard takes it."""

from dataclasses import dataclass, field

PSK_BYTES = 32
"""WireGuard's preshared key (Donenfeld, WireGuard, NDSS 2017, section 5.2)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the ID by which both key deliveries know it."""

    id: str
    secret: bytes = field(repr=False)

"""A preshared key as WireGuard takes it: of the size that sessions of the fleet take, too."""

from qfleet_wire.key_delivery import KEY_BYTES, Key

__all__ = ["PSK_BYTES", "Key"]

PSK_BYTES = KEY_BYTES
"""WireGuard's preshared key (Donenfeld, WireGuard, NDSS 2017, section 5.2)."""

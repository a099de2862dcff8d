"""Rotation of a WireGuard peer's preshared key from the key deliveries at both ends (ETSI GS QKD 014)."""

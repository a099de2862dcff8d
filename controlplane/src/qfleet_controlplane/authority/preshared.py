"""Pre-shared keys of devices, where an operator provides them: one file per device.

A key serves once: its id is stored as used in the transaction that stores the session it made.
"""

import logging
from pathlib import Path

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.authority import files
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import registry
from qfleet_wire.channel import preshared
from qfleet_wire.errors import InvalidKey
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

_decode = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class Keys:
    """Reads ``DIRECTORY/DEVICE.keys``; an empty directory name means that there are none."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory) if directory else None

    def find(
        self, connection: sa.Connection, device: DeviceName, key_id: str | None
    ) -> preshared.PresharedKey | None:
        """Return a device's key by its id, None if it is unknown, unreadable or has served."""
        if key_id is None or self._directory is None:
            return None
        path = self._directory / f"{device}.keys"
        try:
            keys = preshared.read(files.read_secret(path).decode())
        except (ConfigurationError, InvalidKey, UnicodeDecodeError):
            _log.exception(
                "The pre-shared keys of %s cannot be used.", device, extra={"action": "psk_failed"}
            )
            return None
        return preshared.Ring(keys, _used(connection, device)).take(key_id)


def mark_used(connection: sa.Connection, device: DeviceName, key_id: str) -> None:
    """Store that a key has served."""
    used = sorted({*_used(connection, device), key_id})
    registry.put_fact(connection, _name(device), msgspec.msgpack.encode(used))


def _used(connection: sa.Connection, device: DeviceName) -> tuple[str, ...]:
    stored = registry.fact(connection, _name(device))
    return _decode(stored) if stored else ()


def _name(device: DeviceName) -> str:
    return f"preshared-used/{device}"

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
from qfleet_wire.channel.preshared import DELIVERED
from qfleet_wire.errors import InvalidKey, Refused
from qfleet_wire.names import DeviceName

MOST_DELIVERED = 256
"""IDs of delivered keys that are kept per device: the key delivery gives each once, and none for long."""

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


def check_unused(connection: sa.Connection, device: DeviceName, key_id: str) -> None:
    """Refuse a delivered key that has served.

    Raises:
        Refused: It has.
    """
    if key_id in _used(connection, device, DELIVERED):
        raise Refused(f"key {key_id[:80]!r} has served", code="preshared-key")


def mark_used(connection: sa.Connection, device: DeviceName, key_id: str) -> None:
    """Store that a key has served."""
    if key_id.startswith(DELIVERED):
        kept = [one for one in _used(connection, device, DELIVERED) if one != key_id]
        used = [*kept[-MOST_DELIVERED + 1 :], key_id]
        registry.put_fact(connection, _name(device, DELIVERED), msgspec.msgpack.encode(used))
        return
    used = sorted({*_used(connection, device), key_id})
    registry.put_fact(connection, _name(device), msgspec.msgpack.encode(used))


def _used(connection: sa.Connection, device: DeviceName, kind: str = "") -> tuple[str, ...]:
    stored = registry.fact(connection, _name(device, kind))
    return _decode(stored) if stored else ()


def _name(device: DeviceName, kind: str = "") -> str:
    return f"preshared-used/{kind}{device}"

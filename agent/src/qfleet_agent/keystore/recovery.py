"""Opens the key store, and begins a new one where the old one cannot be read. Blocking.

A store that its key does not open, or whose file is damaged, holds nothing that could be used: it
is set aside, named in the log, and the links fill a new one. The peers find out by themselves, since
what they announce of the old blocks is refused.
"""

import contextlib
import datetime as dt
import logging
from pathlib import Path

from qfleet_agent.errors import KeyStoreUnusable, SealBroken
from qfleet_agent.journal import files
from qfleet_agent.keystore import sealer, store
from qfleet_agent.keystore.store import Bounds, Store
from qfleet_wire.channel.derivation import Random
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)

PARTS = ("", "-wal", "-shm")


def open_store(state: Path, name: str, random: Random, now: Millis, bounds: Bounds | None = None) -> Store:
    """Open the key store in a state directory.

    Raises:
        KeyStoreUnusable: it cannot be opened now, which is no damage.
    """
    path = store.path_in(state)
    seal = sealer.load_or_make(state, random)
    try:
        return Store(path, seal, name, bounds)
    except SealBroken:
        reason = f"its key {sealer.key_path_in(state)} does not open it, or it was made for another device"
    except KeyStoreUnusable as error:
        if not store.is_damaged(error):
            raise
        reason = str(error.__cause__)
    target = set_aside(path, now)
    log.error(
        "The key store is set aside as %s, and a new one begun: %s.",
        target.name,
        reason,
        extra={"action": "key-store-set-aside"},
    )
    return Store(path, seal, name, bounds)


def set_aside(path: Path, now: Millis) -> Path:
    """Rename a key store with its log; return its new path."""
    moment = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
    for number in range(1, 1000):
        target = path.with_name(f"keystore-damaged-{number}-{moment:%Y%m%dT%H%M%SZ}.sqlite")
        if not target.exists():
            break
    for part in PARTS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + part).rename(target.with_name(target.name + part))
    files.sync_folder(path.parent)
    return target

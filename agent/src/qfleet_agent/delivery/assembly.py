"""Puts the key delivery together from the settings."""

import asyncio
import contextlib
import logging
import secrets
import ssl
from pathlib import Path

from qfleet_agent import clock
from qfleet_agent.delivery.announcer import Announcer
from qfleet_agent.delivery.entity import Entity, Terms, World
from qfleet_agent.delivery.places import Places
from qfleet_agent.delivery.requests import Bounds
from qfleet_agent.delivery.server import Listening
from qfleet_agent.errors import KeyDeliveryUnusable, KeyStoreFull, NotEnrolled
from qfleet_agent.journal import journal, membership
from qfleet_agent.journal import store as journal_store
from qfleet_agent.journal.layout import Name
from qfleet_agent.key_settings import Keys
from qfleet_agent.keystore import recovery, store
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.notify import Notifier
from qfleet_agent.settings import Settings
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)

SWEEP_MS = 60_000


def make(keys: Keys, name: str, keeper: Keeper, announcer: Announcer) -> Entity:
    """Make the KME that the settings describe, over an open store and a way to the peers."""
    bounds = Bounds(
        keys.key_size, keys.min_key_size, keys.max_key_size, keys.max_key_per_request, keys.max_sae_id_count
    )
    elsewhere = {one: device for device, peer in keys.peers.items() for one in peer.applications}
    terms = Terms(
        name=keys.kme_id or name,
        bounds=bounds,
        max_key_count=int(store.FULL_SHARE * keys.store_bytes / 2) * 8 // keys.key_size,
        fetch_within_ms=round(keys.fetch_within_s * 1000),
        answer_s=keys.answer_s,
    )
    places = Places(frozenset(keys.applications), elsewhere)
    world = World(clock.Clock(clock.RELEASED).now, secrets.token_bytes)
    return Entity(keeper, announcer, places, terms, world)


def open_keeper(settings: Settings, name: str) -> Keeper:
    """Open the key store of a device. Blocking. Raises ``KeyStoreUnusable``."""
    now = clock.Clock(clock.RELEASED).now
    bounds = store.Bounds(settings.keys.store_bytes, settings.keys.leave_bytes)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Keeper(recovery.open_store(settings.state, name, secrets.token_bytes, now(), bounds), now)


def device(settings: Settings) -> str:
    """Return this device's name: the one that is set, or that it was enrolled with. Blocking.

    Raises:
        KeyDeliveryUnusable: there is neither, or it is also a peer's.
    """
    name = settings.keys.device or _enrolled(settings.state)
    if name in settings.keys.peers:
        raise KeyDeliveryUnusable(f"[keys.peers.{name}] is this device itself: name its peers")
    return name


def listening(keys: Keys) -> Listening:
    """Return where to listen. Raises ``KeyDeliveryUnusable`` where a file is not set."""
    if keys.certificate_file is None or keys.key_file is None or keys.client_ca_file is None:
        raise KeyDeliveryUnusable(
            "set certificate_file, key_file and client_ca_file in [keys]; "
            "`qfleet-agent keys certificates` makes certificates to start with"
        )
    if not keys.applications:
        raise KeyDeliveryUnusable("set applications in [keys]: the SAE IDs that may ask here")
    least = ssl.TLSVersion.TLSv1_2 if keys.tls == "1.2" else ssl.TLSVersion.TLSv1_3
    files = keys.certificate_file, keys.key_file, keys.client_ca_file
    return Listening(keys.host, keys.port, *files, least, keys.sae_id)


def _enrolled(state: Path) -> str:
    path = journal.path_in(state)
    with contextlib.suppress(NotEnrolled):
        if path.exists():
            opened = journal_store.Store(path)
            try:
                return membership.read(opened.get(Name.MEMBERSHIP)).device
            finally:
                opened.close()
    raise KeyDeliveryUnusable(
        "this device is not enrolled: run `qfleet-agent enrol`, or set device in [keys]"
    )


def sockets(keys: Keys) -> dict[str, Path]:
    """Where the key deliveries of peers on this machine listen, by device."""
    return {name: peer.socket for name, peer in keys.peers.items() if peer.socket is not None}


async def sweep_until(stopped: asyncio.Event, entity: Entity, notifier: Notifier) -> None:
    """Sweep every ``SWEEP_MS``, and feed systemd's watchdog as often as it wants."""
    due = clock.monotonic()
    while not stopped.is_set():
        notifier.alive()
        if clock.monotonic() >= due:
            due = Millis(clock.monotonic() + SWEEP_MS)
            try:
                await entity.sweep()
            except KeyStoreFull as error:  # a store that does not work ends the process, which opens it anew
                log.warning("%s", error, extra={"action": "key-store-full"})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), notifier.watchdog_s or SWEEP_MS / 1000)

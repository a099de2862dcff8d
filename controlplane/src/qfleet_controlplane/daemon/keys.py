"""The authority of keys in this daemon: with the first region's store and the links of all led here."""

import secrets
from collections.abc import Collection

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.daemon.keeper import Keeper
from qfleet_controlplane.keys.model import Rules
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service.keys import KeyAuthority, Surroundings
from qfleet_controlplane.service.twin import TwinRunner
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import DeviceName


def key_authority(
    settings: Settings, database: Database, keeper: Keeper, twins: TwinRunner, registry: Registry
) -> KeyAuthority:
    """Make it, and register what it counts."""

    def home() -> Database | None:
        first = keeper.first()
        return None if first is None else first.database

    def send(devices: Collection[DeviceName]) -> None:
        for runtime in keeper.runtimes.values():
            runtime.send_key_orders(devices)

    chosen = settings.keys
    authority = KeyAuthority(
        database,
        Rules(chosen.low_water_bits, chosen.session_s, chosen.path_ms / 1000),
        Surroundings(clocks.wall, secrets.token_bytes, home, send, twins.wake, lambda: set(keeper.runtimes)),
    )
    registry.gauge(
        "qfleet_key_authority",
        "What became of key sessions, relays, alarms and reports since the start",
        lambda: {name: float(count) for name, count in authority.counts.items()},
        label="what",
    )
    return authority

"""What the light devices of one generator share, what each is given, and what they count."""

from dataclasses import dataclass, field

import msgspec
from benchmarks import fleet_size_mqtt as mqtt

from qfleet_wire.channel.authority import Authority
from qfleet_wire.names import RegionName


class Identity(msgspec.Struct, frozen=True):
    """One enrolled device: its key's seed, its chain, and its login at the broker."""

    name: str
    seed: bytes
    chain: tuple[bytes, ...]
    user: str
    password: str


@dataclass(slots=True)
class Tally:
    """What all devices of one generator have done; written out as it stands."""

    online: int = 0
    connects: int = 0
    lost: int = 0
    refused_connections: int = 0
    hellos: int = 0
    resumptions: int = 0
    repeated: int = 0
    """Handshake frames that were sent again, because no answer came in time."""
    unanswered: int = 0
    """Handshakes that were given up after all their sends."""
    refusals: int = 0
    put_off: int = 0
    """Handshakes that were given a later turn."""
    sessions: int = 0
    heartbeats: int = 0
    results: int = 0
    stale: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Region:
    """What all devices share; ``heartbeat_s`` is their rhythm."""

    door: mqtt.Door
    name: RegionName
    authority: Authority
    heartbeat_s: float
    tally: Tally = field(default_factory=Tally)

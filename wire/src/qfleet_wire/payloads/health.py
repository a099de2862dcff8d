"""How a device is, now and before."""

import msgspec

from qfleet_wire.names import Millis


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """How a device is. The last one counts; load in [0, 1] per core, sizes in bytes, °C."""

    sent: Millis
    uptime_s: int
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    queued: int
    outbox: int
    temperature_c: float | None = None
    dropped: int = 0
    """Inbound messages that did not open since the start."""
    telemetry_lost: int = 0
    """Samples that were shed for want of room or went with a power cut, in all; see ``Telemetry``."""
    journal_full: bool = False
    """Whether the device could not write its journal when it tried last."""
    journal_set_aside: Millis | None = None
    """When a damaged journal was last set aside, by the device's clock; None: never."""
    journal_damage: str = ""
    """What was wrong with it, and what of it was saved, in words."""
    latency_ms: float | None = None
    """Round trip to the gateway of the way in use, where there are several; None: not measured."""
    quantum_key: str = ""
    """Whether a key of a key delivery stands behind the session, in words; empty: none is wanted."""


class Sample(msgspec.Struct, frozen=True):
    """How a device was at one moment. Load in [0, 1] per core, sizes in bytes, °C.

    A device never gives two samples the same ``sequence``, whatever happens to it; it rises, with
    gaps where samples were lost.
    """

    sequence: int
    at: Millis
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    outbox: int
    finished: int
    """Tasks that ended on the device since its agent's start."""
    temperature_c: float | None = None


class Telemetry(msgspec.Struct, frozen=True, tag="telemetry"):
    """Samples, oldest first, kept on the device until acknowledged. Repeatable by ``sequence``.

    ``lost`` counts, since the device's journal was made, the samples that will never come.
    """

    samples: tuple[Sample, ...]
    lost: int = 0


class TelemetryAcknowledge(msgspec.Struct, frozen=True, tag="telemetry-ack"):
    """Samples up to this sequence number are stored for good; the device drops them. Repeatable."""

    up_to: int

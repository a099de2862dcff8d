"""The fleet, its regions and its devices."""

from typing import Literal

import msgspec

from qfleet_wire.names import Millis
from qfleet_wire.ways import Way

DeviceStatus = Literal[
    "invited", "enrolled", "online", "silent", "lost", "quarantined", "revoked", "retired"
]  # fmt: skip


class InviteRequest(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Ask for a one-time join token for a device of this name.

    ``region`` is where it shall join; it may be left out where there is one region.
    """

    device: str
    valid_s: float = 3600.0
    region: str | None = None


class Invitation(msgspec.Struct, frozen=True):
    """The answer to an invitation; ``token`` is shown once and never stored in clear."""

    device: str
    token: str
    expires: Millis


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the control plane knows it; None where it has not told yet."""

    name: str
    region: str
    status: DeviceStatus
    profile: str | None = None
    machine: str | None = None
    agent_version: str | None = None
    engines: tuple[str, ...] = ()
    cores: int | None = None
    memory_bytes: int | None = None
    workers: int | None = None
    max_qubits: int | None = None
    last_seen: Millis | None = None
    running: int = 0
    queued: int = 0
    load: float | None = None
    temperature_c: float | None = None
    certificate_expires: Millis | None = None
    trust: float | None = None
    confirmed: int = 0
    contradicted: float = 0.0
    """Results that were found right, and wrong; half of one where nobody knows whose fault it was."""
    reason: str | None = None
    way: Way | None = None
    """The way that carries its messages, as it last said; None: it has one only."""
    heard_within_ms: int | None = None
    """It counts as silent only after so long."""
    waiting_down: int = 0
    """Messages that gather for it, to be sent together."""
    quantum_key: str = ""
    """Whether its session mixes a key of a key delivery, as it last said; empty: none is wanted."""


class TelemetrySample(msgspec.Struct, frozen=True, kw_only=True):
    """How a device was at one moment, by its own clock. Load in [0, 1] per core, sizes in bytes."""

    sequence: int
    at: Millis
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    outbox: int
    finished: int
    temperature_c: float | None = None


class TelemetryGap(msgspec.Struct, frozen=True):
    """Samples that are missing between two numbers, both of which are there."""

    after: int
    before: int


class TelemetryView(msgspec.Struct, frozen=True):
    """What a device measured, the oldest first.

    ``gaps`` are the numbers missing among ``samples``: still on the device, or lost. ``lost`` is
    how many the device said, with the last sample, will never come.
    """

    device: str
    samples: tuple[TelemetrySample, ...]
    gaps: tuple[TelemetryGap, ...]
    lost: int


class RevokeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a device is revoked, quarantined or retired; the reason stands in the audit log."""

    reason: str


class FleetView(msgspec.Struct, frozen=True):
    """What this control plane leads."""

    fleet: str
    region: str
    version: str
    broker: str
    devices: int
    online: int
    jobs_running: int


class RegionView(msgspec.Struct, frozen=True, kw_only=True):
    """A region and who leads it.

    ``controller`` is None while nobody holds its lease, which ends in ``lease_s`` seconds; ``latency_ms``
    is the median from an assignment to its acceptance, None while nothing was measured.
    ``broker_connected`` is what the leading controller sees.
    """

    name: str
    controller: str | None
    epoch: int
    lease_s: float
    devices: int = 0
    devices_online: int = 0
    tasks_pending: int = 0
    tasks_held: int = 0
    latency_ms: float | None = None
    residency: tuple[str, ...] = ()
    energy_price: float | None = None
    broker_connected: bool | None = None

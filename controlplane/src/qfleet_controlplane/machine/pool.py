"""The devices that may have room, by class, so that settling costs what there is to lease.

A fleet of ten thousand devices settles hundreds of times a second; going through all of them each
time would cost more than the work. Devices are offered when something about them changes, and struck
out by the settling that finds them full or gone. What stands here is a hint: the settling looks again.
"""

from dataclasses import dataclass, field

from qfleet_controlplane.planning.regions import DeviceClass
from qfleet_wire.names import DeviceName


@dataclass(slots=True, eq=False)
class Bucket:
    """Devices of one class, in the order in which they were offered."""

    kind: DeviceClass
    idle: dict[DeviceName, None] = field(default_factory=dict)
    busy: dict[DeviceName, None] = field(default_factory=dict)
    crowded: dict[DeviceName, None] = field(default_factory=dict)
    """Those that had no room when they were looked at last: a task may be worth keeping for one."""


class Pool:
    """``changed``: something happened since the last settling that could let a task be leased."""

    __slots__ = ("_buckets", "again_at", "changed")

    def __init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self.changed = True
        self.again_at = 0
        """When to settle again although nothing may have happened."""

    def offer(self, device: DeviceName, kind: DeviceClass, *, holds: bool) -> None:
        """A device may have room now."""
        self.place(device, kind, holds=holds)
        self.changed = True

    def place(self, device: DeviceName, kind: DeviceClass, *, holds: bool) -> None:
        """Stand a device among those that hold tasks, or among the idle ones."""
        bucket = self._buckets.get(id(kind))
        if bucket is None:
            bucket = self._buckets[id(kind)] = Bucket(kind)
        bucket.crowded.pop(device, None)
        if holds:
            bucket.idle.pop(device, None)
            bucket.busy[device] = None
        else:
            bucket.busy.pop(device, None)
            bucket.idle[device] = None

    def strike(self, device: DeviceName, kind: DeviceClass) -> None:
        """Take a device out, because its class changes."""
        bucket = self._buckets.get(id(kind))
        if bucket is not None:
            for names in (bucket.idle, bucket.busy, bucket.crowded):
                names.pop(device, None)

    def crowded(self) -> list[Bucket]:
        """Those with a device in them that had no room."""
        return [bucket for bucket in self._buckets.values() if bucket.crowded]

    def buckets(self) -> list[Bucket]:
        """Those with a device in them."""
        return [bucket for bucket in self._buckets.values() if bucket.idle or bucket.busy]

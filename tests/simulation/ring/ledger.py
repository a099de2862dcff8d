"""What an all-seeing observer has written down: promises made, leases given, results merged.

It looks at disks and at committed rows with queries of its own, so that nothing under test vouches for
itself. Everything that is recorded here is compared at once with what was recorded before.
"""

from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.ring import invariants

from qfleet_agent.machine.events import Key
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.tables import SHUT_OUT, TASK_HELD, TASK_OVER
from qfleet_controlplane.store import records
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, JobId, TaskId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.ring.controller import Controller
    from tests.simulation.ring.device import Device
    from tests.simulation.ring.world import World

Place = tuple[str, int]
"""(job, position) of a task."""


class Row(NamedTuple):
    """A committed row of ``tasks``."""

    status: str
    attempt: int
    device: str | None
    region: str

    @property
    def held(self) -> bool:
        """Whether a device has the task's lease."""
        return self.status in TASK_HELD

    @property
    def over(self) -> bool:
        """Whether the task has its last word."""
        return self.status in TASK_OVER


class Merged(NamedTuple):
    """A committed row of ``results``."""

    attempt: int
    device: str
    raw: bytes


class Ledger:
    """The observer's books."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.promised: dict[DeviceName, set[Key]] = {name: set() for name in world.names}
        """Tasks that a device said it had accepted."""
        self.acknowledged: dict[DeviceName, set[Key]] = {name: set() for name in world.names}
        """Results that a controller said it had stored."""
        self.leases: dict[Key, str] = {}
        """To whom each attempt was leased."""
        self.given_up: set[Key] = set()
        """Leases that the record has ended."""
        self.rows: dict[Place, Row] = {}
        self.merged: dict[Place, Merged] = {}
        self.devices: dict[DeviceName, str] = {}
        self.accepted: set[JobId] = set()
        """Jobs whose submission was answered."""

    def status_of(self, device: DeviceName) -> str | None:
        """A device's committed status; None for an unknown one."""
        return self.devices.get(device)

    def row_of(self, key: Key) -> Row | None:
        """The committed row of an attempt's task."""
        return self.rows.get(records.split_task(key[0]))

    def forget(self, device: DeviceName) -> None:
        """A device's disk was replaced: what it had promised went with it."""
        self.promised[device].clear()

    def device_says(self, device: "Device", plaintext: bytes) -> None:
        """A device seals a message."""
        _, items = codec.unpack_up(plaintext)
        for item in items:
            match item:
                case payloads.Accepted(task, attempt):
                    invariants.accepts_only_what_is_journalled(self._world, device, (task, attempt))
                    self.promised[device.name].add((task, attempt))
                case payloads.Results(results=results):
                    for raw in results:
                        result = codec.decode(raw, payloads.TaskResult)
                        key = (result.task, result.attempt)
                        invariants.sends_only_results_that_are_kept(self._world, device, key)

    def controller_says(
        self, controller: "Controller", device: DeviceName, items: "Sequence[payloads.Down]"
    ) -> None:
        """A controller seals a message."""
        if controller.leads:
            invariants.shut_out_gets_nothing(self._world, controller, device, items)
        for item in items:
            match item:
                case payloads.Assign(task=task, attempt=attempt):
                    invariants.leases_only_what_is_stored(self._world, device, (task, attempt))
                case payloads.Acknowledge(tasks=keys):
                    for key in keys:
                        invariants.acknowledges_only_what_is_stored(self._world, device, key)
                        self.acknowledged[device].add(key)

    def committed(self, controller: "Controller", machine: Machine) -> None:
        """A controller has committed: read everything, and compare it with before."""
        world, site = self._world, self._world.site
        shut = {name for name, status in self.devices.items() if status in SHUT_OUT}
        self.devices = {
            DeviceName(name): status for name, status in site.select("SELECT name, status FROM devices")
        }
        rows = site.select("SELECT job, position, status, attempt, device, region FROM tasks")
        found = {(job, position): Row(*rest) for job, position, *rest in rows}
        invariants.no_task_vanishes(world, found)
        for place, row in found.items():
            before = self.rows.get(place)
            if row != before:
                self._moved(place, before, row)
        self.rows = found
        invariants.every_open_task_has_a_keeper(world)
        invariants.shut_out_holds_nothing(world)
        invariants.copies_are_apart(world)
        self._merge(shut)
        invariants.store_is_memory(world, controller, machine)

    def _moved(self, place: Place, before: Row | None, row: Row) -> None:
        world = self._world
        invariants.steps_forward_only(world, place, before, row)
        if before is not None and before.region != row.region:
            world.trace.fault("task moved", before.region, f"{place} to {row.region}")
        task = TaskId(f"{place[0]}-{place[1]}")
        if (
            before is not None
            and before.held
            and (before.attempt, before.device) != (row.attempt, row.device)
        ):
            self.given_up.add((task, before.attempt))
        if before is not None and before.held and not row.held:
            self.given_up.add((task, before.attempt))
        if row.held and row.device is not None:
            key = (task, row.attempt)
            invariants.one_device_per_lease(world, key, row.device)
            if key in self.given_up:
                world.trace.fault("lease taken back", row.device)
            elif 0 < (before.attempt if before else 0) < row.attempt:
                world.trace.fault("leased anew", row.device)
            self.leases[key] = row.device
            self.given_up.discard(key)

    def _merge(self, shut_out: set[DeviceName]) -> None:
        rows = self._world.site.select("SELECT job, position, attempt, device, raw FROM results")
        found = {(job, position): Merged(*rest) for job, position, *rest in rows}
        invariants.merged_once_and_for_all(self._world, found)
        for place in found.keys() - self.merged.keys():
            shut = found[place].device in shut_out
            invariants.counts_only_who_belongs(self._world, place, found[place], shut=shut)
        self.merged = found

"""What people and fate do to a fleet: jobs come and go, devices too, clocks are set, disks fill."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from tests.simulation.ring import answers, letters
from tests.simulation.ring.controller import Done
from tests.simulation.ring.steering import EVERY_MS, OPEN_MS

from qfleet_controlplane.machine import events, state
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.planning import admission, placement
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import front, ordering
from qfleet_controlplane.store import orders, roster
from qfleet_wire import api
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName
from qfleet_wire.ways import Window

if TYPE_CHECKING:
    from tests.simulation.ring.device import Device
    from tests.simulation.ring.world import World

_MOST_JOBS = 4
_AGAIN_MS = 2_000
_CANCEL_MS = 10_000
_CANCEL_LOOK_MS = 250


class Operator:
    """Its orders are told to the controller that leads; what is not stored is ordered again."""

    alive = True

    def __init__(self, world: "World") -> None:
        self._world = world
        self.requests: dict[JobId, api.JobRequest] = {}
        self.specifications: dict[JobId, Specification] = {}
        self.cancelled: set[JobId] = set()
        self.poison: set[JobId] = set()
        """Jobs whose work kills its worker."""

    def begin(self) -> None:
        """Enrol the fleet, boot it, and ask for the first jobs."""
        for device in self._world.devices.values():
            self._enrol(device)
        for _ in range(2):
            # Where there are several regions, they first have to know of each other.
            wait = self._world.choose((4_000, 12_000)) if len(self._world.regions) > 1 else 0
            self._world.clock.after(wait, self, self.submit)
        if len(self._world.regions) > 1 and self._world.chance(0.5):
            self._world.clock.after(3_000, self, self.darken_region)

    def trouble(self) -> None:
        """Let one thing happen."""
        weights = self._world.weather.troubles
        kinds = list(weights)
        kind = self._world.random.choices(kinds, [weights[one] for one in kinds])[0]
        _TROUBLES[kind](self)

    # ── jobs ────────────────────────────────────────────────────────────────────────────────

    def submit(self) -> None:
        """Ask for a job of some kind and policy."""
        if len(self.requests) >= _MOST_JOBS:
            return
        world, random = self._world, self._world.random
        plain, dynamic = random.choice(_REQUESTS)
        poison = random.random() < 0.1
        policy: dict[str, Any] = {
            "max_attempts": 2 if poison else 1_000,
            "lost_after_s": random.choice((1.0, 20.0, 90.0)),
            "deadline_s": random.choice((30.0, 120.0)) if random.random() < 0.15 else None,
            "priority": random.choice((0, 1)),
            "first_valid_wins": random.random() < 0.8,
            "replace": random.random() < 0.9,
        }
        if world.chance(world.weather.redundant):
            policy |= {"agree": 2, "of": 3}
            world.trace.fault("redundant job", "ring")
        request = api.JobRequest(**plain, **policy)
        job = JobId(random.randbytes(4).hex())
        whole = answers.specification(request, random.randrange(1 << 30), dynamic=dynamic)
        self.requests[job], self.specifications[job] = request, whole
        if poison:
            self.poison.add(job)

        def done(stored: bool) -> None:  # noqa: FBT001 - the answer to one question
            if stored:
                world.ledger.accepted.add(job)

        event = events.JobSubmitted(job, request, whole, "ring")
        if len(world.regions) > 1 and world.chance(0.6):
            self._divide(event, done)
        else:
            world.choose(world.regions).order(event, done)

    def _divide(self, event: events.JobSubmitted, done: Done) -> None:
        """As the front does with a job that is not one region's: rows, and an order for every region."""
        world = self._world
        facts = [found for _, found in world.facts.values()]
        try:
            placed = placement.place(event.specification, facts, placement.wishes_of(event.request))
        except (admission.NothingAdmits, PlanRefused):
            world.choose(world.regions).order(event, done)
            return
        if world.chance(0.7):
            copies = event.specification.copies
            cut = copies * world.random.randrange(len(placed.plan.slices) // copies + 1)
            bounds = {"north": range(cut), "south": range(cut, len(placed.plan.slices))}
            shares = tuple(placement.Share(name, part) for name, part in bounds.items() if part)
            placed = placed._replace(shares=shares)
        event = msgspec.structs.replace(
            event, specification=placed.specification, plan=placed.plan, placement=placed.sentences
        )
        world.trace.fault("job divided", event.job, str(len(placed.shares)))
        world.site.write(front._divided(event, placed, Millis(letters.START + world.clock.now)).write)
        done(True)  # noqa: FBT003 - stored

    def cancel(self) -> None:
        """Cancel some job that was taken in."""
        open_jobs = [job for job in self.requests if job in self._world.ledger.accepted - self.cancelled]
        if not open_jobs:
            return
        job = self._world.random.choice(open_jobs)
        self.cancelled.add(job)
        self._world.trace.fault("cancelled", job)
        self._cancel(events.JobCancelled(job, "", "ring"))

    def _cancel(self, event: events.JobCancelled) -> None:
        """As the front does: regions with an open share are told by their inboxes, and for a while
        those that get one meanwhile."""
        world = self._world
        if len(world.regions) == 1:
            world.regions[0].order(event)
            return
        told: set[RegionName] = set()
        end = world.clock.now + _CANCEL_MS

        def again() -> None:
            shares = world.site.read_surely(lambda connection: roster.shares(connection, event.job))
            fresh = sorted({region for region, status in shares if status not in api.FINISHED} - told)
            told.update(fresh)
            now = Millis(letters.START + world.clock.now)
            wanted = [ordering.cancel(region, event, now) for region in fresh]
            world.site.write(lambda connection: orders.put(connection, wanted))
            if world.clock.now < end:
                world.clock.after(_CANCEL_LOOK_MS, self, again)

        again()

    # ── devices ─────────────────────────────────────────────────────────────────────────────

    def revoke(self) -> None:
        """Revoke a device for good, unless it is the last one."""
        world = self._world
        name = world.random.choice(world.names)
        region = world.devices[name].region
        left = [
            one.name
            for one in world.devices.values()
            if one.region is region and world.ledger.status_of(one.name) not in {"revoked", "retired", None}
        ]
        least = 2 if not world.weather.redundant else 4 + world.weather.liar
        if len(left) < least or name not in left or region.controller is None:
            return
        if world.chance(0.2):
            world.trace.fault("retired", name)
            self._insist(events.Retired(name, "old", "ring"))
            return
        world.trace.fault("revoked", name)
        region.controller.post.shut_out(name)
        self._insist(events.Revoked(name, "stolen", "ring"))

    def quarantine(self) -> None:
        """Take a device out of service for a while."""
        world = self._world
        name = world.random.choice(world.names)
        if world.ledger.status_of(name) in SHUT_OUT | {None}:
            return
        region = world.devices[name].region
        world.trace.fault("quarantined", name)
        region.order(events.Quarantined(name, "odd", "ring"))
        world.clock.after(world.choose((5_000, 30_000)), self, lambda: self.release(name))

    def release(self, name: DeviceName) -> None:
        """End a quarantine."""
        if self._world.ledger.status_of(name) == "quarantined":
            self._insist(events.Released(name, "ring"))

    def replace(self) -> None:
        """Enrol another board under a device's name, or the same one anew."""
        world = self._world
        device = world.devices[world.random.choice(world.names)]
        if world.ledger.status_of(device.name) in SHUT_OUT | {None}:
            return
        device.wanted = False
        device.crash("taken away")
        if world.chance(0.5):
            world.trace.fault("disk replaced", device.name)
            device.journal = type(device.journal)()
            world.ledger.forget(device.name)
        else:
            world.trace.fault("enrolled anew", device.name)
        self._enrol(device)

    def _enrol(self, device: "Device") -> None:
        """Grant a certificate; the device has it only once that is stored."""

        def enrolled() -> None:
            device.wanted = True
            device.boot()

        self._insist(events.Enrolled(device.name), enrolled)

    def _insist(self, event: ordering.Decision, then: Callable[[], None] | None = None) -> None:
        """Order something until it is stored."""
        world = self._world
        answered = False

        def done(stored: bool) -> None:  # noqa: FBT001 - the answer to one question
            nonlocal answered
            if stored and not answered:
                answered = True
                if then is not None:
                    then()

        def again() -> None:
            if not answered:
                world.devices[event.device].region.order(event, done)
                world.clock.after(_AGAIN_MS, self, again)

        again()

    # ── fate ────────────────────────────────────────────────────────────────────────────────

    def cut(self) -> None:
        """Cut a device's connection."""
        agent = self._some_device().agent
        if agent is not None:
            agent.uplink.cut()

    def unplug(self) -> None:
        """Pull a device's cable for a while."""
        device = self._some_device()
        if not device.plugged:
            return
        self._world.trace.fault("unplugged", device.name)
        device.plug(plugged=False)
        wait = self._world.choose((3_000, 60_000, 200_000, 200_000))
        self._world.clock.after(wait, self, lambda: device.plug(plugged=True))

    def plan(self) -> None:
        """Plan some of the coming passes of the satellite for some devices, and for others none."""
        now = letters.START + self._world.clock.now
        first = (self._world.clock.now // EVERY_MS) * EVERY_MS + letters.START
        coming = [
            Window(Millis(first + n * EVERY_MS), Millis(first + n * EVERY_MS + OPEN_MS)) for n in range(4)
        ]
        windows = {
            name: tuple(one for one in coming if self._world.chance(0.6))
            for name in self._world.names
            if self._world.chance(0.8)
        }
        plan = state.ContactPlan(windows, Millis(now + self._world.choose((30_000, 120_000, 240_000))))
        self._world.trace.fault("contacts planned", "operator")
        for region in self._world.regions:
            region.order(events.ContactsPlanned(plan))

    def blackout(self) -> None:
        """Lose everything of everybody for a while."""
        self._darken(self._world.names, self._world.choose((5_000, 40_000)), "blackout")

    def darken_region(self) -> None:
        """Hear nothing of a whole region for long, so that its work must go elsewhere."""
        region = self._world.choose(self._world.regions)
        names = [one.name for one in self._world.devices.values() if one.region is region]
        self._darken(names, self._world.choose((60_000, 150_000)), "region dark")
        for name in names:
            agent = self._world.devices[name].agent
            if agent is not None:
                agent.uplink.cut()

    def silence(self) -> None:
        """Hear nothing of one device for longer than any patience."""
        self._darken([self._some_device().name], self._world.choose((60_000, 150_000)), "silent period")

    def _darken(self, names: list[DeviceName], wait_ms: int, kind: str) -> None:
        for name in names:
            self._world.trace.fault(kind, name)
            self._world.devices[name].region.carrier.dark_until[name] = self._world.clock.now + wait_ms

    def jump_agent(self) -> None:
        """Set a device's wall clock."""
        if self._world.weather.agent_jumps_ms:
            by = self._world.choose(self._world.weather.agent_jumps_ms)
            device = self._some_device()
            self._world.trace.fault(f"agent clock {'back' if by < 0 else 'forward'}", device.name, str(by))
            device.set_forward_ms += by

    def jump_control(self) -> None:
        """Set the control plane's wall clock."""
        if self._world.weather.control_jumps_ms:
            by = self._world.choose(self._world.weather.control_jumps_ms)
            self._world.trace.fault(f"control clock {'back' if by < 0 else 'forward'}", "control", str(by))
            self._world.control_forward_ms += by

    def fill_disk(self) -> None:
        """Let a device's or the database's disk refuse every write for a while."""
        world = self._world
        until = world.clock.now + world.choose((2_000, 30_000))
        if world.chance(0.7):
            device = self._some_device()
            world.trace.fault("device disk full", device.name)
            device.full_until = until
        else:
            world.trace.fault("database down", "database")
            world.site.broken_until = until

    def take_over(self) -> None:
        """Let another controller take the lease; the old one may not notice."""
        self._world.choose(self._world.regions).take_over()

    def crash_agent(self) -> None:
        """Cut a device's power."""
        device = self._some_device()
        if device.agent is not None:
            device.crash(device.agent.point)

    def crash_control(self) -> None:
        """Kill the controller."""
        controller = self._world.choose(self._world.regions).controller
        if controller is not None:
            controller.crash(controller.point)

    def _some_device(self) -> "Device":
        return self._world.devices[self._world.random.choice(self._world.names)]


_REQUESTS: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"kind": "probe.echo", "items": 4}, False),
    ({"kind": "probe.echo", "items": 2}, False),
    ({"kind": "circuit.sample", "items": 2, "shots": 1500}, False),
    ({"kind": "circuit.sample", "items": 1, "shots": 9_000}, True),
    ({"kind": "circuit.expect", "items": 1, "shots": 20_000}, True),
    ({"kind": "circuit.expect", "items": 24}, False),
)

_TROUBLES: Mapping[str, Callable[[Operator], None]] = {
    "submit": Operator.submit,
    "cancel": Operator.cancel,
    "revoke": Operator.revoke,
    "quarantine": Operator.quarantine,
    "replace": Operator.replace,
    "cut": Operator.cut,
    "unplug": Operator.unplug,
    "plan": Operator.plan,
    "blackout": Operator.blackout,
    "silence": Operator.silence,
    "region-dark": Operator.darken_region,
    "agent-jump": Operator.jump_agent,
    "control-jump": Operator.jump_control,
    "disk-full": Operator.fill_disk,
    "takeover": Operator.take_over,
    "agent-crash": Operator.crash_agent,
    "control-crash": Operator.crash_control,
}

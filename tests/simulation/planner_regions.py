"""Several regions over one store: machines, batches and orders as they run, without links and loops.

Each region's devices answer at once or not at all. A machine may be thrown away and rebuilt from the
rows at any time, also with orders that were read before and are handled after.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import census, events, tables
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.planning import regions
from qfleet_controlplane.planning.kinds import echo
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import ordering, readings
from qfleet_controlplane.service.batch import Batch
from qfleet_controlplane.store import records
from qfleet_controlplane.store.tables import METADATA
from qfleet_controlplane.store.tables.work import results, tasks
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName

POLICY = Policy(stranded_ms=2_000, stay_ms=5_000, return_ms=1_000, most_losses=1_000)
_ECHO = msgspec.Raw(codec.encode(workload.EchoResult(echo.ECHO)))


@dataclass
class Region:
    """One region: its machine, and the assignments that its devices have in hand."""

    world: "World"
    name: str
    residency: tuple[str, ...] = ()
    machine: Machine = field(default_factory=lambda: Machine(policy=POLICY))
    hands: list[tuple[DeviceName, payloads.Assign]] = field(default_factory=list)
    up: bool = True

    def handle(self, *told: events.Event) -> None:
        """Handle events in one batch and store what follows."""
        batch = Batch(self.world.now, self.name)
        for event in (*told, events.Settle()):
            batch.add(self.machine.handle(event, self.world.now))
        with self.world.connection.begin():
            batch.close().write(self.world.connection)
        for device, sent in batch.sends.items():
            for item in sent:
                if isinstance(item, payloads.Assign):
                    self.hands.append((device, item))

    def join(self, count: int) -> None:
        """Let devices open their sessions."""
        for number in range(count):
            device = DeviceName(f"{self.name}-{number}")
            self.handle(events.Enrolled(device))
            self.connect(device)

    def connect(self, device: DeviceName) -> None:
        """Open a session of a device that holds nothing."""
        told = (announcement(), payloads.Inventory((), ()))
        self.handle(events.SessionOpened(device), events.HeardBatch(device, told))

    def cut(self) -> None:
        """Cut every device off; what they had in hand is lost with them."""
        self.up = False
        self.hands.clear()
        self.handle(*(events.PresenceLost(device) for device in self.machine.state.devices))

    def return_(self) -> None:
        """Let every device come back with nothing."""
        self.up = True
        for device in list(self.machine.state.devices):
            self.connect(device)

    def answer(self, most: int, outcome: str = "succeeded") -> None:
        """Return results of what the devices have in hand, some of it twice."""
        for device, assign in self.hands[:most]:
            told = payloads.TaskResult(
                assign.task,
                assign.attempt,
                outcome,  # type: ignore[arg-type]  # one of the outcomes
                body=_ECHO if outcome == "succeeded" else payloads.NO_BODY,
                error=None if outcome == "succeeded" else "it broke",
            )
            flush = payloads.Results((msgspec.Raw(codec.encode(told)),), b"s")
            self.handle(events.Heard(device, flush))
        del self.hands[:most]

    def crash(self) -> None:
        """Rebuild the machine from what is stored; its devices live on."""
        with self.world.connection.begin():
            known = records.load(self.world.connection, self.name)
        live = tuple(known.devices) if self.up else ()
        self.machine = Machine(known, POLICY)
        self.handle(events.Reloaded(live))

    def orders(self) -> list[events.Ordered]:
        """What the region is asked for."""
        with self.world.connection.begin():
            return ordering.read(self.world.connection, RegionName(self.name)).wanted

    def facts(self) -> regions.RegionFacts:
        """What it tells the others."""
        return census.facts(self.machine.state, regions.Description(self.name, self.residency))


class World:
    """Regions, one store, one clock."""

    def __init__(self, *names: str, devices: int = 2) -> None:
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        METADATA.create_all(engine)
        self.connection = engine.connect()
        self.now = Millis(1_000_000)
        self.regions = {name: Region(self, name) for name in names}
        for region in self.regions.values():
            region.join(devices)

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()
        self.connection.engine.dispose()

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, with every tick when it is due."""
        end = Millis(self.now + milliseconds)
        while True:
            due = [region.machine.next_due() for region in self.regions.values()]
            first = min((each for each in due if each is not None), default=None)
            if first is None or first > end:
                break
            self.now = Millis(max(self.now, first))
            for region in self.regions.values():
                wanted = region.machine.next_due()
                if wanted is not None and wanted <= self.now:
                    region.handle(events.Tick())
        self.now = end

    def rebalance(self) -> None:
        """Let every region look at all, by what they said a moment ago."""
        facts = tuple(region.facts() for region in self.regions.values())
        for region in self.regions.values():
            region.handle(events.Rebalance(region.name, facts))

    def deliver(self) -> None:
        """Let every region do what it is asked for."""
        for region in self.regions.values():
            for order in region.orders():
                region.handle(order)

    def view(self, job: JobId) -> api.JobView:
        """The job over all its regions."""
        with self.connection.begin():
            found = readings.view(self.connection, job)
        assert found is not None
        return found

    def check(self, count: int, residency: tuple[str, ...]) -> None:
        """No task is lost or known to two machines, and none stands where it may not be."""
        with self.connection.begin():
            rows = self.connection.execute(sa.select(tasks)).all()
            counted = self.connection.execute(sa.select(results.c.position)).all()
        assert len(rows) == count
        assert max(Counter(row.position for row in counted).values(), default=1) == 1
        known = Counter(str(task) for region in self.regions.values() for task in region.machine.state.tasks)
        assert max(known.values(), default=1) == 1
        for row in rows:
            carried = self.regions[row.region].residency
            assert not residency or set(residency) & set(carried)
            if row.status not in tables.TASK_OVER:
                assert known[f"{row.job}-{row.position}"] == 1 or row.job in self._arriving(row.region)

    def _arriving(self, region: str) -> set[str]:
        """Jobs of which tasks are on their way to a region."""
        told = (order.event for order in self.regions[region].orders())
        return {event.job.id for event in told if isinstance(event, events.ShareArrived)}


def shuffled(seed: int, steps: int, items: int) -> tuple[World, JobId]:
    """Run a job through a history drawn from a seed, then let everything heal."""
    draw = random.Random(seed)
    world = World("a", "b", "c")
    residency = ("EU",) if draw.random() < 0.5 else ()
    for name in draw.sample(["a", "b", "c"], 2):
        world.regions[name].residency = ("EU",)
    first = next(region for region in world.regions.values() if not residency or region.residency)
    job = JobId("0a")
    submitted = _submitted(job, items, residency)
    for region in world.regions.values():
        if draw.random() < 0.5:
            region.cut()
    first.handle(submitted)
    stale: list[tuple[Region, events.Ordered]] = []
    for _ in range(steps):
        _step(world, draw, stale)
        world.check(items, residency)
    for region in world.regions.values():
        region.return_()
    for _ in range(200):
        if world.view(job).status in api.FINISHED:
            break
        world.deliver()
        world.rebalance()
        for region in world.regions.values():
            region.answer(1_000)
        world.pass_time(400_000 if draw.random() < 0.1 else 1_000)
        for region in world.regions.values():
            region.return_()
    return world, job


def _step(world: World, draw: random.Random, stale: list[tuple[Region, events.Ordered]]) -> None:
    region = draw.choice(list(world.regions.values()))
    actions: list[tuple[int, Callable[[], object]]] = [
        (3, region.cut),
        (2, region.return_),
        (1, lambda: region.answer(draw.randint(1, 10))),
        (1, lambda: region.answer(1, "failed")),
        (1, region.crash),
        (2, lambda: world.pass_time(draw.choice([100, 3_000, 6_000, 30_000]))),
        (4, lambda: _look(world)),
        (2, world.deliver),
        (2, lambda: stale.extend((region, order) for order in region.orders())),
        (2, lambda: _late(draw, stale)),
    ]
    draw.choices([act for _, act in actions], [weight for weight, _ in actions])[0]()


def _look(world: World) -> None:
    """Compare regions twice, so far apart that what is stranded moves."""
    world.rebalance()
    world.pass_time(POLICY.stranded_ms)
    world.rebalance()


def _late(draw: random.Random, stale: list[tuple[Region, events.Ordered]]) -> None:
    """Handle an order that was read before: it is still there, or this machine has done it."""
    if stale:
        region, order = draw.choice(stale)
        there = {waiting.order for waiting in region.orders()}
        if order.order in region.machine.state.orders or order.order in there:
            region.handle(order)


def _submitted(job: JobId, items: int, residency: tuple[str, ...]) -> events.JobSubmitted:
    request = api.JobRequest(
        kind="probe.echo", items=items, residency=residency, max_attempts=100, lost_after_s=5
    )
    wanted = Specification(kind="probe.echo", seed=0, items=items)
    return events.JobSubmitted(job, request, wanted, "someone")

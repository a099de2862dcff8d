"""The fleet seen from this controller: what it leads, what it counts, what is missing to serve."""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple

from qfleet_controlplane.api.backends import Devices, Jobs
from qfleet_controlplane.daemon.keeper import Keeper
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.planning import regions
from qfleet_controlplane.service.loop import Figures
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.names import RegionName

_MOST_JOBS = 1000
_UNFINISHED: tuple[api.JobStatus, ...] = ("planned", "running")


class Parts(NamedTuple):
    """What is looked at."""

    jobs: Jobs
    devices: Devices
    keeper: Keeper
    database: Database


class Overview:
    """The ``fleet`` of the API."""

    def __init__(self, settings: Settings, parts: Parts, registry: Registry) -> None:
        self._settings = settings
        self._parts = parts
        self._led = parts.keeper.runtimes
        self._registry = registry
        self._devices: Counter[str] = Counter()
        self._tasks: Counter[str] = Counter()
        self._register()

    async def overview(self) -> api.FleetView:
        """Names, version and counts."""
        devices = await self._parts.devices.devices()
        return api.FleetView(
            fleet=self._settings.fleet,
            region=", ".join(self._settings.places),
            version=version("qfleet-controlplane"),
            broker=", ".join(led.broker.advertised for led in self._led.values()),
            devices=len(devices),
            online=sum(device.status == "online" for device in devices),
            jobs_running=self._sum(lambda led: led.service.running_jobs()),
        )

    async def regions(self) -> Sequence[api.RegionView]:
        """Every region and who leads it, by name."""
        leases = {lease.region: lease for lease in self._parts.keeper.seen.leases}
        views = []
        for facts in sorted(self._parts.keeper.facts(), key=_name):
            region = RegionName(facts.name)
            led, lease = self._led.get(region), leases.get(region)
            held: tuple[str | None, int, float] = (None, 0, 0.0)
            if led is not None:
                held = (self._settings.controller, led.epoch, led.tenure.left_s())
            elif lease is not None and not lease.free:
                held = (lease.controller, lease.epoch, lease.left_ms / 1000)
            elif lease is not None:
                held = (None, lease.epoch, 0.0)
            views.append(_region(facts, held, led))
        return views

    async def metrics(self) -> str:
        """Everything that is counted, as Prometheus reads it."""
        self._devices = Counter(device.status for device in await self._parts.devices.devices())
        self._tasks = Counter()
        for status in _UNFINISHED:
            for job in await self._parts.jobs.jobs(_MOST_JOBS, status):
                self._tasks.update({name: getattr(job.tasks, name) for name in job.tasks.__struct_fields__})
        return self._registry.render()

    def unready(self) -> Sequence[str]:
        """Name what is missing to serve, by region where there are several."""
        keeper = self._parts.keeper
        missing = [] if keeper.trouble is None else [keeper.trouble]
        several = len(self._settings.places) > 1
        for name, led in self._led.items():
            missing += [f"region {name}: {text}" if several else text for text in led.unready()]
        if not self._settings.shared:
            missing += [
                f"region {name} is not led" for name in self._settings.places if name not in self._led
            ]
        return missing

    def _sum(self, read: Callable[[RegionRuntime], float]) -> int:
        return int(sum(read(led) for led in self._led.values()))

    def _figure(self, read: Callable[[Figures], float]) -> float:
        return sum(read(led.service.figures) for led in self._led.values())

    def _register(self) -> None:
        gauge, led = self._registry.gauge, self._led
        gauge("qfleet_devices", "Devices by status", lambda: self._devices, label="status")
        gauge("qfleet_tasks", "Tasks of unfinished jobs by status", lambda: self._tasks, label="status")
        gauge("qfleet_jobs_running", "Unfinished jobs", lambda: self._sum(lambda r: r.service.running_jobs()))
        gauge(
            "qfleet_region_epoch",
            "Epoch of each region that is led here",
            lambda: {name: float(each.epoch) for name, each in led.items()},
            label="region",
        )
        gauge(
            "qfleet_link_up",
            "Whether the brokers of all regions led here are connected",
            lambda: float(bool(led) and all(each.link.up for each in led.values())),
        )
        self._register_flow()
        self._register_store()

    def _register_flow(self) -> None:
        gauge, total = self._registry.gauge, self._sum
        gauge(
            "qfleet_link_connections",
            "Connections to the brokers since the regions were taken",
            lambda: total(lambda each: each.link.connections),
        )
        gauge(
            "qfleet_link_queued",
            "Payloads that wait to be sent",
            lambda: total(lambda each: each.link.queued),
        )
        gauge(
            "qfleet_link_handshakes_waiting",
            "Handshakes that wait to be answered",
            lambda: total(lambda each: each.link.handshakes_waiting),
        )
        gauge(
            "qfleet_core_queued",
            "Payloads that wait to be handled",
            lambda: total(lambda each: each.service.queued()),
        )
        gauge(
            "qfleet_core_spared",
            "Payloads that were not handled by reason: dropped for want of room, superseded by a later one",
            lambda: {
                "dropped": total(lambda each: each.service.spared()["dropped"]),
                "superseded": total(lambda each: each.service.spared()["superseded"]),
            },
            label="reason",
        )
        gauge(
            "qfleet_broker_restarts",
            "Times an embedded broker was started again",
            lambda: total(lambda each: each.broker.restarts),
        )

    def _register_store(self) -> None:
        gauge, figure, writers = self._registry.gauge, self._figure, self._parts.database
        gauge("qfleet_core_events", "Events handled since the start", lambda: figure(lambda f: f.events))
        gauge("qfleet_core_results", "Results counted since the start", lambda: figure(lambda f: f.results))
        gauge(
            "qfleet_store_commits",
            "Transactions of the core since the start",
            lambda: figure(lambda f: f.commits),
        )
        gauge(
            "qfleet_store_failed_commits",
            "Transactions that failed since the start",
            lambda: figure(lambda f: f.failed_commits),
        )
        gauge("qfleet_core_alarms", "Alarms by kind since the start", self._alarms, label="kind")
        gauge(
            "qfleet_store_transactions",
            "Transactions since the start",
            lambda: sum(writer.transactions for writer in writers.writers),
        )
        gauge(
            "qfleet_store_transaction_seconds",
            "Time that all transactions since the start took, commits included",
            lambda: sum(writer.seconds for writer in writers.writers),
        )

    def _alarms(self) -> Counter[str]:
        return sum((Counter(led.service.figures.alarms) for led in self._led.values()), Counter())


def _region(
    facts: regions.RegionFacts, held: tuple[str | None, int, float], led: RegionRuntime | None
) -> api.RegionView:
    controller, epoch, left_s = held
    return api.RegionView(
        name=facts.name,
        controller=controller,
        epoch=epoch,
        lease_s=round(left_s, 3),
        devices=facts.devices,
        devices_online=facts.online,
        tasks_pending=facts.pending,
        tasks_held=facts.held,
        latency_ms=facts.latency_ms,
        residency=facts.residency,
        energy_price=facts.energy_price,
        broker_connected=None if led is None else led.link.up,
    )


def _name(facts: regions.RegionFacts) -> str:
    return facts.name

"""The control plane seen as a whole: what it leads, what it counts, what is missing to serve."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from qfleet_controlplane.broker.services import Broker
from qfleet_controlplane.link.link import Link
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store.database import Database
from qfleet_wire import api

_MOST_JOBS = 1000
_UNFINISHED = ("planned", "running")


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at."""

    service: Service
    link: Link
    broker: Broker
    database: Database


class Overview:
    """The ``fleet`` of the API."""

    def __init__(self, settings: Settings, parts: Parts, registry: Registry) -> None:
        self._settings = settings
        self._service = parts.service
        self._link = parts.link
        self._broker = parts.broker
        self._writer = parts.database.writer
        self._registry = registry
        self._devices: Counter[str] = Counter()
        self._tasks: Counter[str] = Counter()
        self._register()

    async def overview(self) -> api.FleetView:
        """Names, version and counts."""
        devices = await self._service.devices()
        return api.FleetView(
            fleet=self._settings.fleet,
            region=self._settings.region,
            version=version("qfleet-controlplane"),
            broker=self._broker.advertised,
            devices=len(devices),
            online=sum(device.status == "online" for device in devices),
            jobs_running=self._service.running_jobs(),
        )

    async def metrics(self) -> str:
        """Everything that is counted, as Prometheus reads it."""
        self._devices = Counter(device.status for device in await self._service.devices())
        self._tasks = Counter()
        for status in _UNFINISHED:
            for job in await self._service.jobs(_MOST_JOBS, status):
                self._tasks.update({name: getattr(job.tasks, name) for name in job.tasks.__struct_fields__})
        return self._registry.render()

    def unready(self) -> Sequence[str]:
        """Name what is missing to serve."""
        missing = list(self._service.unready())
        if not self._link.up:
            missing.append("the broker is not connected")
        return missing

    def _register(self) -> None:
        registry, service, link = self._registry, self._service, self._link
        figures = service.figures
        registry.gauge("qfleet_devices", "Devices by status", lambda: self._devices, label="status")
        registry.gauge(
            "qfleet_tasks", "Tasks of unfinished jobs by status", lambda: self._tasks, label="status"
        )
        registry.gauge("qfleet_jobs_running", "Unfinished jobs", service.running_jobs)
        registry.gauge("qfleet_link_up", "Whether the broker is connected", lambda: float(link.up))
        registry.gauge(
            "qfleet_link_connections", "Connections to the broker since the start", lambda: link.connections
        )
        registry.gauge("qfleet_link_queued", "Payloads that wait to be sent", lambda: link.queued)
        registry.gauge(
            "qfleet_link_handshakes_waiting",
            "Handshakes that wait to be answered",
            lambda: link.handshakes_waiting,
        )
        registry.gauge("qfleet_core_queued", "Payloads that wait to be handled", service.queued)
        registry.gauge("qfleet_core_events", "Events handled since the start", lambda: figures.events)
        registry.gauge("qfleet_core_results", "Results counted since the start", lambda: figures.results)
        registry.gauge(
            "qfleet_store_commits", "Transactions of the core since the start", lambda: figures.commits
        )
        registry.gauge(
            "qfleet_store_failed_commits",
            "Transactions that failed since the start",
            lambda: figures.failed_commits,
        )
        registry.gauge(
            "qfleet_core_alarms", "Alarms by kind since the start", lambda: figures.alarms, label="kind"
        )
        registry.gauge(
            "qfleet_broker_restarts",
            "Times the embedded broker was started again",
            lambda: self._broker.restarts,
        )
        writer = self._writer
        registry.gauge(
            "qfleet_store_transactions", "Transactions since the start", lambda: writer.transactions
        )
        registry.gauge(
            "qfleet_store_transaction_seconds",
            "Time that all transactions since the start took, commits included",
            lambda: writer.seconds,
        )

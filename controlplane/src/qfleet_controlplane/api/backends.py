"""What the API stands on, and how a route finds it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from litestar.connection import ASGIConnection

from qfleet_controlplane.authority.roles import Caller
from qfleet_wire import api
from qfleet_wire.api import keys, network
from qfleet_wire.names import DeviceName, JobId, Millis


class Tokens(Protocol):
    """Where tokens are looked up."""

    async def caller_of(self, token: str) -> Caller | None:
        """Return whose token this is, or None for an unknown one."""


class Jobs(Protocol):
    """Jobs; everything is read from committed state, and an unknown job raises ``NotFound``."""

    async def submit(self, request: api.JobRequest, who: str, key: str | None) -> api.JobView:
        """Take a job, once for a ``key`` of the caller's; it is durable when this returns."""

    async def plan(self, request: api.JobRequest, who: str) -> api.PlanView:
        """Say what would become of a job."""

    async def cancel(self, job: JobId, reason: str, who: str) -> api.JobView:
        """Cancel what is unfinished of a job."""

    async def jobs(self, limit: int, status: api.JobStatus | None) -> Sequence[api.JobView]:
        """List jobs, the newest first."""

    async def job(self, job: JobId) -> api.JobDetail:
        """One job with its tasks."""

    async def result(self, job: JobId) -> api.ResultView:
        """The result of a finished job; ``Conflict`` while it is not finished."""

    async def view(self, job: JobId) -> api.JobView:
        """One job without its tasks."""

    async def wait_for_end(self, job: JobId, timeout_s: float) -> api.JobView:
        """Wait until a job is finished or time is up; return how it stands."""

    async def wait_for_change(self, job: JobId, seen: int, timeout_s: float) -> int:
        """Wait until the job's version differs from ``seen`` or time is up; return the version."""


class Notary(Protocol):
    """Provenance of jobs; an unknown job raises ``NotFound``."""

    async def bundle(self, job: JobId) -> bytes:
        """The signed bundle of a finished job; ``Conflict`` while it is not finished."""


class Devices(Protocol):
    """Devices; an unknown one raises ``NotFound``."""

    async def devices(self) -> Sequence[api.DeviceView]:
        """List devices by name."""

    async def device(self, device: DeviceName) -> api.DeviceView:
        """One device."""

    async def telemetry(self, device: DeviceName, since: Millis, limit: int) -> api.TelemetryView:
        """What a device measured last, not before ``since``."""

    async def invite(self, request: api.InviteRequest, who: str) -> api.Invitation:
        """Make a one-time join token."""

    async def revoke(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Revoke a device for good; its sessions end at once."""

    async def quarantine(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Take a device out of service until it is released."""

    async def release(self, device: DeviceName, who: str) -> api.DeviceView:
        """End a device's quarantine."""

    async def retire(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Take a device out of the fleet in good order."""


class Network(Protocol):
    """The quantum network and its twin; ``NotFound`` while no scenario is loaded."""

    async def shipped(self) -> Sequence[network.ShippedScenario]:
        """List the scenarios that ship."""

    async def text(self, name: str) -> network.ScenarioText:
        """Return the file of one that ships, or of what is loaded where the name is empty."""

    async def load(self, request: network.ScenarioRequest, who: str) -> network.NetworkView:
        """Compute and store a scenario."""

    async def overview(self) -> network.NetworkView:
        """What is loaded."""

    async def passes(self, satellite: str, site: str, limit: int) -> network.PassesView:
        """Passes by rise."""

    async def contacts(self, a: str, b: str, limit: int) -> network.ContactsView:
        """Contacts by start."""

    async def routes(self, request: network.RouteRequest) -> network.RoutesView:
        """Ways for a key."""

    async def entanglement(self, request: network.EntanglementRequest) -> network.EntanglementView:
        """Ways for entangled pairs."""

    async def plan(self) -> network.KeyPlanView:
        """Every demand booked."""

    async def simulate(self, request: network.SimulationRequest, who: str) -> network.TwinView:
        """Let the twin run."""

    async def stop(self, who: str) -> network.TwinView:
        """Let the twin stand still."""

    async def fault(self, request: network.FaultRequest, who: str) -> network.TwinView:
        """Break or mend a link of the twin."""

    async def twin(self) -> network.TwinView:
        """The twin as it is."""


class Keys(Protocol):
    """Keys between devices; ``NotFound`` where no link joins what is named."""

    async def links(self) -> Sequence[keys.KeyLinkView]:
        """Every link that joins two devices."""

    async def sessions(self, limit: int, link: str) -> Sequence[keys.KeySessionView]:
        """Sessions, the latest first; those of one link where it is named."""

    async def relays(self, limit: int) -> Sequence[keys.KeyRelayView]:
        """Relays, the latest first."""

    async def session(self, name: str) -> keys.KeySessionDetail:
        """One session by its name, or how that begins."""

    async def carried(self, name: str) -> keys.KeyRelayDetail:
        """One relay by its name, or how that begins."""

    async def alarms(self, limit: int) -> Sequence[keys.KeyAlarmView]:
        """Alarms, the latest first."""

    async def exchange(
        self, request: keys.KeyExchangeRequest, actor: str, key: str | None
    ) -> keys.KeySessionView:
        """Let a link make a key, once for a ``key`` of the caller's; ``Conflict`` where it cannot now."""

    async def relay(self, request: keys.KeyRelayRequest, actor: str, key: str | None) -> keys.KeyRelayView:
        """Let a key be carried between two places, once for a ``key``; ``Conflict`` where it cannot now."""


class Fleet(Protocol):
    """The control plane as a whole."""

    async def overview(self) -> api.FleetView:
        """What it leads."""

    async def regions(self) -> Sequence[api.RegionView]:
        """Every region and who leads it, by name."""

    async def metrics(self) -> str:
        """Counters and gauges in Prometheus' text format."""

    def unready(self) -> Sequence[str]:
        """Name what is missing to serve."""


def _unresolved() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Backends:
    """All parts that routes call."""

    jobs: Jobs
    devices: Devices
    tokens: Tokens
    fleet: Fleet
    notary: Notary
    network: Network
    keys: Keys
    stopping: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Done when the server stops: whoever waits for a change is let go."""


def backends_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Backends:
    """Return the backends of the application that serves this request."""
    backends: Backends = connection.app.state.backends
    return backends

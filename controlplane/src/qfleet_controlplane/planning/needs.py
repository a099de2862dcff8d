"""What a task needs of a device, and why a device cannot run it."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads


class Requirement(NamedTuple):
    """What a task needs of a device; the same for all tasks of a job."""

    kind: str
    qubits: int
    memory_bytes: int
    devices: int = 1
    """Devices that must agree: a region needs so many."""
    copying_bytes: int = 0
    """Memory needed where a state is copied before it is drawn from, if that is more."""

    def bytes_on(self, able: "Capability") -> int:
        """Memory that a task needs on a device like this."""
        return max(self.memory_bytes, self.copying_bytes if able.copies_state else 0)


def requirement(job: Specification) -> Requirement:
    """What a job's tasks need of a device."""
    return Requirement(
        job.capability, job.vector_qubits, kinds.memory_bytes(job), job.agree, kinds.copying_bytes(job)
    )


class Capability(Protocol):
    """What a device, or a class of devices alike, can do."""

    @property
    def engines(self) -> tuple[payloads.Engine, ...]:
        """Engines and the kinds that they run."""

    @property
    def max_qubits(self) -> int:
        """Widest program."""

    @property
    def task_memory_bytes(self) -> int:
        """Memory that one task may have."""

    @property
    def copies_state(self) -> bool:
        """Whether its engine copies a state before it draws from it."""


class Worker(Capability, Protocol):
    """A capability with its measured speed, and how many tasks run there at once."""

    @property
    def calibrations(self) -> tuple[payloads.Calibration, ...]:
        """What was measured, by engine."""

    @property
    def workers(self) -> int:
        """Tasks at once."""


def lacks(requirement: Requirement, announcement: Capability) -> str | None:
    """Say why a device cannot run a task, with the numbers; None when it can."""
    if requirement.kind != "probe.echo" and not any(
        requirement.kind in engine.kinds for engine in announcement.engines
    ):
        return f"no engine for {requirement.kind}"
    if requirement.qubits > announcement.max_qubits:
        return f"{requirement.qubits} qubits are over its {announcement.max_qubits}"
    needed = requirement.bytes_on(announcement)
    if needed > announcement.task_memory_bytes:
        return (
            f"{needed / 2**20:,.0f} MiB are over its "
            f"{announcement.task_memory_bytes / 2**20:,.0f} MiB per task"
        )
    return None


def explain(requirement: Requirement, fleet: Mapping[str, payloads.Announcement]) -> list[str]:
    """Say of each device why it cannot run a job."""
    reasons = ((name, lacks(requirement, announcement)) for name, announcement in sorted(fleet.items()))
    return [f"{name}: {reason}" for name, reason in reasons if reason is not None]

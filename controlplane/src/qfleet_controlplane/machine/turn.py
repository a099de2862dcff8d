"""One event being handled: what the machine knows, when it is, and the effects so far."""

from dataclasses import dataclass, field

from qfleet_controlplane.machine.effects import (
    Audit,
    Effect,
    Notify,
    SaveDevice,
    SaveJob,
    SaveTask,
    Send,
    ShowDevice,
)
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.machine.state import Device, Job, State, Task
from qfleet_controlplane.planning import reach
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.ways import Way


@dataclass(slots=True, eq=False)
class Turn:
    """Passed to every part of the machine that has a say in an event."""

    state: State
    policy: Policy
    now: Millis
    cause: int
    effects: list[Effect] = field(default_factory=list)
    changed: dict[str, Job] = field(default_factory=dict)
    accused: dict[DeviceName, str] = field(default_factory=dict)
    """Devices to be quarantined when the event is handled, and why."""

    def save_task(self, task: Task) -> None:
        """Store a task, and tell the watchers of its job."""
        self.effects.append(SaveTask(self.cause, task))
        self.changed[task.job.id] = task.job

    def save_job(self, job: Job, *, created: bool = False) -> None:
        """Store a job, and tell its watchers."""
        self.effects.append(SaveJob(self.cause, job, created))
        self.changed[job.id] = job

    def save_device(self, device: Device) -> None:
        """Store a device."""
        device.saved_at = self.now
        self.effects.append(SaveDevice(self.cause, device))

    def show_device(self, device: Device) -> None:
        """Show how a device is; store it only when that was not done for long."""
        if abs(self.now - device.saved_at) >= self.policy.device_store_ms:
            self.save_device(device)
        else:
            self.effects.append(ShowDevice(self.cause, device))

    def send(self, name: DeviceName, payload: payloads.Down) -> None:
        """Send after the commit; to a device on whose way messages gather, with others and a little later."""
        device = self.state.devices.get(name)
        wait_ms = 0 if device is None else reach.batch_ms(way_of(device))
        if device is None or not wait_ms:
            self.effects.append(Send(self.cause, name, payload))
            return
        if not device.gathered:
            device.sends_at = Millis(self.now + wait_ms)
            self.state.timers.arm(device.sends_at, "gathered", name)
        device.gathered.append(payload)

    def audit(self, who: str, action: str, subject: str, detail: str = "") -> None:
        """Append to the audit log."""
        self.effects.append(Audit(self.cause, who, action, subject, detail))

    def close(self) -> list[Effect]:
        """Add one notification per changed job and return all effects."""
        self.effects.extend(Notify(self.cause, job) for job in self.changed.values())
        return self.effects


def way_of(device: Device) -> Way | None:
    """The way that carries a device's messages, as it told last; None: it has one only, or has not told."""
    return None if device.announcement is None else device.announcement.way

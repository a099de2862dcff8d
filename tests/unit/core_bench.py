"""A machine with a clock and the effects of its last event, for directed tests."""

from typing import TypeVar

import msgspec
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.machine.state import Job, Task
from qfleet_controlplane.planning.kinds import echo
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

POLICY = Policy()
JOB = JobId("0a")
A, B = DeviceName("a"), DeviceName("b")
ECHO = codec.encode(workload.EchoResult(echo.ECHO))
E = TypeVar("E")


class Bench:
    """A machine with a clock, and the effects of the last event."""

    def __init__(self, *devices: DeviceName) -> None:
        self.machine = Machine(policy=POLICY)
        self.now = 1_000_000
        self.effects: list[effects.Effect] = []
        for device in devices:
            self.join(device)

    def handle(self, event: events.Event, *, later: int = 0) -> None:
        self.now += later
        self.effects = self.machine.handle(event, Millis(self.now))
        self.effects += self.machine.handle(events.Settle(), Millis(self.now))

    def join(self, device: DeviceName, told: payloads.Announcement | None = None) -> None:
        self.handle(events.Enrolled(device))
        self.handle(events.SessionOpened(device))
        self.hear(device, told or announcement(), payloads.Inventory((), ()))

    def hear(self, device: DeviceName, *items: payloads.Up) -> None:
        self.handle(events.HeardBatch(device, items))

    def submit(self, items: int = 1, job: JobId = JOB, **options: object) -> Job:
        request = msgspec.convert({"kind": "probe.echo", "items": items, **options}, api.JobRequest)
        wanted = Specification(kind="probe.echo", seed=0, items=items)
        self.handle(events.JobSubmitted(job, request, wanted, "someone"))
        return self.machine.state.jobs[job]

    def tick(self, later: int) -> None:
        """Let time pass, with every tick on its way when it is due."""
        end = self.now + later
        seen: list[effects.Effect] = []
        while (due := self.machine.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.handle(events.Tick())
            seen += self.effects
        self.now, self.effects = end, seen

    def of(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def sent(self, kind: type[E], device: DeviceName | None = None) -> list[E]:
        return [
            send.payload
            for send in self.of(effects.Send)
            if isinstance(send.payload, kind) and device in {None, send.device}
        ]


def result(
    task: Task | TaskId, attempt: int = 1, body: bytes = ECHO, outcome: str = "succeeded"
) -> payloads.Results:
    told = payloads.TaskResult(
        task if isinstance(task, str) else task.id,
        attempt,
        outcome,  # type: ignore[arg-type]  # parametrised
        body=msgspec.Raw(body) if outcome == "succeeded" else payloads.NO_BODY,
        error=None if outcome == "succeeded" else "it broke",
    )
    return payloads.Results((msgspec.Raw(codec.encode(told)),), b"signature")


def silence(bench: Bench, *devices: DeviceName) -> None:
    """Let these devices fall silent while the others go on."""
    others = set(bench.machine.state.devices) - set(devices)
    for _ in range(4):
        bench.tick(POLICY.silence_ms // 3)
        for device in others:
            bench.hear(device, payloads.Unsupported("nothing"))

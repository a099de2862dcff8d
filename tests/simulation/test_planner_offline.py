"""A device that was offline while its work was cancelled or expired: both machines, joined by a cable."""

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.core_bench import JOB, POLICY, A, Bench
from tests.unit.core_cases import KINDS, MIB, announcement

from qfleet_agent.machine import effects as agent_effects
from qfleet_agent.machine import events as agent_events
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.machine.machine import Machine as AgentMachine
from qfleet_controlplane.machine import events
from qfleet_wire import payloads
from qfleet_wire.names import Millis

BOUNDS = Bounds(
    workers=1,
    task_memory_bytes=512 * MIB,
    max_qubits=24,
    max_shots=1_000_000,
    task_ms=900_000,
    disk_bytes=100 * MIB,
    disk_reserve_bytes=0,
    queue_tasks=10,
    queue_bytes=MIB,
    kinds=dict.fromkeys(KINDS, "qulacs"),
)


class Pair:
    """A control plane and one device; the cable between them carries at once, or not at all."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.agent = AgentMachine(A, BOUNDS, announcement())
        self.results: dict[agent_events.Key, bytes] = {}
        self.running: set[agent_events.Key] = set()
        self.plugged = True
        self._id = 0
        self.tell(agent_events.Restored, 0, (), ())
        self.bench.handle(events.Enrolled(A))
        self.plug()

    def plug(self) -> None:
        """Open a session."""
        self.plugged = True
        self.control(events.SessionOpened(A))
        self.tell(agent_events.SessionOpened)

    def unplug(self) -> None:
        """Cut the cable; the control plane notices when it misses the heartbeats."""
        self.plugged = False
        self.tell(agent_events.SessionLost)

    def control(self, event: events.Event, *, later: int = 0) -> None:
        """Let something happen to the control plane."""
        self.bench.tick(later)
        self.bench.handle(event)
        self.carry(self.bench.sent(object, A))

    def work(self, key: agent_events.Key) -> None:
        """A worker has begun."""
        self.tell(agent_events.WorkStarted, key)

    def carry(self, items: Sequence[object]) -> None:
        """Bring payloads to the device."""
        if items and self.plugged:
            self.tell(agent_events.Heard, 0, Millis(self.bench.now), tuple(items))

    def tell(self, kind: type, *told: object) -> None:
        """Let something happen to the device."""
        self._id += 1
        for effect in self.agent.handle(kind(self._id, *told), Millis(self.bench.now)):
            self._perform(effect)

    def _perform(self, effect: agent_effects.Effect) -> None:
        match effect:
            case agent_effects.SaveResult(key=key, result=result):
                self.results[key] = result
            case agent_effects.DropResults(keys=keys):
                for key in keys:
                    self.results.pop(key, None)
            case agent_effects.Start(key=key):
                self.running.add(key)
            case agent_effects.Stop(key=key):
                self.running.discard(key)
            case agent_effects.Send(payload=payload):
                self._up(payload)
            case agent_effects.SendResults(keys=keys):
                self._up(payloads.Results(tuple(msgspec.Raw(self.results[key]) for key in keys), b"s"))

    def _up(self, payload: payloads.Up) -> None:
        if self.plugged:
            self.control(events.Heard(A, payload))


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_device_that_was_offline_stops_work_that_is_over(how: str) -> None:
    pair = Pair()
    job = pair.bench.submit(3, deadline_s=3_600.0)
    pair.carry(pair.bench.sent(payloads.Assign, A))
    key = (job.tasks[0].id, 1)
    assert key in pair.running
    pair.work(key)
    assert [task.accepted for task in job.tasks] == [True] * 3
    pair.unplug()
    if how == "cancelled":
        pair.control(events.JobCancelled(JOB, "enough", "ops"), later=POLICY.silence_ms)
    else:
        pair.bench.tick(3_600_000)
    assert [task.status for task in job.tasks] == [how] * 3
    assert pair.running == {(task.id, 1) for task in job.tasks}, "it goes on until it hears of it"
    pair.plug()
    assert pair.running == set()
    assert pair.results == {}, "its word that it has stopped is acknowledged"


def test_a_result_made_offline_of_a_cancelled_task_leaves_the_outbox() -> None:
    pair = Pair()
    job = pair.bench.submit()
    pair.carry(pair.bench.sent(payloads.Assign, A))
    key = (job.tasks[0].id, 1)
    pair.unplug()
    pair.tell(agent_events.WorkFailed, key, "it broke")
    assert set(pair.results) == {key}
    pair.control(events.JobCancelled(JOB, "enough", "ops"))
    pair.plug()
    assert pair.results == {}
    assert job.status == "cancelled"

"""Partition policies, poison tasks, changed devices, cancelled work, and alarms that do not flood."""

import msgspec
import pytest
from tests.unit.core_bench import JOB, POLICY, A, B, Bench, result, silence
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import effects, events, history
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, TaskId

C = DeviceName("c")
BAD = codec.encode(workload.EchoResult(b"other"))


def test_without_replacement_a_task_waits_for_its_own_device() -> None:
    bench = Bench(A)
    (task,) = bench.submit(replace=False, lost_after_s=1.0).tasks
    bench.join(B)
    silence(bench, A)
    bench.tick(POLICY.device_lost_ms)
    assert bench.machine.state.devices[A].status == "lost"
    assert (task.status, task.device, task.attempt) == ("unknown", A, 1)
    bench.handle(events.SessionOpened(A))
    bench.hear(A, payloads.Inventory(((task.id, 1),), ()))
    assert (task.status, task.attempt, task.accepted) == ("leased", 1, True)


def test_without_replacement_the_deadline_ends_the_waiting() -> None:
    bench = Bench(A)
    (task,) = bench.submit(replace=False, deadline_s=1_000.0).tasks
    bench.tick(POLICY.silence_ms)
    assert task.status == "unknown"
    bench.tick(1_000_000)
    assert task.status == "expired"


@pytest.mark.parametrize(
    "gone", [events.Revoked(A, "stolen", "ops"), events.Retired(A, "old", "ops"), events.Enrolled(A)]
)
def test_without_replacement_a_device_that_cannot_return_is_replaced(gone: events.Event) -> None:
    bench = Bench(A)
    (task,) = bench.submit(replace=False).tasks
    bench.join(B)
    bench.handle(gone)
    assert (task.status, task.device, task.attempt) == ("leased", B, 2)


def test_without_replacement_a_quarantined_device_is_waited_for() -> None:
    bench = Bench(A)
    (waits,) = bench.submit(replace=False).tasks
    bench.join(B)
    bench.handle(events.Quarantined(A, "odd", "ops"))
    assert (waits.status, waits.device) == ("unknown", A)
    bench.handle(events.JobCancelled(JOB, "", "ops"))
    assert bench.sent(payloads.Cancel, A) == [], "nothing is sent to it while it is quarantined"
    bench.handle(events.Released(A, "ops"))
    bench.handle(events.SessionOpened(A))
    bench.hear(A, payloads.Inventory(((waits.id, 1),), ()))
    assert [cancel.task for cancel in bench.sent(payloads.Cancel, A)] == [waits.id]


def test_only_the_holder_of_the_lease_counts_when_asked_for() -> None:
    bench = Bench(A)
    job = bench.submit(first_valid_wins=False, lost_after_s=60.0)
    (task,) = job.tasks
    silence(bench, A)
    bench.join(B)
    bench.tick(60_000)
    assert (task.device, task.attempt) == (B, 2)
    bench.hear(A, result(task, 1))
    assert task.status == "leased", "the late one is only remembered"
    assert [ack.tasks for ack in bench.sent(payloads.Acknowledge, A)] == [((task.id, 1),)]
    assert bench.of(effects.SaveResult) == []
    bench.hear(A, result(task, 1))
    bench.hear(B, result(task, 2))
    assert job.status == "succeeded"
    assert [saved.device for saved in bench.of(effects.SaveResult)] == [B]
    assert [(wanted.device, wanted.result.attempt) for wanted in bench.of(effects.Compare)] == [(A, 1)]
    assert bench.machine.state.aside == {}


def test_a_late_artefact_does_not_count_either() -> None:
    bench = Bench(A)
    (task,) = bench.submit(first_valid_wins=False, lost_after_s=60.0).tasks
    silence(bench, A)
    bench.join(B)
    bench.tick(60_000)
    told = payloads.TaskResult(task.id, 1, "succeeded", artefact=b"d" * 32)
    bench.hear(A, payloads.Results((msgspec.Raw(codec.encode(told)),), b"s"))
    assert task.status == "leased"
    assert len(bench.of(effects.DropChunks)) == 1


def test_a_poison_task_stops_with_all_its_errors_and_harms_no_other() -> None:
    bench = Bench(A, B)
    job = bench.submit(20, max_attempts=4)
    poison = job.tasks[7]
    while bench.machine.state.jobs:
        for device in (A, B):
            for task in list(bench.machine.state.devices[device].held.values()):
                outcome = "failed" if task is poison else "succeeded"
                bench.hear(device, result(task, task.attempt, outcome=outcome))
    assert job.status == "partial"
    assert job.counts["succeeded"] == 19
    assert poison.failures == 4
    assert len(poison.errors) == 4
    assert all(
        error.startswith(f"attempt {number} on ") and error.endswith(": it broke")
        for number, error in enumerate(poison.errors, 1)
    )
    assert tuple(job.errors) == poison.errors


def test_a_task_that_takes_its_devices_down_stops_and_the_others_are_done() -> None:
    """Whoever holds the poison falls silent; the innocent tasks on it are finished by others."""
    bench = Bench(A, B, C)
    job = bench.submit(30, lost_after_s=1.0)
    poison = job.tasks[3]
    while bench.machine.state.jobs:
        killed = poison.device if poison.status in {"leased", "running"} else None
        for device in (A, B, C):
            if device != killed:
                for task in list(bench.machine.state.devices[device].held.values()):
                    bench.hear(device, result(task, task.attempt))
        if killed is not None:
            bench.handle(events.PresenceLost(killed))
            bench.tick(POLICY.hint_ms + 1_000)
            bench.handle(events.SessionOpened(killed))
            bench.hear(killed, payloads.Inventory((), ()))
    assert (job.status, job.counts["succeeded"], job.counts["failed"]) == ("partial", 29, 1)
    assert poison.losses == POLICY.most_losses
    assert poison.errors[-1] == f"lost with its device {POLICY.most_losses} times"
    assert len(poison.errors) == POLICY.most_losses + 1


def test_errors_are_bounded_and_none_is_dropped_without_a_word() -> None:
    errors: tuple[str, ...] = ()
    for number in range(100):
        errors = history.add(errors, f"attempt {number}")
        errors = history.add(errors, f"attempt {number}")
    assert len(errors) == history.MOST
    assert errors[:2] == ("attempt 0", "attempt 1")
    assert errors[-1] == "attempt 99"
    assert "(81 more errors left out here)" in errors
    assert sum(error.startswith("attempt") for error in errors) + 81 == 100
    long = history.shortened("x" * 5_000)
    assert len(long) <= history.LONGEST
    assert long.endswith("(4,050 more characters)")


def test_the_same_failure_told_twice_is_one_error() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    flush = result(task, 1, outcome="failed")
    bench.hear(A, flush, flush)
    assert task.errors == ("attempt 1 on a: it broke",)


def test_a_device_that_can_no_longer_run_a_task_gives_it_back() -> None:
    bench = Bench(A)
    wanted = Specification(
        kind="circuit.sample", seed=0, items=1, qubits=20, gates=1, shots=1, points=((),), program=b"\x90"
    )
    bench.handle(events.JobSubmitted(JOB, api.JobRequest(kind="circuit.sample"), wanted, "someone"))
    (task,) = bench.machine.state.jobs[JOB].tasks
    assert task.device == A
    bench.hear(A, announcement(max_qubits=10))
    assert task.status == "pending"
    assert [cancel.task for cancel in bench.sent(payloads.Cancel, A)] == [task.id]
    assert task.errors == ("attempt 1 on a: it can no longer run it: 20 qubits are over its 10",)
    bench.hear(A, announcement(max_qubits=22))
    assert (task.status, task.attempt) == ("leased", 2)


def test_a_running_task_is_left_to_the_device() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.hear(A, payloads.Accepted(task.id, 1), payloads.Started(task.id, 1))
    bench.hear(A, announcement(engines=(), workers=1))
    assert (task.status, task.device) == ("running", A)


def test_a_device_that_has_changed_may_have_again_what_it_refused() -> None:
    bench = Bench(A, B)
    bench.handle(events.PresenceLost(B))
    (task,) = bench.submit().tasks
    bench.hear(A, payloads.Refused(task.id, 1, "memory", "too little"))
    assert A in task.excluded
    bench.hear(A, announcement())
    assert task.status == "pending", "it said the same again"
    bench.hear(A, announcement(memory_bytes=2**34, task_memory_bytes=2**32))
    assert (task.status, task.device) == ("leased", A)
    assert not task.excluded


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_the_end_of_a_job_reaches_a_device_that_was_offline(how: str) -> None:
    bench = Bench(A)
    (task,) = bench.submit(deadline_s=3_600.0).tasks
    bench.hear(A, payloads.Accepted(task.id, 1), payloads.Started(task.id, 1))
    bench.tick(POLICY.silence_ms)
    assert task.status == "unknown"
    if how == "cancelled":
        bench.handle(events.JobCancelled(JOB, "", "ops"))
    else:
        bench.tick(3_600_000)
    assert task.status == how
    bench.handle(events.SessionOpened(A))
    bench.hear(A, payloads.Inventory(((task.id, 1),), ()))
    assert [(cancel.task, cancel.attempt) for cancel in bench.sent(payloads.Cancel, A)] == [(task.id, 1)]


def test_work_on_what_is_over_is_cancelled_when_it_is_heard_of() -> None:
    bench = Bench(A)
    bench.hear(A, payloads.Progress(TaskId("ff-0"), 1, 0.5))
    assert [cancel.task for cancel in bench.sent(payloads.Cancel, A)] == ["ff-0"]


def test_alarms_about_one_device_do_not_flood() -> None:
    bench = Bench(A, B)
    job = bench.submit(2_000, max_attempts=1_000)
    alarms: list[effects.Alarm] = []
    for _ in range(40):
        task = next(iter(bench.machine.state.devices[A].held.values()))
        bench.hear(A, result(task, task.attempt, BAD))
        alarms += bench.of(effects.Alarm)
    assert len(alarms) == POLICY.most_alarms
    assert {alarm.kind for alarm in alarms} == {"invalid-result"}
    other = next(iter(bench.machine.state.devices[B].held.values()))
    bench.hear(B, result(other, other.attempt, BAD))
    assert len(bench.of(effects.Alarm)) == 1, "another device's are its own"
    bench.tick(POLICY.alarms_ms)
    (summed,) = bench.of(effects.Alarm)
    assert summed.subject == A
    assert summed.detail == "35 more of its results or chunks were not valid within 1 min"
    assert job.counts.get("failed", 0) == 0

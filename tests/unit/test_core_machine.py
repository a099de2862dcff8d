"""The machine in directed cases: leases, refusals, results, silence, and being taken out of service."""

import hashlib

import msgspec
import pytest
from tests.unit.core_bench import ECHO, JOB, POLICY, A, B, Bench, result, silence
from tests.unit.core_cases import MIB, announcement

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.machine.state import Task
from qfleet_controlplane.planning import plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, Millis, TaskId


def test_a_job_runs_through() -> None:
    bench = Bench(A)
    job = bench.submit(2)
    assert [assign.task for assign in bench.sent(payloads.Assign, A)] == ["0a-0", "0a-1"]
    assert job.status == "running"
    first, second = job.tasks
    bench.hear(
        A, payloads.Accepted(first.id, 1), payloads.Started(first.id, 1), payloads.Progress(first.id, 1, 0.5)
    )
    assert (first.status, job.done_items) == ("running", 0.5)
    bench.hear(A, result(first), result(second))
    assert job.status == "succeeded"
    assert bench.machine.state.jobs == {}
    assert bench.machine.state.tasks == {}
    assert bench.machine.state.devices[A].held == {}
    assert [ack.tasks for ack in bench.sent(payloads.Acknowledge)] == [(("0a-0", 1),), (("0a-1", 1),)]
    assert len({effect.cause for effect in bench.effects}) == 1, "every effect names the one event"


def test_a_result_comes_with_its_signed_bytes() -> None:
    bench = Bench(A)
    job = bench.submit()
    flush = result(job.tasks[0])
    bench.hear(A, flush)
    (saved,) = bench.of(effects.SaveResult)
    (batch,) = bench.of(effects.SaveBatch)
    assert saved.raw == bytes(flush.results[0])
    assert batch.digests == hashlib.sha256(saved.raw).digest()
    assert (batch.signature, saved.batch, saved.position) == (b"signature", batch.batch, 0)


def test_a_refused_plan_changes_nothing() -> None:
    bench = Bench(A)
    huge = Specification(kind="probe.echo", seed=0, items=plan.MOST_TASKS + 1)
    with pytest.raises(plan.PlanRefused):
        bench.handle(events.JobSubmitted(JOB, api.JobRequest(kind="probe.echo"), huge, "someone"))
    assert bench.machine.state.jobs == {}


def circuit(qubits: int) -> events.JobSubmitted:
    wanted = Specification(kind="circuit.sample", seed=0, items=1, qubits=qubits, gates=1, shots=1)
    return events.JobSubmitted(JOB, api.JobRequest(kind="circuit.sample"), wanted, "someone")


def test_a_job_that_no_known_device_can_run_is_refused_with_the_numbers() -> None:
    bench = Bench(A)
    bench.join(B, announcement(engines=()))
    silence(bench, A, B)
    assert bench.machine.state.devices[A].status != "online"
    with pytest.raises(plan.PlanRefused) as refused:
        bench.handle(circuit(40))
    assert str(refused.value) == (
        "no device of this fleet can run the job: a: 40 qubits are over its 24; "
        "b: no engine for circuit.sample"
    )
    assert refused.value.hint == "make the job smaller, or enrol a device that can run it"
    assert bench.machine.state.jobs == {}
    bench.handle(circuit(2))
    assert bench.machine.state.jobs[JOB].status == "planned", "a silent device may come back"


def test_of_a_large_fleet_only_the_largest_devices_are_named() -> None:
    bench = Bench()
    for number in range(7):
        bench.join(DeviceName(f"d{number}"), announcement(max_qubits=20 + number))
    with pytest.raises(plan.PlanRefused, match=r": d2: .*; d6: 40 qubits are over its 26; and 2 more$"):
        bench.handle(circuit(40))


def test_a_job_waits_while_no_device_in_service_has_announced_itself() -> None:
    bench = Bench(A)
    bench.handle(events.Revoked(A, "stolen", "ops"))
    bench.handle(events.Enrolled(B))
    bench.handle(circuit(40))
    assert bench.machine.state.jobs[JOB].status == "planned"


def test_an_echo_needs_no_engine() -> None:
    bench = Bench()
    bench.join(A, announcement(engines=(), max_qubits=0))
    assert bench.submit().status == "running"


def test_a_device_that_refuses_is_excluded_and_the_last_refusal_ends_the_task() -> None:
    bench = Bench(A, B)
    job = bench.submit()
    (task,) = job.tasks
    first = task.device
    assert first is not None
    other = B if first == A else A
    bench.hear(first, payloads.Refused(task.id, 1, "memory", "needs 9 GiB, has 1 GiB"))
    assert (task.status, task.device, task.attempt) == ("leased", other, 2)
    bench.hear(other, payloads.Refused(task.id, 2, "engine", "none here"))
    assert job.status == "failed"
    assert job.errors == [
        f"attempt 1 on {first}: refused (memory): needs 9 GiB, has 1 GiB",
        f"attempt 2 on {other}: refused (engine): none here",
        "every device that could run it has refused",
    ]


def test_a_busy_device_only_rests() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.hear(A, payloads.Refused(task.id, 1, "busy", "6 tasks wait here"))
    assert (task.status, task.excluded) == ("pending", ())
    bench.tick(POLICY.rest_ms)
    assert (task.status, task.attempt) == ("leased", 2)


def test_a_refusal_of_an_older_attempt_changes_nothing() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.hear(A, result(task, 1, outcome="failed"))
    assert (task.status, task.attempt) == ("leased", 2)
    bench.hear(A, payloads.Refused(task.id, 1, "memory", "late"))
    assert (task.status, task.attempt, task.excluded) == ("leased", 2, ())


def test_a_crash_is_tried_again_until_the_attempts_are_used_up() -> None:
    bench = Bench(A)
    job = bench.submit(max_attempts=2)
    (task,) = job.tasks
    bench.hear(A, result(task, 1, outcome="failed"))
    assert (task.status, task.attempt, task.failures) == ("leased", 2, 1)
    bench.hear(A, result(task, 2, outcome="failed"))
    assert job.status == "failed"
    assert job.errors == ["attempt 1 on a: it broke", "attempt 2 on a: it broke"]


def test_an_invalid_result_is_a_failed_attempt_and_an_alarm() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.hear(A, result(task, body=codec.encode(workload.EchoResult(b"other"))))
    assert [alarm.kind for alarm in bench.of(effects.Alarm)] == ["invalid-result"]
    assert (task.failures, bench.of(effects.SaveResult)) == (1, [])
    assert bench.sent(payloads.Acknowledge)[0].tasks == (("0a-0", 1),)


def test_the_same_result_twice_counts_once() -> None:
    bench = Bench(A)
    job = bench.submit(2)
    flush = result(job.tasks[0])
    bench.hear(A, flush, flush)
    assert len(bench.of(effects.SaveResult)) == 1
    assert len(bench.sent(payloads.Acknowledge)) == 2
    assert bench.of(effects.Compare) == []
    assert job.counts["succeeded"] == 1


def test_a_result_that_cannot_be_decoded_harms_no_other() -> None:
    bench = Bench(A)
    job = bench.submit(2)
    good = result(job.tasks[0])
    bench.hear(A, payloads.Results((msgspec.Raw(b"\xc1"), *good.results), b"s"))
    assert job.counts["succeeded"] == 1
    assert [saved.position for saved in bench.of(effects.SaveResult)] == [1]


def test_a_silent_device_loses_its_tasks_after_the_jobs_patience() -> None:
    bench = Bench(A)
    job = bench.submit(lost_after_s=60.0)
    (task,) = job.tasks
    bench.tick(POLICY.silence_ms)
    assert (bench.machine.state.devices[A].status, task.status) == ("silent", "unknown")
    bench.join(B)
    assert task.device == A, "not lost yet"
    bench.tick(60_000)
    assert (task.status, task.device, task.attempt, task.losses) == ("leased", B, 2, 1)
    bench.hear(A, result(task, 1))
    assert job.status == "succeeded", "the first valid result counts, whoever sends it"
    assert [cancel.attempt for cancel in bench.sent(payloads.Cancel, B)] == [2]


def test_a_second_result_is_compared() -> None:
    bench = Bench(A, B)
    job = bench.submit(40, lost_after_s=60.0)
    task = next(task for task in job.tasks if task.device == A)
    silence(bench, A)
    bench.tick(60_000)
    bench.hear(B, result(task, task.attempt))
    assert task.status == "succeeded"
    bench.hear(A, result(task, 1))
    (wanted,) = bench.of(effects.Compare)
    assert (wanted.device, wanted.result.task) == (A, task.id)
    bench.handle(events.Compared(task.id, B, A, None))
    trust = {name: device.record.trust for name, device in bench.machine.state.devices.items()}
    assert trust[A] == trust[B] > 0.5
    bench.handle(events.Compared(task.id, B, A, "counts differ"))
    assert bench.machine.state.devices[A].record.trust < 0.5
    assert [alarm.kind for alarm in bench.of(effects.Alarm)] == ["disagreement"]


def test_a_result_of_a_finished_job_is_acknowledged_and_compared() -> None:
    bench = Bench(A)
    bench.hear(A, result(TaskId("ff-0")))
    assert bench.sent(payloads.Acknowledge)[0].tasks == (("ff-0", 1),)
    assert len(bench.of(effects.Compare)) == 1


def test_a_silent_device_that_is_heard_keeps_its_tasks() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.tick(POLICY.silence_ms)
    assert task.status == "unknown"
    bench.hear(A, payloads.Unsupported("x"))
    assert (task.status, task.attempt) == ("leased", 1)
    assert [ask.what for ask in bench.sent(payloads.Ask)] == ["inventory"]


def test_a_last_will_is_a_hint_that_being_heard_undoes() -> None:
    bench = Bench(A)
    bench.handle(events.PresenceLost(A))
    (task,) = bench.submit().tasks
    assert task.status == "pending", "nothing is leased to it meanwhile"
    bench.hear(A, payloads.Unsupported("x"))
    assert task.status == "leased"
    bench.handle(events.PresenceLost(A))
    bench.tick(POLICY.hint_ms)
    assert (bench.machine.state.devices[A].status, task.status) == ("silent", "unknown")


def test_a_device_silent_for_a_day_is_lost_and_comes_back() -> None:
    bench = Bench(A)
    bench.tick(POLICY.silence_ms + POLICY.device_lost_ms)
    assert bench.machine.state.devices[A].status == "lost"
    bench.handle(events.SessionOpened(A))
    assert bench.machine.state.devices[A].status == "online"


def test_an_assignment_is_repeated_until_it_is_answered() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.tick(POLICY.resend_first_ms)
    assert [again.attempt for again in bench.sent(payloads.Assign)] == [1]
    bench.tick(2 * POLICY.resend_first_ms)
    assert len(bench.sent(payloads.Assign)) == 1
    bench.hear(A, payloads.Accepted(task.id, 1))
    bench.tick(60_000)
    assert bench.sent(payloads.Assign) == []


def test_an_inventory_settles_what_each_side_holds() -> None:
    bench = Bench(A)
    job = bench.submit(3)
    kept, gone, done = job.tasks
    bench.hear(A, result(done))
    bench.handle(events.SessionOpened(A))
    stranger = (TaskId("ff-7"), 4)
    bench.hear(A, payloads.Inventory(((kept.id, 1), stranger), ((done.id, 1),)))
    assert [again.task for again in bench.sent(payloads.Assign)] == [gone.id]
    assert [(cancel.task, cancel.attempt) for cancel in bench.sent(payloads.Cancel)] == [stranger]
    assert [ack.tasks for ack in bench.sent(payloads.Acknowledge)] == [((done.id, 1),)]
    assert (kept.accepted, gone.accepted) == (True, False)


def test_a_device_that_kept_a_lost_task_gets_it_back() -> None:
    bench = Bench(A)
    (task,) = bench.submit(lost_after_s=1.0).tasks
    bench.tick(POLICY.silence_ms + 1_000)
    assert (task.status, task.losses) == ("pending", 1)
    held = payloads.Inventory(((task.id, 1),), ())
    bench.handle(events.PresenceLost(A))
    bench.effects = bench.machine.handle(events.HeardBatch(A, (held,)), Millis(bench.now))
    assert (task.status, task.attempt, task.device) == ("leased", 1, A)


def test_a_result_counts_while_its_task_waits_for_another_device() -> None:
    bench = Bench(A)
    job = bench.submit(2, lost_after_s=1.0)
    first, second = job.tasks
    bench.tick(POLICY.silence_ms + 1_000)
    assert (first.status, second.status) == ("pending", "pending")
    bench.effects = bench.machine.handle(events.HeardBatch(A, (result(first, 1),)), Millis(bench.now))
    assert (first.status, list(job.pending)) == ("succeeded", [second])
    assert len(bench.of(effects.SaveResult)) == 1


def test_a_flapping_device_leaves_no_timers_behind() -> None:
    bench = Bench(A)
    bench.submit(2)
    for _ in range(200):
        bench.handle(events.PresenceLost(A))
        bench.handle(events.SessionOpened(A))
    for _ in range(20):
        bench.tick(POLICY.silence_ms // 3)
        bench.hear(A, payloads.Unsupported("nothing"))
    assert len(bench.machine.state.timers) <= 3
    bench.tick(POLICY.silence_ms)
    assert bench.machine.state.devices[A].status == "silent"


def test_a_missing_inventory_is_asked_for() -> None:
    bench = Bench()
    bench.handle(events.Enrolled(A))
    bench.handle(events.SessionOpened(A))
    bench.tick(POLICY.resend_first_ms)
    assert {ask.what for ask in bench.sent(payloads.Ask)} == {"inventory", "announcement"}


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (events.Revoked(A, "stolen", "ops"), "revoked"),
        (events.Quarantined(A, "odd results", "ops"), "quarantined"),
        (events.Retired(A, "old", "ops"), "retired"),
    ],
)
def test_a_device_that_is_shut_out_gets_nothing_and_nothing_of_it_counts(
    event: events.Revoked | events.Quarantined | events.Retired, status: str
) -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    bench.handle(event)
    device = bench.machine.state.devices[A]
    assert (device.status, device.reason, task.status) == (status, event.reason, "pending")
    assert [entry.action for entry in bench.of(effects.Audit)] != []
    bench.hear(A, result(task))
    assert bench.effects == []
    bench.handle(events.SessionOpened(A))
    assert device.status == status


def test_a_quarantine_ends() -> None:
    bench = Bench(A)
    bench.handle(events.Quarantined(A, "odd", "ops"))
    bench.handle(events.Released(A, "ops"))
    bench.handle(events.SessionOpened(A))
    assert bench.machine.state.devices[A].status == "online"


def test_a_cancelled_job_withdraws_its_tasks() -> None:
    bench = Bench(A)
    job = bench.submit(2)
    bench.handle(events.JobCancelled(JOB, "wrong program", "ops"))
    assert (job.status, job.counts["cancelled"]) == ("cancelled", 2)
    assert len(bench.sent(payloads.Cancel, A)) == 2
    assert job.errors == ["cancelled by ops: wrong program"]
    bench.handle(events.JobCancelled(JOB, "again", "ops"))
    assert bench.effects == []
    bench.hear(A, result(job.tasks[0], outcome="cancelled"))
    assert len(bench.sent(payloads.Acknowledge)) == 1
    assert bench.of(effects.Compare) == []


def test_a_cancellation_without_a_reason_says_who_once() -> None:
    bench = Bench(A)
    job = bench.submit()
    bench.handle(events.JobCancelled(JOB, "", "ops"))
    assert job.errors == ["cancelled by ops"]


def test_a_deadline_expires_what_is_open() -> None:
    bench = Bench(A)
    job = bench.submit(2, deadline_s=10.0)
    assert bench.sent(payloads.Assign)[0].deadline == bench.now + 10_000
    bench.hear(A, result(job.tasks[0]))
    bench.tick(10_000)
    assert (job.status, job.counts["succeeded"], job.counts["expired"]) == ("partial", 1, 1)
    assert len(bench.sent(payloads.Cancel)) == 1


def test_a_task_that_is_lost_again_and_again_fails() -> None:
    bench = Bench(A)
    job = bench.submit(lost_after_s=1.0)
    for _ in range(POLICY.most_losses):
        assert job.status == "running"
        bench.tick(POLICY.silence_ms + 1_000)
        bench.handle(events.SessionOpened(A))
    assert job.status == "failed"
    assert job.errors[-1] == f"lost with its device {POLICY.most_losses} times"


def test_time_and_memory_stay_within_what_the_device_gives() -> None:
    bench = Bench()
    bench.join(A, announcement(task_time_ms=120_000, task_memory_bytes=64 * MIB))
    bench.submit()
    (assign,) = bench.sent(payloads.Assign)
    assert (assign.time_limit_ms, assign.memory_bytes <= 64 * MIB) == (120_000, True)


def artefact(task: Task, body: bytes) -> tuple[payloads.Results, list[payloads.Chunk]]:
    digest = hashlib.sha256(body).digest()
    told = payloads.TaskResult(task.id, 1, "succeeded", artefact=digest)
    pieces = [body[:4], body[4:]]
    return (
        payloads.Results((msgspec.Raw(codec.encode(told)),), b"s"),
        [payloads.Chunk(digest, index, 2, piece) for index, piece in enumerate(pieces)],
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_an_artefact_counts_when_it_is_whole(order: tuple[int, ...]) -> None:
    bench = Bench(A)
    job = bench.submit()
    flush, chunks = artefact(job.tasks[0], ECHO)
    items: list[payloads.Up] = [flush, *chunks]
    for place in order:
        assert bench.sent(payloads.Acknowledge) == []
        bench.hear(A, items[place], items[place])
    (wanted,) = bench.of(effects.Assemble)
    bench.handle(events.Assembled(A, wanted.digest, ECHO))
    assert job.status == "succeeded"
    assert len(bench.of(effects.SaveBatch)) == 1
    assert len(bench.sent(payloads.Acknowledge)) == 1


def test_an_artefact_with_the_wrong_digest_fails_the_attempt() -> None:
    bench = Bench(A)
    (task,) = bench.submit().tasks
    flush, chunks = artefact(task, ECHO)
    bench.hear(A, flush, *chunks)
    bench.handle(events.Assembled(A, chunks[0].digest, None))
    assert [alarm.kind for alarm in bench.of(effects.Alarm)] == ["artefact"]
    assert (task.failures, len(bench.of(effects.DropChunks))) == (1, 1)


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0), (0, 10**9)])
def test_a_chunk_out_of_bounds_is_dropped(index: int, count: int) -> None:
    bench = Bench(A)
    bench.hear(A, payloads.Chunk(b"d" * 32, index, count, b"x"))
    assert [alarm.kind for alarm in bench.of(effects.Alarm)] == ["artefact"]
    assert bench.of(effects.SaveChunk) == []

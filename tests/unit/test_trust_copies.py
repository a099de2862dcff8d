"""Copies of a task: on different devices, agreeing or not, dropped with a device, never counted twice."""

import hashlib

import msgspec
import pytest
from tests.unit.core_bench import POLICY, Bench, result
from tests.unit.core_cases import announcement
from tests.unit.trust_bench import A, B, C, D, acknowledged, answer, body, submit

from qfleet_controlplane.machine import devices, effects, events, trusting
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import regions, trust
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis


def statuses(job: object) -> list[str]:
    return [task.status for task in job.tasks]  # type: ignore[attr-defined]


def test_copies_go_to_different_devices_and_the_spare_one_waits() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3, items=8)
    bench.tick(1)
    for group in job.groups.values():
        held = [task.device for task in group.tasks.values() if task.status == "leased"]
        assert len(held) == len(set(held)) == 2
    assert job.counts["spare"] == len(job.groups)


def test_one_device_gets_one_copy_however_long_the_other_waits() -> None:
    bench = Bench(A, B)
    bench.handle(events.Quarantined(B, "", "someone"))
    job = submit(bench, 2, 3)
    bench.tick(60_000)
    assert statuses(job) == ["leased", "pending", "spare"]
    bench.join(C)
    assert [task.device for task in job.tasks] == [A, C, None]


def test_results_that_agree_end_the_task_and_the_first_of_them_counts() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    first, second, third = job.tasks
    answer(bench, first, 40)
    assert first.status == "answered"
    assert acknowledged(bench) == [(first.id, 1)], "its result is stored, so the device may forget it"
    assert [saved.task for saved in bench.of(effects.SaveResult)] == [first.id]
    answer(bench, second, 40)
    assert statuses(job) == ["succeeded", "succeeded", "dismissed"]
    assert (job.status, job.done_items, job.all_items) == ("succeeded", 2.0, 2)
    for name in (A, B):
        assert bench.machine.state.devices[name].record.confirmed == 1
    assert third.device is None
    assert not bench.of(effects.Alarm)


def test_a_contradiction_calls_a_third_device_that_decides() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    first, second, third = job.tasks
    liar, honest = first.device, second.device
    answer(bench, first, 70)
    answer(bench, second, 40)
    assert (third.status, third.device) == ("leased", C)
    answer(bench, third, 40)
    assert statuses(job) == ["rejected", "succeeded", "succeeded"]
    assert job.status == "succeeded"
    (alarm,) = bench.of(effects.Alarm)
    assert alarm.kind == "disagreement"
    assert f"{liar} contradicts {honest} and c" in alarm.detail
    records = {name: bench.machine.state.devices[name].record for name in (A, B, C)}
    assert records[DeviceName(str(liar))].contradicted == 1
    assert sum(record.confirmed for record in records.values()) == 2


def test_devices_that_never_agree_fail_the_task_and_it_says_who_said_what() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    for ones, task in zip((20, 50, 80), job.tasks, strict=True):
        answer(bench, task, ones)
    assert job.status == "failed"
    (error,) = job.errors
    assert error.startswith(f"task {job.tasks[0].id}: 2 of at most 3 devices must agree, but only 1 of its")
    for task in job.tasks:
        assert task.digest is not None
        assert f"{task.device} says {task.digest.hex()[:12]}" in error
    assert "a and b: 0 is not 1" in error
    assert all(device.record.contradicted == 0 for device in bench.machine.state.devices.values())


def test_without_a_third_device_a_contradiction_is_the_end() -> None:
    bench = Bench(A, B)
    job = submit(bench, 2, 3)
    answer(bench, job.tasks[0], 20)
    answer(bench, job.tasks[1], 50)
    assert job.status == "failed"
    assert "no further device is left that could decide" in job.errors[0]


def test_too_few_devices_are_refused_at_once() -> None:
    bench = Bench(A, B)
    with pytest.raises(PlanRefused, match=r"3 devices must agree, but only 2 of this fleet can run the job"):
        submit(bench, 3, 5)


def test_the_results_of_a_quarantined_device_that_wait_are_dropped_and_asked_again() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 2)
    first, second = job.tasks
    device = first.device
    assert device is not None
    answer(bench, first, 40)
    bench.handle(events.Quarantined(device, "odd", "someone"))
    assert [dropped.task for dropped in bench.of(effects.DropResult)] == [first.id]
    assert (first.status, first.device, first.digest) == ("leased", C, None)
    answer(bench, first, 41)
    answer(bench, second, 41)
    assert job.status == "succeeded"


def test_what_was_dropped_is_not_what_a_late_comparison_speaks_of() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    first, second, _ = job.tasks
    device = first.device
    assert device is not None
    answer(bench, first, 20)
    bench.hear(second.device or B, result(second, 1, body(second, 50)))
    (wanted,) = bench.of(effects.Weigh)
    bench.handle(events.Quarantined(device, "odd", "someone"))
    one, other = wanted.copies
    late = events.Weighing(0, 1, one.digest, other.digest, "they differ", exact=True)
    bench.handle(events.Weighed(job.id, (late,)))
    assert not job.groups[0].contradicted
    answer(bench, first, 50)
    assert job.status == "succeeded"


def test_a_device_answers_one_copy_even_if_it_was_given_up_with_another() -> None:
    bench = Bench(A, B)
    job = submit(bench, 2, 3, lost_after_s=1.0)
    first = job.tasks[0]
    device = first.device
    assert device is not None
    bench.machine.state.devices[device].held[first.id] = first
    other = next(task for task in job.tasks if task.device not in {None, device})
    bench.hear(device, result(other, other.attempt, body(other, 40)))
    assert other.status == "leased", "it is not the holder's, and the sender has a copy of its own"
    answer(bench, first, 40)
    answer(bench, other, 40)
    assert job.status == "succeeded"


def test_a_copy_that_fails_for_good_is_replaced() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3, max_attempts=1)
    first, second, third = job.tasks
    bench.hear(first.device or A, result(first, 1, outcome="failed"))
    assert (first.status, third.status) == ("failed", "leased")
    assert third.device == C, "a device that failed it is not asked again while another is there"
    answer(bench, second, 40)
    answer(bench, third, 40)
    assert (job.status, job.errors) == ("succeeded", [])


def test_a_task_whose_copies_all_fail_says_so() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3, max_attempts=1)
    bench.hear(job.tasks[0].device or A, result(job.tasks[0], 1, outcome="failed"))
    bench.hear(job.tasks[1].device or A, result(job.tasks[1], 1, outcome="failed"))
    assert job.status == "failed"
    assert "only 0 of its results agree" in job.errors[0]
    assert "it broke" in job.errors[0]


def test_cancelling_ends_every_copy() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    answer(bench, job.tasks[0], 40)
    bench.handle(events.JobCancelled(job.id, "", "someone"))
    assert statuses(job) == ["cancelled"] * 3
    assert job.status == "cancelled"


def test_a_device_that_lies_is_quarantined_with_an_alarm_and_its_work_goes_to_others() -> None:
    bench = Bench(A, B, C)
    for _ in range(2):
        job = submit(bench, 2, 3)
        for task in job.tasks[:2]:
            answer(bench, task, 70 if task.device == A else 40)
        if job.tasks[2].device is not None:
            answer(bench, job.tasks[2], 70 if job.tasks[2].device == A else 40)
        assert job.status == "succeeded"
    accused = bench.machine.state.devices[A]
    assert accused.status == "quarantined"
    assert "2 contradictions in 2 judged tasks" in str(accused.reason)
    kinds = [alarm.kind for alarm in bench.of(effects.Alarm)]
    assert kinds == ["disagreement", "quarantine"]
    assert [entry.action for entry in bench.of(effects.Audit)] == ["device.quarantine"]
    assert not accused.held
    job = submit(bench, 2, 3)
    assert {task.device for task in job.tasks} == {B, C, None}
    bench.handle(events.Released(A, "someone"))
    assert not accused.record.accused, "whoever releases it has looked into it"


@pytest.mark.parametrize("lies", [True, False])
def test_what_may_not_be_replaced_waits_for_a_device_that_may_be_released_but_not_for_a_liar(
    *, lies: bool
) -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 1, 1, items=1, replace=False)
    (task,) = job.tasks
    held_by = task.device
    assert held_by is not None
    if lies:
        bench.machine.state.devices[held_by].record = trust.Record(suspicion=trust.ACCUSED)
    bench.handle(events.Quarantined(held_by, "looked into", "someone"))
    assert (task.status, task.device) == ("unknown", held_by) if not lies else task.device != held_by


def test_what_waits_for_the_release_of_a_device_goes_to_others_when_the_device_is_accused() -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 1, 1, items=1, replace=False)
    (task,) = job.tasks
    held_by = task.device
    assert held_by is not None
    bench.handle(events.Quarantined(held_by, "looked into", "someone"))
    assert (task.status, task.device) == ("unknown", held_by)
    turn = Turn(bench.machine.state, POLICY, Millis(bench.now), 1)
    for _ in range(2):
        trusting.wrong(turn, held_by, exact=True)
    devices.shut_out_accused(turn)
    assert task.status == "pending"
    assert [done.kind for done in turn.effects if isinstance(done, effects.Alarm)] == ["quarantine"]
    bench.handle(events.Settle())
    assert task.device not in {None, held_by}


@pytest.mark.parametrize("shut_out", [events.Quarantined, events.Revoked])
def test_a_large_result_that_is_read_back_when_its_device_is_shut_out_does_not_count(
    shut_out: type[events.Quarantined | events.Revoked],
) -> None:
    bench = Bench(A, B, C)
    job = submit(bench, 2, 3)
    task = next(each for each in job.tasks if each.device == A)
    whole = body(task, 40)
    digest = hashlib.sha256(whole).digest()
    told = payloads.TaskResult(task.id, task.attempt, "succeeded", artefact=digest)
    flush = payloads.Results((msgspec.Raw(codec.encode(told)),), b"signature")
    bench.hear(A, flush, payloads.Chunk(digest, 0, 1, whole))
    assert bench.of(effects.Assemble)
    bench.handle(shut_out(A, "stolen", "someone"))
    bench.handle(events.Assembled(A, digest, whole))
    assert all(each.status != "answered" for each in job.tasks)
    assert [drop.digest for drop in bench.of(effects.DropChunks)] == [digest]
    assert not bench.of(effects.Send)


def test_a_slow_device_that_joins_later_takes_what_is_called() -> None:
    bench = Bench(A, B)
    bench.join(D, announcement(workers=1))
    job = submit(bench, 2, 4)
    given = {task.device for task in job.tasks[:2]}
    answer(bench, job.tasks[0], 20)
    answer(bench, job.tasks[1], 50)
    assert job.tasks[2].device not in given
    bench.hear(
        job.tasks[2].device or D,
        payloads.Refused(job.tasks[2].id, 1, "memory", "too large"),
    )
    assert job.status == "failed", "nobody else is left"


def test_the_copies_of_a_task_move_to_another_region_together_or_not_at_all() -> None:
    bench = Bench(A, B)
    for name in (A, B):
        bench.handle(events.Quarantined(name, "", "someone"))
    job = submit(bench, 2, 3)
    kind = msgspec.structs.replace(regions.kind_of(announcement()), known=3, online=3)
    south = regions.RegionFacts(name="south", workers=6, devices=3, online=3, classes=(kind,))
    small = msgspec.structs.replace(south, classes=(msgspec.structs.replace(kind, known=1, online=1),))
    for facts, moved in ((small, []), (small, []), (south, [3])):
        bench.handle(events.Rebalance("north", (facts,)), later=POLICY.stranded_ms + 1)
        assert [len(move.tasks) for move in bench.of(effects.MoveTasks)] == moved
    assert job.tasks == []
    assert job.groups == {}


def test_a_task_that_a_device_has_a_copy_of_stays() -> None:
    bench = Bench(A, B)
    job = submit(bench, 2, 3)
    assert job.tasks[0].device is not None
    kind = msgspec.structs.replace(regions.kind_of(announcement()), known=3, online=3)
    south = regions.RegionFacts(name="south", workers=6, devices=3, online=3, classes=(kind,))
    for _ in range(2):
        bench.handle(events.Rebalance("north", (south,)), later=POLICY.stranded_ms + 1)
        assert not bench.of(effects.MoveTasks)

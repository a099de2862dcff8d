"""Tasks that come to a region's machine and leave it, and orders that are carried out once."""

from collections import deque
from dataclasses import replace

import pytest
from tests.unit.core_bench import JOB, POLICY, A, B, Bench, result
from tests.unit.core_cases import announcement
from tests.unit.planner_cases import devices, region

from qfleet_controlplane.machine import census, effects, events
from qfleet_controlplane.machine.state import Job, Task
from qfleet_controlplane.planning import plan, regions
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, payloads
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

HERE, THERE = "here", "there"


def share(*positions: int, items: int = 10, **options: object) -> Job:
    """What the store has of a job of echoes: these of its tasks are here."""
    wanted = Specification(kind="probe.echo", seed=0, items=items)
    planned = plan.Plan(tuple(plan.Slice(index, 1, 0, 0) for index in range(items)), (), items, 0)
    request = api.JobRequest(kind="probe.echo", items=items, **options)  # type: ignore[arg-type]
    job = Job(JOB, request, wanted, planned, Millis(1))
    job.tasks = [Task(TaskId(f"{JOB}-{position}"), job, position) for position in positions]
    return job


def look(bench: Bench, *facts: regions.RegionFacts, later: int = 0) -> None:
    bench.handle(events.Rebalance(HERE, facts), later=later)


def test_a_share_runs_with_the_tasks_that_are_here_and_no_other() -> None:
    bench = Bench(A)
    bench.handle(events.Ordered(7, events.ShareArrived(share(2, 5))))
    assert [assign.task for assign in bench.sent(payloads.Assign, A)] == ["0a-2", "0a-5"]
    assert [done.order for done in bench.of(effects.OrderDone)] == [7]
    job = bench.machine.state.jobs[JOB]
    bench.hear(A, result(job.tasks[0]), result(job.tasks[1]))
    assert (job.status, job.counts["succeeded"]) == ("succeeded", 2)


def test_an_order_is_carried_out_once_and_deleted_every_time_it_is_read() -> None:
    bench = Bench(A)
    told = share(0)
    bench.handle(events.Ordered(7, events.ShareArrived(told)))
    bench.hear(A, result(TaskId("0a-0")))
    assert bench.machine.state.jobs == {}
    bench.handle(events.Ordered(7, events.ShareArrived(told)))
    assert bench.machine.state.jobs == {}, "what was read before it was finished is not run again"
    assert [done.order for done in bench.of(effects.OrderDone)] == [7]
    assert bench.sent(payloads.Assign) == []


def test_what_was_read_is_left_as_it_was_read() -> None:
    """An event may be handled by a second machine when the first had to be thrown away."""
    bench = Bench(A)
    told = share(0)
    bench.handle(events.ShareArrived(told))
    assert told.tasks[0].status == "pending"
    assert (told.pending, told.status, len(told.tasks)) == (deque(), "planned", 1)
    assert bench.machine.state.tasks[TaskId("0a-0")].status == "leased"


def test_further_tasks_join_a_share_that_runs() -> None:
    bench = Bench(A)
    bench.handle(events.ShareArrived(share(0)))
    job = bench.machine.state.jobs[JOB]
    bench.handle(events.ShareArrived(share(0, 3)))
    assert bench.machine.state.jobs[JOB] is job
    assert [task.position for task in job.tasks] == [0, 3]
    assert job.counts == {"pending": 0, "leased": 2}
    assert job.all_items == 2


def test_a_share_that_had_ended_is_open_again_with_what_it_had() -> None:
    bench = Bench(A)
    told = replace(share(0, 1, 2), status="partial", finished=Millis(5))
    for task, status in zip(told.tasks, ["succeeded", "failed", "pending"], strict=True):
        task.status, task.progress = status, float(status == "succeeded")
    bench.handle(events.ShareArrived(told))
    job = bench.machine.state.jobs[JOB]
    assert (job.status, job.finished, job.done_items) == ("running", None, 1.0)
    bench.hear(A, result(job.tasks[2]))
    assert job.status == "partial"


def test_a_share_of_a_cancelled_job_is_cancelled() -> None:
    bench = Bench(A)
    bench.handle(events.ShareArrived(share(0), cancelled="cancelled by ops"))
    assert bench.machine.state.jobs == {}
    saved = [effect.job for effect in bench.of(effects.SaveJob)]
    assert {job.status for job in saved} == {"cancelled"}
    assert saved[0].errors == ["cancelled by ops"]
    assert bench.sent(payloads.Assign) == []


def test_a_cancelled_share_stays_cancelled_when_tasks_arrive_late() -> None:
    bench = Bench(A)
    bench.handle(events.ShareArrived(replace(share(0), status="cancelled")))
    assert bench.machine.state.jobs == {}
    assert bench.sent(payloads.Assign) == []


def test_a_deadline_comes_with_the_share() -> None:
    bench = Bench()
    bench.handle(events.ShareArrived(replace(share(0), deadline=Millis(bench.now + 500))))
    bench.tick(500)
    (job,) = {effect.job for effect in bench.of(effects.SaveJob)}
    assert (job.status, job.tasks[0].status) == ("failed", "expired")


def test_tasks_that_nobody_here_can_run_move_and_leave_no_failure() -> None:
    bench = Bench()
    job = bench.submit(3)
    look(bench, region(THERE, devices()))
    assert bench.of(effects.MoveTasks) == []
    look(bench, region(THERE, devices()), later=POLICY.stranded_ms)
    (move,) = bench.of(effects.MoveTasks)
    assert [task.position for task in move.tasks] == [0, 1, 2]
    sentence = "3 tasks moved from here to there: no device of here could run them for 10 s."
    assert (job.status, job.errors, job.placement) == ("succeeded", [], [sentence])
    assert (bench.machine.state.jobs, bench.machine.state.tasks) == ({}, {})


def test_what_has_just_arrived_stays_for_a_while() -> None:
    bench = Bench()
    bench.handle(events.ShareArrived(share(0)))
    other = region(THERE, devices())
    look(bench, other)
    look(bench, other, later=POLICY.stranded_ms)
    assert bench.of(effects.MoveTasks) == []
    look(bench, other, later=POLICY.stay_ms - POLICY.stranded_ms)
    assert len(bench.of(effects.MoveTasks)) == 1


def test_devices_may_return_to_a_new_controller_before_anything_moves() -> None:
    bench = Bench()
    bench.submit()
    bench.handle(events.Reloaded(()))
    other = region(THERE, devices())
    look(bench, other)
    look(bench, other, later=POLICY.return_ms)
    assert bench.of(effects.MoveTasks) == []
    look(bench, other, later=POLICY.stranded_ms)
    assert len(bench.of(effects.MoveTasks)) == 1


def test_a_region_that_lags_gives_some_of_what_waits() -> None:
    bench = Bench(A)
    job = bench.submit(20_000)
    held = len(bench.machine.state.devices[A].held)
    look(bench, region(THERE, devices(1)), region("busy", devices(1), backlog_ms=100_000.0))
    (move,) = bench.of(effects.MoveTasks)
    assert move.to == THERE
    assert 9_000 < len(move.tasks) < 11_000
    assert len(job.tasks) == 20_000 - len(move.tasks)
    assert len(bench.machine.state.devices[A].held) == held, "what a device holds stays"
    assert move.tasks[-1].position == 19_999, "what would be leased last goes"


def test_what_waits_for_a_broker_that_stays_away_goes_elsewhere() -> None:
    bench = Bench(A)
    bench.handle(events.LinkChanged(up=False))
    job = bench.submit(20_000)
    look(bench, region(THERE, devices()), later=census.UNREACHABLE_MS - 1)
    assert (here_facts(bench).reachable, job.waiting) == (True, ""), "a reconnect takes a moment"
    bench.handle(events.LinkChanged(up=False), later=1)
    look(bench, region(THERE, devices()))
    assert not here_facts(bench).reachable, "told again it is away no shorter"
    assert bench.of(effects.MoveTasks) == [], "not even because it lags"
    assert job.waiting == "the broker of here cannot be reached"
    look(bench, region(THERE, devices()), later=POLICY.stranded_ms - census.UNREACHABLE_MS)
    (move,) = bench.of(effects.MoveTasks)
    assert (move.to, len(move.tasks)) == (THERE, 10_000)
    assert job.placement[-1].endswith(
        "moved from here to there: the broker of here could not be reached for 10 s."
    )


def test_a_broker_that_comes_back_takes_its_tasks_up() -> None:
    bench = Bench(A)
    bench.handle(events.LinkChanged(up=False))
    (task,) = bench.submit().tasks
    look(bench, later=POLICY.stranded_ms)
    assert task.job.waiting == "the broker of here cannot be reached"
    bench.handle(events.LinkChanged(up=True))
    assert (task.status, task.job.waiting, here_facts(bench).reachable) == ("leased", "", True)


def test_devices_are_waited_for_again_when_their_broker_is_back() -> None:
    bench = Bench(A)
    bench.handle(events.LinkChanged(up=False))
    bench.submit(residency=("EU",))
    other = region(THERE, devices(), residency=("EU",))
    look(bench, later=POLICY.stranded_ms)
    bench.handle(events.PresenceLost(A))
    bench.handle(events.LinkChanged(up=True))
    look(bench, other)
    look(bench, other, later=POLICY.stranded_ms - 1)
    assert bench.of(effects.MoveTasks) == []
    look(bench, other, later=1)
    assert [move.to for move in bench.of(effects.MoveTasks)] == [THERE]


def test_residency_is_kept_when_a_region_dies() -> None:
    bench = Bench()
    bench.submit(residency=("EU",))
    other = region(THERE, devices(), residency=("US",))
    look(bench, other)
    look(bench, other, later=POLICY.stranded_ms)
    assert bench.of(effects.MoveTasks) == []
    look(bench, other, region("vienna", devices(), residency=("AT", "EU")))
    assert [move.to for move in bench.of(effects.MoveTasks)] == ["vienna"]


def test_what_every_device_here_has_refused_goes_where_one_may_run_it() -> None:
    bench = Bench(A)
    look(bench, region(THERE, devices()))
    job = bench.submit()
    look(bench, region(THERE, devices()))
    (task,) = job.tasks
    bench.hear(A, payloads.Refused(task.id, 1, "disk", "full"))
    assert task.status == "pending", "there is another region"
    look(bench, region(THERE, devices()))
    (move,) = bench.of(effects.MoveTasks)
    assert job.placement[-1] == "1 task moved from here to there: every device of here has refused them."
    assert move.tasks[0].errors == ("attempt 1 on a: refused (disk): full",)


def test_what_all_have_refused_fails_when_the_last_other_device_is_gone() -> None:
    bench = Bench(A, B)
    bench.handle(events.PresenceLost(B))
    (task,) = bench.submit().tasks
    bench.hear(A, payloads.Refused(task.id, 1, "memory", "no"))
    assert task.status == "pending", "b may come back"
    bench.handle(events.Revoked(B, "stolen", "ops"))
    look(bench)
    assert task.status == "failed"
    assert task.errors[-1] == "every device that could run it has refused"


def test_a_job_that_turns_out_to_be_impossible_says_so() -> None:
    bench = Bench()
    wanted = Specification(
        kind="circuit.sample", seed=0, items=1, qubits=40, gates=1, shots=1, points=((),), program=b"\x90"
    )
    bench.handle(events.JobSubmitted(JOB, api.JobRequest(kind="circuit.sample"), wanted, "someone"))
    look(bench)
    job = bench.machine.state.jobs[JOB]
    assert job.waiting == "", "nothing is known yet"
    bench.join(A)
    look(bench)
    assert job.waiting == "no device of here can run 1 of its tasks: 40 qubits are over its 24"
    assert bench.of(effects.SaveJob) != []
    look(bench)
    assert bench.of(effects.SaveJob) == [], "said once"
    bench.join(B, announcement(max_qubits=50, task_memory_bytes=2**50))
    assert job.tasks[0].device == B
    assert (job.status, job.waiting) == ("running", "")


def test_a_late_result_of_a_task_that_has_moved_is_acknowledged_and_compared() -> None:
    bench = Bench(A)
    job = bench.submit(lost_after_s=1.0)
    bench.tick(POLICY.silence_ms + 1_000)
    look(bench, region(THERE, devices()))
    look(bench, region(THERE, devices()), later=POLICY.stranded_ms)
    assert len(bench.of(effects.MoveTasks)) == 1
    bench.hear(A, result(job.tasks[0].id if job.tasks else TaskId("0a-0")))
    assert [ack.tasks for ack in bench.sent(payloads.Acknowledge)] == [(("0a-0", 1),)]
    assert len(bench.of(effects.Compare)) == 1
    assert bench.of(effects.SaveResult) == []


def test_facts_describe_the_devices_and_the_backlog() -> None:
    bench = Bench(A, B)
    bench.join(DeviceName("c"), announcement(max_qubits=30, workers=4))
    bench.handle(events.Revoked(B, "stolen", "ops"))
    bench.submit(600)
    bench.now += 40
    for task in list(bench.machine.state.devices[A].held.values()):
        bench.hear(A, payloads.Accepted(task.id, 1))
    facts = state_facts(bench)
    assert (facts.devices, facts.online, facts.workers) == (2, 2, 6)
    assert facts.held == 6 * 64
    assert facts.pending == 600 - facts.held
    assert facts.latency_ms == 40
    assert facts.backlog_ms == pytest.approx(facts.held * 0.5 + facts.pending * 5.5)
    assert [(entry.max_qubits, entry.workers, entry.online) for entry in facts.classes] == [
        (30, 4, 1),
        (24, 2, 1),
    ]


def here_facts(bench: Bench) -> regions.RegionFacts:
    return census.facts(bench.machine.state, regions.Description(HERE), Millis(bench.now))


def state_facts(bench: Bench) -> regions.RegionFacts:
    return census.facts(bench.machine.state, regions.Description(HERE, ("EU",), 0.2))


def test_a_job_with_a_ready_plan_is_taken_as_it_was_placed() -> None:
    bench = Bench(A)
    wanted = Specification(kind="probe.echo", seed=0, items=3)
    ready = plan.Plan((plan.Slice(0, 3, 0, 0),), ("as planned",), 3, 0)
    request = api.JobRequest(kind="probe.echo", items=3)
    placed = ("All 1 tasks to here.",)
    bench.handle(events.JobSubmitted(JobId("0b"), request, wanted, "someone", ready, placed))
    job = bench.machine.state.jobs[JobId("0b")]
    assert (len(job.tasks), job.placement) == (1, ["All 1 tasks to here."])

"""How the control plane treats devices by their ways: silence, gathering, who gets what, what is shown."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core_bench import POLICY, A, B, Bench, result
from tests.unit.core_cases import announcement
from tests.unit.planner_cases import devices, grid, region
from tests.unit.test_core_schedule import ECHO, HEAVY, demanded, devices_of

from qfleet_controlplane.machine import effects, events, state
from qfleet_controlplane.planning import demand, placement, reach, regions, schedule
from qfleet_controlplane.service import portraits
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, JobId, Millis
from qfleet_wire.ways import Way, Window

HOUR = 3_600_000
OPEN, EVERY, BATCH = 480_000, 5_700_000, 2_000
GAP = EVERY - OPEN
SKY = Way(
    "sky",
    "satellite",
    Millis(1_000_000),
    640.0,
    GAP + 300_000,
    BATCH,
    "gateway:8883",
    Window(Millis(1_000_000), Millis(1_000_000 + OPEN)),
    Millis(1_000_000 + EVERY),
)
CABLE = Way("cable", "ethernet", Millis(0), 2.0, 30_000)
MOBILE = Way("mobile", "lte", Millis(0), 60.0, 120_000, 200)
BEAT = payloads.Heartbeat(Millis(0), 1, 0.0, 1, 1, 0, 0, 0, latency_ms=655.0)


def behind(way: Way | None) -> payloads.Announcement:
    return announcement(way=way)


def bench_over(way: Way) -> Bench:
    bench = Bench()
    bench.join(A, behind(way))
    return bench


def status(bench: Bench) -> str:
    return bench.machine.state.devices[A].status


def window_closes(bench: Bench) -> None:
    bench.tick(OPEN)
    bench.hear(A, BEAT)
    bench.handle(events.PresenceLost(A))


# ── silence ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("way", "silent_ms"),
    [
        (CABLE, POLICY.silence_ms),
        (MOBILE, 120_000 + POLICY.silence_ms),
        (SKY, GAP + 300_000 + POLICY.silence_ms),
    ],
)
def test_silence_is_judged_by_the_rhythm_that_was_told(way: Way, silent_ms: int) -> None:
    bench = bench_over(way)
    bench.tick(silent_ms - 1)
    assert status(bench) == "online"
    bench.tick(1)
    assert status(bench) == "silent"


def test_tasks_stay_with_a_device_until_its_window_plus_patience() -> None:
    bench = bench_over(SKY)
    job = bench.submit(lost_after_s=60.0)
    bench.tick(BATCH)
    (task,) = job.tasks
    bench.hear(A, payloads.Accepted(task.id, 1))
    window_closes(bench)
    bench.tick(GAP + 300_000 + POLICY.silence_ms - 1)
    assert (task.status, task.device, task.attempt) == ("leased", A, 1)
    bench.tick(60_001)
    assert (task.status, task.attempt) == ("pending", 1)


def test_a_device_that_comes_back_in_its_window_was_never_silent() -> None:
    bench = bench_over(SKY)
    job = bench.submit()
    bench.tick(BATCH)
    bench.hear(A, payloads.Accepted(job.tasks[0].id, 1))
    window_closes(bench)
    bench.tick(GAP)
    assert status(bench) == "online"
    bench.handle(events.SessionOpened(A))
    bench.hear(A, behind(SKY), payloads.Inventory((), ((job.tasks[0].id, 1),)), result(job.tasks[0]))
    assert job.status == "succeeded"
    assert job.tasks[0].attempt == 1


def test_a_device_that_has_moved_to_a_cable_is_missed_soon_again() -> None:
    bench = bench_over(SKY)
    bench.handle(events.SessionOpened(A))
    bench.hear(A, behind(CABLE), payloads.Inventory((), ()))
    bench.tick(POLICY.silence_ms)
    assert status(bench) == "silent"


def test_the_will_of_an_old_connection_does_not_make_a_device_silent_that_is_there() -> None:
    bench = bench_over(MOBILE)
    bench.handle(events.PresenceLost(A))
    assert [ask.what for ask in bench.sent(payloads.Ask, A)] == ["inventory"]
    bench.hear(A, payloads.Inventory((), ()))
    bench.tick(POLICY.hint_ms + 1)
    assert status(bench) == "online"
    bench.handle(events.PresenceLost(A))
    bench.tick(POLICY.hint_ms + 1)
    assert status(bench) == "silent"


def test_the_rhythm_is_known_after_a_restart() -> None:
    bench = bench_over(SKY)
    bench.handle(events.Reloaded(()))
    bench.tick(GAP)
    assert status(bench) == "online"


@given(st.integers(-(10**15), 10**15), st.floats(), st.integers(-(10**12), 10**12))
def test_no_device_is_waited_for_longer_than_a_day(rhythm: int, latency: float, returns: int) -> None:
    way = msgspec.structs.replace(
        SKY, rhythm_ms=rhythm, latency_ms=latency, batch_ms=rhythm, returns=Millis(returns)
    )
    bench = bench_over(way)
    bench.tick(POLICY.most_rhythm_ms + POLICY.silence_ms)
    assert status(bench) in {"silent", "lost"}
    assert 0 <= reach.reach_ms(way) <= 2 * reach.MOST_MS + 2 * 60_000


# ── gathering ───────────────────────────────────────────────────────────────────────────────


def sends(bench: Bench) -> list[payloads.Down]:
    return [send.payload for send in bench.of(effects.Send) if send.device == A]


def test_what_is_sent_within_a_batch_goes_together() -> None:
    bench = bench_over(SKY)
    bench.tick(BATCH)
    bench.submit(items=1)
    assert sends(bench) == []
    assert any(isinstance(wanted, effects.SaveTask) for wanted in bench.effects), "saved before it is sent"
    bench.tick(500)
    bench.submit(job=JobId("0b"))
    assert sends(bench) == []
    assert bench.machine.state.devices[A].gathered
    bench.tick(BATCH - 501)
    assert sends(bench) == []
    bench.tick(1)
    assert [type(item) for item in sends(bench)] == [payloads.Assign, payloads.Assign]
    assert bench.machine.state.devices[A].gathered == []


def test_over_a_cable_everything_goes_at_once() -> None:
    bench = bench_over(CABLE)
    bench.submit()
    assert [type(item) for item in sends(bench)] == [payloads.Assign]


def test_an_assignment_that_was_taken_back_meanwhile_is_not_sent() -> None:
    bench = bench_over(SKY)
    bench.tick(BATCH)
    job = bench.submit()
    bench.handle(events.JobCancelled(job.id, "", "someone"))
    bench.tick(BATCH)
    assert [type(item) for item in sends(bench)] == [payloads.Cancel]


def test_a_device_that_was_shut_out_meanwhile_gets_nothing() -> None:
    bench = bench_over(SKY)
    bench.submit()
    bench.handle(events.Revoked(A, "stolen", "someone"))
    bench.tick(10 * BATCH)
    assert sends(bench) == []


def test_what_gathered_for_a_closed_window_comes_with_the_next_session() -> None:
    bench = bench_over(SKY)
    bench.tick(BATCH)
    job = bench.submit()
    bench.handle(events.PresenceLost(A))
    bench.tick(EVERY)
    bench.handle(events.SessionOpened(A))
    bench.hear(A, behind(SKY), payloads.Inventory((), ()))
    bench.tick(BATCH)
    (assigned,) = [item for item in sends(bench) if isinstance(item, payloads.Assign)]
    assert (assigned.task, assigned.attempt) == (job.tasks[0].id, 1)


def test_an_assignment_is_repeated_when_an_answer_could_have_come() -> None:
    bench = bench_over(SKY)
    bench.tick(BATCH)
    bench.submit()
    bench.tick(POLICY.resend_first_ms + 2 * BATCH + 4 * 640 - 1)
    assert len([item for item in sends(bench) if isinstance(item, payloads.Assign)]) == 1
    bench.tick(1 + 2 * (POLICY.resend_first_ms + 2 * BATCH + 4 * 640) + BATCH)
    assert [item for item in sends(bench) if isinstance(item, payloads.Assign)]


# ── who gets what ───────────────────────────────────────────────────────────────────────────


def slot(name: str, reach_ms: float = 0.0, held: int = 0, backlog: float = 0.0) -> demand.Slot:
    return demand.Slot(name, announcement(), held=held, backlog_ms=backlog, reach_ms=reach_ms)


def counted(job: object, count: int) -> demand.Demand:
    made = demanded(count, job=job)  # type: ignore[arg-type]  # handed through
    return made._replace(left=count, typical=(1, 0))


@pytest.mark.parametrize("job", [ECHO, HEAVY])
def test_a_task_of_seconds_is_not_given_to_a_device_that_answers_in_an_hour(job: object) -> None:
    busy = slot("near", held=8, backlog=30_000.0)
    assert busy.full
    far = slot("far", reach_ms=HOUR)
    assert schedule.schedule([counted(job, 10)], [busy, far], crowded=lambda: [busy]) == []
    assert devices_of(schedule.schedule([counted(job, 10)], [slot("near"), slot("far", reach_ms=HOUR)])) == {
        "near": 10
    }


@pytest.mark.parametrize("job", [ECHO, HEAVY])
def test_unless_nothing_else_can_run_it(job: object) -> None:
    choices = schedule.schedule([counted(job, 2)], [slot("far", reach_ms=HOUR)])
    assert devices_of(choices) == {"far": 2}


def test_the_machine_prefers_the_near_device() -> None:
    bench = Bench()
    bench.join(A, behind(SKY))
    bench.join(B, behind(CABLE))
    job = bench.submit(items=2)
    assert {task.device for task in job.tasks} == {B}


def test_a_region_is_as_far_away_as_its_nearest_devices() -> None:
    far = msgspec.structs.replace(devices(50), reach_ms=float(HOUR))
    one = placement.place(grid(), [region("sky", far), region("land", devices(1))], placement.Wishes())
    assert [share.region for share in one.shares] == ["land"]
    assert any("sky is not used" in each and "on their way" in each for each in one.sentences)
    alone = placement.place(grid(), [region("sky", far)], placement.Wishes())
    assert [share.region for share in alone.shares] == ["sky"]
    near, least = regions.nearest([far, devices(1)])
    assert (len(near), least) == (1, 0.0)


def test_devices_are_of_one_class_when_they_are_about_as_far() -> None:
    kinds = [regions.kind_of(behind(way)) for way in (None, CABLE, MOBILE, SKY)]
    assert kinds[0] == kinds[1] == kinds[2]
    assert kinds[3].reach_ms == 2.0**22
    assert regions.known_as(kinds[3], kinds[:3]) is kinds[3]


# ── what is shown ───────────────────────────────────────────────────────────────────────────


def test_a_device_shows_its_way() -> None:
    bench = bench_over(SKY)
    bench.submit()
    bench.hear(A, BEAT)
    view = portraits.device_view(bench.machine.state.devices[A], "home")
    assert view.way == msgspec.structs.replace(SKY, latency_ms=655.0)
    assert view.heard_within_ms == GAP + 300_000 + POLICY.silence_ms
    assert view.waiting_down == 1
    plain = Bench(A)
    view = portraits.device_view(plain.machine.state.devices[A], "home")
    assert (view.way, view.heard_within_ms, view.waiting_down) == (None, None, 0)


# ── contact plans ───────────────────────────────────────────────────────────────────────────


def spans(*opens: int) -> tuple[Window, ...]:
    return tuple(Window(Millis(one), Millis(one + 1_000)) for one in opens)


def plan(bench: Bench, **windows: tuple[Window, ...]) -> None:
    named = {DeviceName(name): some for name, some in windows.items()}
    bench.handle(events.ContactsPlanned(state.ContactPlan(named, Millis(9_000_000))))


def test_a_device_is_told_its_windows_when_they_are_planned_and_with_every_session() -> None:
    bench = Bench(A, B)
    plan(bench, a=spans(999_000, 1_000_000, 5_000_000))
    # The first has closed already.
    told = payloads.Contacts(Millis(1_000_000), Millis(9_000_000), spans(1_000_000, 5_000_000))
    assert bench.sent(payloads.Contacts, A) == [told]
    assert not bench.sent(payloads.Contacts, B)
    plan(bench, a=spans(999_000, 1_000_000, 5_000_000), b=spans(7_000_000))
    assert not bench.sent(payloads.Contacts, A)
    assert len(bench.sent(payloads.Contacts, B)) == 1
    bench.handle(events.SessionOpened(A), later=2_000_000)
    left = payloads.Contacts(Millis(3_000_000), Millis(9_000_000), spans(5_000_000))
    assert bench.sent(payloads.Contacts, A) == [left]
    bench.handle(events.SessionOpened(A), later=4_000_000)
    assert not bench.sent(payloads.Contacts)


def test_a_plan_that_goes_is_ended_for_those_who_are_there() -> None:
    bench = Bench(A)
    plan(bench, a=spans(5_000_000), b=spans(5_000_000))
    plan(bench)
    ended = payloads.Contacts(Millis(1_000_000), Millis(1_000_000), ())
    assert bench.sent(payloads.Contacts) == [ended]
    bench.join(B)
    assert not bench.sent(payloads.Contacts)


def test_a_long_plan_is_told_in_parts_that_end_with_their_last_window() -> None:
    bench = Bench(A)
    every = spans(*range(1_000_000, 1_000_000 + 70 * 2_000, 2_000))
    plan(bench, a=every)
    (told,) = bench.sent(payloads.Contacts, A)
    assert (told.windows, told.until) == (every[:64], every[63].closes)
    # In the 64th of its windows the rest is told.
    bench.handle(events.SessionOpened(A), later=63 * 2_000)
    (rest,) = bench.sent(payloads.Contacts, A)
    assert (rest.windows, rest.until) == (every[63:], 9_000_000)


def test_a_plan_is_believed_for_a_week() -> None:
    bench = Bench(A)
    week = 7 * 24 * HOUR
    near, far = spans(2_000_000), spans(1_000_000 + week)
    named = {A: near + far}
    bench.handle(events.ContactsPlanned(state.ContactPlan(named, Millis(4 * week))))
    (told,) = bench.sent(payloads.Contacts, A)
    assert (told.windows, told.until) == (near, 1_000_000 + week)
    bench.handle(events.SessionOpened(A), later=2_000_000)
    (rest,) = bench.sent(payloads.Contacts, A)
    assert (rest.windows, rest.until) == (far, 3_000_000 + week)

"""The agent's decider under directed cases and random event sequences."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_agent.errors import IllegalStep
from qfleet_agent.machine import effects, events, states
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.machine.effects import Effect
from qfleet_agent.machine.events import Key
from qfleet_agent.machine.machine import Machine
from qfleet_agent.machine.outbox import RESEND_FIRST_MS
from qfleet_agent.machine.states import STEPS, State, Step
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId
from qfleet_wire.workload import ProbeEcho

MIB = 1024 * 1024
BOUNDS = Bounds(
    workers=1,
    task_memory_bytes=MIB,
    max_qubits=10,
    max_shots=100,
    task_ms=1000,
    disk_bytes=MIB,
    disk_reserve_bytes=0,
    queue_tasks=4,
    queue_bytes=MIB,
    kinds={"probe.echo": "echo"},
)
ANNOUNCEMENT = payloads.Announcement(
    agent_version="0",
    profile="generic",
    boot_id="b",
    machine="x86_64",
    cores=1,
    memory_bytes=MIB,
    workers=1,
    task_memory_bytes=MIB,
    max_qubits=10,
    engines=(),
)
WORK = msgspec.Raw(codec.encode(ProbeEcho(data=b"hello")))
BODY = b"\xc0"


def machine() -> Machine:
    return Machine(DeviceName("d"), BOUNDS, ANNOUNCEMENT)


def assign(task: str = "t", attempt: int = 1, **changes: Any) -> payloads.Assign:
    base = payloads.Assign(TaskId(task), attempt, JobId("j"), WORK, 100, 100, 500)
    return msgspec.structs.replace(base, **changes)


def heard(*items: payloads.Down, number: int = 1, epoch: int = 0) -> events.Heard:
    return events.Heard(number, epoch, Millis(0), items)


def finished(key: Key, number: int = 2, body: bytes = BODY) -> events.WorkFinished:
    return events.WorkFinished(number, key, body, "echo", "1", 0, 0.1)


def of(kind: type, wanted: Iterable[Effect]) -> list[Effect]:
    return [one for one in wanted if isinstance(one, kind)]


KEY: Key = (TaskId("t"), 1)
NOW = Millis(1_000)


def test_a_task_goes_from_assignment_to_acknowledgement() -> None:
    one = machine()
    one.handle(events.SessionOpened(0), NOW)
    accepted = one.handle(heard(assign()), NOW)
    assert [type(effect) for effect in accepted] == [effects.SaveTask, effects.Send, effects.Start]
    assert {effect.cause for effect in accepted} == {1}
    one.handle(events.WorkStarted(2, KEY), NOW)
    assert one.state_of(KEY) is State.RUNNING
    saved, sent = one.handle(finished(KEY, 3), NOW)
    assert isinstance(saved, effects.SaveResult)
    assert codec.decode(saved.result, payloads.TaskResult).outcome == "succeeded"
    assert sent == effects.SendResults(3, (KEY,))
    assert one.handle(heard(payloads.Acknowledge((KEY,))), NOW) == [effects.DropResults(1, (KEY,))]
    assert one.state_of(KEY) is State.UNKNOWN
    assert one.load.stored_bytes == one.load.reserved_bytes == one.load.unfinished == 0


def test_a_duplicate_assignment_gets_the_same_word_in_every_state() -> None:
    one = machine()
    one.handle(events.SessionOpened(0), NOW)
    one.handle(heard(assign()), NOW)
    again = one.handle(heard(assign()), NOW)
    assert again == [effects.Send(1, payloads.Accepted(*KEY))]
    one.handle(finished(KEY), NOW)
    assert one.handle(heard(assign()), NOW) == [effects.SendResults(1, (KEY,))]


def test_a_refused_task_stays_refused() -> None:
    one = machine()
    first = one.handle(heard(assign(memory_bytes=2 * MIB)), NOW)
    assert first == one.handle(heard(assign()), NOW)
    assert isinstance(first[0], effects.Send)
    assert isinstance(first[0].payload, payloads.Refused)


def test_a_cancelled_task_is_stopped_and_answered_and_its_late_result_is_nothing() -> None:
    one = machine()
    one.handle(events.SessionOpened(0), NOW)
    one.handle(heard(assign()), NOW)
    stop, saved, sent = one.handle(heard(payloads.Cancel(*KEY, "no need")), NOW)
    assert stop == effects.Stop(1, KEY)
    assert isinstance(saved, effects.SaveResult)
    assert codec.decode(saved.result, payloads.TaskResult).outcome == "cancelled"
    assert sent == effects.SendResults(1, (KEY,))
    assert one.handle(finished(KEY), NOW) == []


def test_a_cancellation_that_overtakes_its_assignment_wins() -> None:
    one = machine()
    one.handle(events.SessionOpened(0), NOW)
    one.handle(heard(payloads.Cancel(*KEY, "no need")), NOW)
    assert one.handle(heard(assign()), NOW) == [effects.SendResults(1, (KEY,))]


def test_a_deadline_ends_a_task() -> None:
    one = machine()
    one.handle(heard(assign(deadline=Millis(250))), NOW)
    assert one.next_wake() == NOW + 250
    stop, saved = one.handle(events.Ticked(9), Millis(NOW + 250))
    assert stop == effects.Stop(9, KEY)
    assert isinstance(saved, effects.SaveResult)
    assert codec.decode(saved.result, payloads.TaskResult).outcome == "expired"
    assert one.next_wake() is None


def test_a_message_of_an_older_epoch_does_nothing_but_a_report() -> None:
    one = machine()
    first = one.handle(heard(assign(), epoch=5), NOW)
    assert first[0] == effects.SaveEpoch(1, 5)
    late = one.handle(heard(assign("u"), payloads.Cancel(*KEY, "x"), epoch=4), NOW)
    assert [type(effect) for effect in late] == [effects.Report]
    assert one.state_of(KEY) is State.ACCEPTED


def test_results_are_sent_again_until_acknowledged_and_on_every_new_session() -> None:
    one = machine()
    one.handle(heard(assign()), NOW)
    assert of(effects.SendResults, one.handle(finished(KEY), NOW)) == []
    opened = one.handle(events.SessionOpened(4), NOW)
    assert opened[1:] == [
        effects.Send(4, payloads.Inventory(unfinished=(), finished=(KEY,))),
        effects.SendResults(4, (KEY,)),
    ]
    wake = one.next_wake()
    assert wake == NOW + RESEND_FIRST_MS
    assert one.handle(events.Ticked(5), wake) == [effects.SendResults(5, (KEY,))]
    second = one.next_wake()
    assert second == wake + 2 * RESEND_FIRST_MS
    one.handle(heard(payloads.Acknowledge((KEY,))), second)
    assert one.next_wake() is None


def test_what_the_journal_held_runs_again_and_is_sent_again() -> None:
    stored = events.StoredTask(KEY, codec.encode(assign()))
    other: Key = (TaskId("u"), 2)
    one = machine()
    wanted = one.handle(events.Restored(1, 3, [stored], [events.StoredResult(other, 700)]), NOW)
    assert [type(effect) for effect in wanted] == [effects.Start]
    assert one.epoch == 3
    assert one.inventory() == payloads.Inventory(unfinished=(KEY,), finished=(other,))


def test_a_journalled_task_that_cannot_be_read_fails_and_harms_no_other() -> None:
    one = machine()
    wanted = one.handle(events.Restored(1, 0, [events.StoredTask(KEY, b"\xc1")], []), NOW)
    assert [type(effect) for effect in wanted] == [effects.SaveResult]
    assert one.state_of(KEY) is State.FINISHED


def test_a_task_is_refused_for_whose_result_no_room_could_be_held() -> None:
    one = machine()
    # Each needs its work, its result and a row for either.
    room = 2 * len(bytes(WORK)) + 2 * 100 + 4 * 512 + 100
    one.handle(events.Covered(1, room), NOW)
    said = [
        effect.payload
        for effect in one.handle(heard(*(assign(f"t{number}") for number in range(3))), NOW)
        if isinstance(effect, effects.Send)
    ]
    assert [type(payload) for payload in said] == [payloads.Accepted, payloads.Accepted, payloads.Refused]
    assert one.promising([heard(payloads.Acknowledge((KEY,)))]) == 0
    assert one.promising([heard(assign("t4"))]) > one.load.reserved_bytes > 0


def test_a_result_larger_than_promised_leaves_the_others_their_room() -> None:
    one = machine()
    one.handle(events.Measured(1, 20_000, None), NOW)
    one.handle(events.Covered(2, 10_000), NOW)
    one.handle(heard(assign(), assign("u")), NOW)
    one.handle(events.JournalFull(3), NOW)
    saved = one.handle(finished(KEY, body=bytes(101)), NOW)[0]
    assert isinstance(saved, effects.SaveResult)
    assert b"there is room for 100" in saved.result
    saved = one.handle(finished((TaskId("u"), 1), body=b"\xc4\x62" + bytes(98)), NOW)[0]
    assert isinstance(saved, effects.SaveResult)
    assert b"there is room" not in saved.result


def test_a_result_beyond_all_room_becomes_a_failure_with_the_numbers() -> None:
    one = machine()
    one.handle(heard(assign()), NOW)
    (saved,) = one.handle(finished(KEY, body=b"x" * MIB), NOW)
    assert isinstance(saved, effects.SaveResult)
    result = codec.decode(saved.result, payloads.TaskResult)
    assert result.outcome == "failed"
    assert str(MIB) in (result.error or "")


def test_a_large_result_travels_as_an_artefact() -> None:
    one = machine()
    one.handle(heard(assign()), NOW)
    event = msgspec.structs.replace(finished(KEY, body=b"x" * 1000), digest=b"d" * 32)
    (saved,) = one.handle(event, NOW)
    assert isinstance(saved, effects.SaveResult)
    assert (saved.digest, saved.artefact) == (b"d" * 32, b"x" * 1000)
    assert codec.decode(saved.result, payloads.TaskResult).body == payloads.NO_BODY


def test_a_kind_that_is_unknown_is_answered_once_and_an_answer_never() -> None:
    one = machine()
    event = events.Heard(1, 0, Millis(0), (payloads.Unsupported("x"),), unknown=("y",))
    report, answer = one.handle(event, NOW)
    assert isinstance(report, effects.Report)
    assert answer == effects.Send(1, payloads.Unsupported("y"))


def test_a_stopping_agent_refuses_new_work_and_keeps_what_it_has() -> None:
    one = machine()
    one.handle(heard(assign()), NOW)
    assert one.handle(events.Stopping(2), NOW) == []
    (answer,) = one.handle(heard(assign("u")), NOW)
    assert isinstance(answer, effects.Send)
    assert isinstance(answer.payload, payloads.Refused)
    assert answer.payload.code == "stopping"
    assert one.state_of(KEY) is State.ACCEPTED


def test_renewal_answers_are_handed_on_only_from_a_current_epoch() -> None:
    one = machine()
    renewed = payloads.Renewed(csr_hash=b"h", chain=(b"c",))
    one.handle(heard(epoch=2), NOW)
    assert one.handle(heard(renewed, epoch=2), NOW) == [effects.Renewal(1, renewed)]
    assert of(effects.Renewal, one.handle(heard(renewed, epoch=1), NOW)) == []


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("step", list(Step))
def test_a_step_outside_the_table_is_illegal(state: State, step: Step) -> None:
    if (state, step) in STEPS:
        assert states.after(state, step) is STEPS[state, step]
    else:
        with pytest.raises(IllegalStep):
            states.after(state, step)


keys = st.tuples(st.sampled_from([TaskId("a"), TaskId("b"), TaskId("c")]), st.integers(1, 2))
random_events = st.one_of(
    st.builds(
        lambda key, memory, deadline: heard(
            assign(*key, memory_bytes=memory, deadline=None if deadline is None else Millis(deadline))
        ),
        keys,
        st.sampled_from([10, 2 * MIB]),
        st.sampled_from([None, 50, 5000]),
    ),
    st.builds(lambda key: heard(payloads.Cancel(key[0], key[1], "r")), keys),
    st.builds(lambda some: heard(payloads.Acknowledge(tuple(some))), st.lists(keys, max_size=3)),
    st.builds(lambda epoch: heard(epoch=epoch), st.integers(0, 1)),
    st.builds(lambda key: events.WorkStarted(3, key), keys),
    st.builds(lambda key: events.WorkProgressed(3, key, 0.5), keys),
    st.builds(finished, keys),
    st.builds(lambda key: events.WorkFailed(3, key, "boom"), keys),
    st.builds(lambda: events.SessionOpened(4)),
    st.builds(lambda: events.SessionLost(5)),
    st.builds(lambda: events.Ticked(6)),
    st.builds(lambda free: events.Measured(7, free, None), st.sampled_from([100, MIB])),
)


class _World:
    """Carries out effects the way the daemon does, and holds what must be true of them."""

    def __init__(self) -> None:
        self.machine = machine()
        self.journal: dict[Key, str] = {}
        self.working: set[Key] = set()
        self.online = False

    def step(self, event: events.Event, now: Millis) -> None:
        if isinstance(event, events.WorkFinished | events.WorkFailed | events.WorkStarted):
            if event.key not in self.working:
                return  # the workers only speak of what they have
            if not isinstance(event, events.WorkStarted):
                self.working.discard(event.key)
        if isinstance(event, events.SessionOpened | events.SessionLost):
            self.online = isinstance(event, events.SessionOpened)
        wanted = self.machine.handle(event, now)
        assert all(effect.cause == event.id for effect in wanted)
        for effect in wanted:
            self._apply(effect)

    def _apply(self, effect: Effect) -> None:
        match effect:
            case effects.SaveTask(_, key, _):
                assert key not in self.journal
                self.journal[key] = "task"
            case effects.SaveResult(_, key):
                assert self.journal.get(key) != "result"
                self.journal[key] = "result"
            case effects.DropResults(_, dropped):
                for key in dropped:
                    assert self.journal.pop(key) == "result"
            case effects.Start(_, key):
                assert self.journal[key] == "task"  # journalled before it is acted on
                assert key not in self.working
                self.working.add(key)
            case effects.Stop(_, key):
                self.working.discard(key)
            case effects.SendResults(_, sent):
                assert self.online
                assert all(self.journal[key] == "result" for key in sent)
            case effects.Send(_, payloads.Accepted(task, attempt)):
                assert (task, attempt) in self.journal
            case _:
                pass

    def check(self) -> None:
        held = self.machine.inventory()
        assert {key for key, what in self.journal.items() if what == "task"} == set(held.unfinished)
        assert {key for key, what in self.journal.items() if what == "result"} == set(held.finished)
        assert self.working == set(held.unfinished)
        load = self.machine.load
        assert load.unfinished == len(held.unfinished) <= BOUNDS.queue_tasks
        assert load.reserved_bytes >= 0
        assert load.stored_bytes + load.reserved_bytes <= BOUNDS.disk_bytes


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(random_events, st.integers(0, 6000)), max_size=60))
def test_no_sequence_of_events_loses_a_task_or_a_result(steps: list[tuple[events.Event, int]]) -> None:
    world, now = _World(), 0
    for event, passed in steps:
        now += passed
        world.step(event, Millis(now))
        world.check()

"""What the agent's machine sends over which way: everything at once, or what is needed, together."""

import msgspec
import pytest
from tests.unit.test_agent_machine import ANNOUNCEMENT, assign, machine
from tests.unit.test_agent_telemetry import machine as machine_with_ring
from tests.unit.test_agent_telemetry import sample

from qfleet_agent.machine import effects, events
from qfleet_agent.machine.machine import Machine
from qfleet_agent.machine.outbox import RESEND_FIRST_MS
from qfleet_agent.machine.telemetry import BATCH
from qfleet_wire import codec, payloads
from qfleet_wire.names import Millis, TaskId
from qfleet_wire.ways import Way, Window

CABLE = Way("cable", "ethernet", Millis(5), 1.0, 30_000)
SKY = Way("sky", "satellite", Millis(6), 700.0, 5_700_000, 2_000)
KEY = (TaskId("t"), 1)


def take(one: Machine, way: Way, now: int = 0) -> list[effects.Effect]:
    sparing = way is SKY
    told = events.WayTaken(1, way, 10 if sparing else 1, sparing)
    return one.handle(told, Millis(now)) + one.handle(events.SessionOpened(2), Millis(now))


def sent(wanted: list[effects.Effect]) -> list[payloads.Up]:
    return [one.payload for one in wanted if isinstance(one, effects.Send)]


def work(one: Machine, now: int = 0) -> list[effects.Effect]:
    """Assign, begin, progress; return all that follows."""
    happened = (
        events.Heard(3, 1, Millis(0), [assign()]),
        events.WorkStarted(4, KEY),
        events.WorkProgressed(5, KEY, 0.5),
    )
    return [wanted for event in happened for wanted in one.handle(event, Millis(now))]


def finish(one: Machine, now: int) -> list[effects.Effect]:
    return one.handle(events.WorkFinished(6, KEY, b"\xc0", "e", "1", 0, 1.0), Millis(now))


@pytest.mark.parametrize("way", [CABLE, SKY])
def test_every_session_tells_the_way_that_it_came_over(way: Way) -> None:
    one = machine()
    (told,) = [item for item in sent(take(one, way)) if isinstance(item, payloads.Announcement)]
    assert told == msgspec.structs.replace(ANNOUNCEMENT, way=way)
    changed = one.handle(events.Announced(9, msgspec.structs.replace(ANNOUNCEMENT, max_qubits=5)), Millis(1))
    (again,) = sent(changed)
    assert isinstance(again, payloads.Announcement)
    assert (again.way, again.max_qubits) == (way, 5)


def test_hints_go_over_a_cable_only_and_acceptances_always() -> None:
    one = machine()
    take(one, CABLE)
    kinds = [type(item) for item in sent(work(one))]
    assert kinds == [payloads.Accepted, payloads.Started, payloads.Progress]
    other = machine()
    take(other, SKY)
    assert [type(item) for item in sent(work(other))] == [payloads.Accepted]


@pytest.mark.parametrize(("way", "patience"), [(CABLE, RESEND_FIRST_MS), (SKY, RESEND_FIRST_MS + 6_800)])
def test_a_result_is_repeated_when_an_answer_could_have_come(way: Way, patience: int) -> None:
    one = machine()
    take(one, way)
    work(one)
    assert any(isinstance(wanted, effects.SendResults) for wanted in finish(one, 0))
    assert one.next_wake() == patience
    assert not one.handle(events.Ticked(7), Millis(patience - 1))
    assert one.handle(events.Ticked(8), Millis(patience)) == [effects.SendResults(8, (KEY,))]


def test_telemetry_is_sent_in_fewer_messages_and_none_is_lost() -> None:
    counts = []
    for way in (CABLE, SKY):
        one = machine_with_ring()
        take(one, way)
        wanted = [each for _ in range(20) for each in sample(one, BATCH)]
        counts.append(sum(isinstance(each, effects.SendTelemetry) for each in wanted))
        assert one.telemetry_held == 20 * BATCH
        assert one.telemetry_lost == 0
    assert counts == [20, 2]


def test_the_next_way_is_spoken_over_in_its_own_manner() -> None:
    one = machine()
    take(one, SKY)
    one.handle(events.SessionLost(3), Millis(10))
    take(one, CABLE, 20)
    assert payloads.Started in [type(item) for item in sent(work(one, 30))]


def contacts(issued: int, *opens: int) -> payloads.Contacts:
    windows = tuple(Window(Millis(one), Millis(one + 10)) for one in opens)
    return payloads.Contacts(issued=Millis(issued), until=Millis(1_000), windows=windows)


def hear(one: Machine, plan: payloads.Contacts) -> list[effects.Effect]:
    return one.handle(events.Heard(9, 0, Millis(0), [plan]), Millis(0))


def test_the_plan_that_was_issued_last_counts_and_is_kept_before_it_is_followed() -> None:
    one = machine()
    first = contacts(5, 100, 200)
    assert hear(one, first) == [effects.SaveContacts(9, codec.encode(first)), effects.Plan(9, first)]
    assert hear(one, first) == hear(one, contacts(4, 300)) == []
    # What says the same again is not written again, but what is older than it stays out.
    assert hear(one, contacts(7, 100, 200)) == []
    assert hear(one, contacts(6, 300)) == []
    assert hear(one, contacts(8)) != []


def test_a_plan_survives_a_restart() -> None:
    one = machine()
    one.handle(events.Restored(1, 0, [], [], contacts=contacts(5, 100)), Millis(0))
    assert hear(one, contacts(4, 300)) == hear(one, contacts(6, 100)) == []
    assert hear(one, contacts(7, 300)) != []


def test_what_a_plan_changes_of_the_way_is_told_at_once_and_once() -> None:
    one = machine()
    again = events.WayTaken(1, SKY, 10, thrifty=True, again=True)
    assert not one.handle(again, Millis(0))  # nobody is there to be told
    take(one, CABLE)
    (told,) = sent(one.handle(again, Millis(1)))
    assert isinstance(told, payloads.Announcement)
    assert told.way == SKY

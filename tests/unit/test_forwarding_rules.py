"""What may be forwarded between devices, how much of it waits, and that nobody keeps others out."""

import pytest

from qfleet_controlplane.link import waiting
from qfleet_controlplane.link.waiting import Waiting
from qfleet_controlplane.machine.forwarding import BURST, Gate, Place, cost_of, judge_receiver
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.payloads import ToPeer

ALICE, BOB, CAROL = DeviceName("alice"), DeviceName("bob"), DeviceName("carol")
NORTH = RegionName("north")
NOW = Millis(1_000_000)


def code(gate: Gate, item: ToPeer, *, status: str | None = "online", now: int = NOW) -> str:
    verdict = gate.judge_sender(ALICE, status, item, Millis(now))
    return "" if verdict is None else verdict.code


@pytest.mark.parametrize("status", ["revoked", "quarantined", "retired", None])
def test_nothing_of_a_device_that_is_shut_out_is_forwarded(status: str | None) -> None:
    assert code(Gate(), ToPeer(BOB, b"x"), status=status) == "shut-out"


@pytest.mark.parametrize("status", ["enrolled", "online", "silent", "lost"])
def test_what_a_device_in_service_sends_is_forwarded(status: str) -> None:
    assert code(Gate(), ToPeer(BOB, bytes(LIMITS.peer_bytes)), status=status) == ""


def test_what_is_too_large_or_for_the_sender_itself_is_refused() -> None:
    assert code(Gate(), ToPeer(BOB, bytes(LIMITS.peer_bytes + 1))) == "size"
    assert code(Gate(), ToPeer(ALICE, b"x")) == "self"


def test_a_sender_has_an_allowance_of_messages_and_bytes_that_time_refills() -> None:
    gate, small, large = Gate(), ToPeer(BOB, b"x"), ToPeer(BOB, bytes(LIMITS.peer_bytes))
    assert [code(gate, small) for _ in range(BURST + 1)] == [""] * BURST + ["rate"]
    assert code(gate, small, now=NOW + 2) == ""
    assert code(gate, small, now=NOW + 2) == "rate"
    assert cost_of(large) == 17
    assert [code(gate, large, now=NOW + 2 + 2 * 17), code(gate, large, now=NOW + 2 + 2 * 17)] == ["", "rate"]
    assert gate.judge_sender(BOB, "online", ToPeer(ALICE, b"x"), NOW) is None, (
        "another's allowance is its own"
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (None, "unknown"),
        (Place(NORTH, "revoked"), "shut-out"),
        (Place(NORTH, "quarantined"), "shut-out"),
        (Place(NORTH, "lost"), ""),
    ],
)
def test_a_receiver_must_be_known_and_in_service(place: Place | None, said: str) -> None:
    verdict = judge_receiver(BOB, place)
    assert (verdict.code if verdict else "") == said


def test_senders_take_turns_and_none_fills_the_lane_of_another() -> None:
    lane = Waiting()
    flood = 0
    while lane.add(ALICE, b"a" * 1000):
        flood += 1
    assert flood == min(waiting.SENDER_BYTES // 1000, waiting.SENDER_ITEMS)
    assert lane.add(BOB, b"b1")
    assert lane.add(BOB, b"b2")
    taken = [bytes(raw)[:2] for raw in lane.take(1 << 20, 4, at_least_one=True)]
    assert taken == [b"aa", b"b1", b"aa", b"b2"]
    assert lane.add(ALICE, b"there is room again")


def test_a_lane_is_bounded_in_all() -> None:
    lane = Waiting()
    added = [lane.add(DeviceName(f"d{number}"), bytes(waiting.SENDER_BYTES)) for number in range(5)]
    assert added == [True] * 4 + [False]
    lane.clear()
    assert not lane
    assert lane.add(CAROL, bytes(waiting.SENDER_BYTES))


def test_a_message_that_does_not_fit_waits_for_the_next_unless_it_would_for_ever() -> None:
    lane = Waiting()
    lane.add(ALICE, bytes(100))
    assert lane.take(50, 10, at_least_one=False) == []
    assert [len(bytes(raw)) for raw in lane.take(50, 10, at_least_one=True)] == [100]
    assert not lane

"""The line of those who ask for sessions: bounded, in order, and with turns for the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_controlplane.link import admission
from qfleet_controlplane.link.admission import Line
from qfleet_wire import door
from qfleet_wire.channel.frames import Kind
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.topics import Channel, DeviceTopic

START = Millis(1_700_000_000_000)


def ask(number: int, payload: bytes = b"") -> door.Frame:
    topic = DeviceTopic(RegionName("north"), DeviceName(f"d-{number}"), Channel.HELLO)
    return door.Frame(Kind.RESUME, topic, payload)


def test_a_fleet_that_comes_at_once_is_answered_in_order_and_never_waits_in_vain() -> None:
    """5,000 devices in one instant against 4 ms each: every one is answered at its first turn or second."""
    line, now, fleet = Line(), float(START), 5_000
    turns = dict.fromkeys(range(fleet), now)
    asked = dict.fromkeys(range(fleet), 0)
    answered: dict[int, float] = {}
    longest = 0
    while len(answered) < fleet:
        for number, turn in list(turns.items()):
            if turn <= now:
                asked[number] += 1
                after = line.enter(ask(number), Millis(int(now)))
                if after:
                    turns[number] = now + after
                else:
                    del turns[number]
        longest = max(longest, len(line))
        taken = line.take(32)
        for request in taken:
            answered[int(request.device.removeprefix("d-"))] = now
        now += max(4.0 * len(taken), 1.0)
    assert longest <= 2_000 == line.most
    assert max(asked.values()) <= 3
    assert sum(asked.values()) < 2 * fleet
    # Turns leave the control plane neither idle nor late.
    assert now - START < 1.1 * 4 * fleet


def test_a_newer_request_takes_the_place_of_the_older_one() -> None:
    line = Line()
    line.enter(ask(1, b"old"), START)
    line.enter(ask(2), START)
    line.enter(ask(1, b"new"), START)
    assert [request.payload for request in line.take(10)] == [b"new", b""]
    assert len(line) == 0


def test_a_device_in_line_may_ask_again_though_the_line_is_full() -> None:
    line = Line()
    for number in range(line.most):
        assert line.enter(ask(number), START) == 0
    assert line.enter(ask(line.most), START) > 0
    assert line.enter(ask(0, b"again"), START) == 0
    line.leave(DeviceName("d-0"))
    assert line.enter(ask(line.most), START) == 0


def test_the_line_is_as_long_as_the_pace_allows() -> None:
    line = Line()
    for _ in range(100):
        line.learn(32, 32 * 20.0)
    assert line.most == pytest.approx(admission.LINE_MS / 20, rel=0.01)
    for _ in range(200):
        line.learn(32, 0.0)
    assert line.most == admission.MOST_WAITING
    for _ in range(200):
        line.learn(1, 10_000.0)
    assert line.most == admission.LEAST_WAITING


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 5_000)), max_size=60))
def test_turns_are_ahead_and_never_too_far(steps: list[tuple[int, int]]) -> None:
    line, now = Line(), START
    for number in range(line.most):
        line.enter(ask(number), now)
    for number, pause in steps:
        now = Millis(now + pause)
        after = line.enter(ask(100_000 + number), now)
        assert 0 < after <= admission.LATEST_MS + admission.LINE_MS


def test_a_clock_that_is_set_back_gives_no_turn_in_years() -> None:
    line = Line()
    for number in range(line.most):
        line.enter(ask(number), START)
    line.enter(ask(1 << 20), START)
    assert line.enter(ask(1 << 21), Millis(START - 86_400_000)) <= admission.LATEST_MS + admission.LINE_MS

"""The rotation of a preshared key: whatever is lost or ended, both interfaces come to have the same key."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.errors import RotationRefused
from qfleet_agent.wireguard import follower, leader, messages
from qfleet_agent.wireguard.follower import Follower
from qfleet_agent.wireguard.keys import Key
from qfleet_agent.wireguard.leader import Leader

INTERVAL_S = 120.0
KEY = Key("one", bytes(32))


class Tunnel:
    """Both ends, their interfaces, and a line, a key delivery and processes that fail with chance."""

    def __init__(self, seed: int, failing: float) -> None:
        self.chance = random.Random(seed)
        self.failing = failing
        self.now = 0.0
        self.leader = Leader(INTERVAL_S, self.now)
        self.follower = Follower()
        self.numbers = itertools.count()
        self.delivered: dict[str, Key] = {}
        self.held: set[str] = set()
        """Keys that the follower has ever had."""
        self.interfaces: list[str | None] = [None, None]

    def fails(self) -> bool:
        return self.chance.random() < self.failing

    def turn(self) -> None:
        """Let the leader take a step, and time go to when it wants another."""
        if self.fails():
            self.leader = Leader(INTERVAL_S, self.now)
        if self.fails():
            self.follower = Follower()
        step = self.leader.step(self.now)
        match step:
            case leader.Wait(until_s):
                assert until_s > self.now
                self.now = until_s
            case leader.Fetch():
                key = Key(f"key-{next(self.numbers)}", bytes(32))
                self.delivered[key.id] = key
                if self.fails():
                    self.leader.failed(self.now)
                else:
                    self.leader.fetched(key)
            case leader.Install(key):
                assert key.id in self.held, "the last key stays until both ends have the new one"
                if self.fails():
                    self.leader.failed(self.now)
                else:
                    self.interfaces[0] = key.id
                    self.leader.installed(key)
            case leader.Ask(question):
                answer = None if self.fails() else self.answered(question)
                if answer is None or self.fails():
                    self.leader.failed(self.now)
                else:
                    read = messages.answer(messages.line(answer), question.key_id)
                    self.leader.heard(read, self.now)

    def answered(self, asked: messages.Question) -> messages.Answer:
        question = messages.question(messages.line(asked))
        while True:
            step = self.follower.step(question)
            match step:
                case follower.Fetch(key_id):
                    if self.fails():
                        return self.chance.choice((messages.Later, messages.Lost))(key_id)
                    key = self.delivered.pop(key_id, None)  # delivered once
                    if key is None:
                        return messages.Lost(key_id)
                    self.held.add(key_id)
                    self.follower.fetched(key)
                case follower.Install(key):
                    if self.fails():
                        return messages.Later(question.key_id)
                    self.interfaces[1] = key.id
                    self.follower.installed(key)
                case _:
                    return step


@given(seed=st.integers(0, 2**32), failing=st.floats(0.0, 0.5))
def test_after_any_faults_both_interfaces_have_the_same_new_key(seed: int, failing: float) -> None:
    tunnel = Tunnel(seed, failing)
    for _ in range(60):
        tunnel.turn()
    tunnel.failing = 0.0
    before, wanted, turns = set(tunnel.interfaces), tunnel.leader.rotations + 2, 0
    while tunnel.leader.rotations < wanted:
        tunnel.turn()
        turns += 1
        assert turns < 40
    mine, other = tunnel.interfaces
    assert mine == other
    assert mine not in before


def test_without_faults_a_rotation_takes_one_key_and_comes_once_an_interval() -> None:
    tunnel = Tunnel(seed=1, failing=0.0)
    while tunnel.now < 10 * INTERVAL_S:
        tunnel.turn()
    assert tunnel.leader.rotations == 10
    assert len(tunnel.held) == 10


def test_tries_come_later_each_time_up_to_a_bound() -> None:
    one, now, waits = Leader(INTERVAL_S, 0.0), 0.0, []
    for _ in range(8):
        assert isinstance(one.step(now), leader.Fetch)
        one.failed(now)
        step = one.step(now)
        assert isinstance(step, leader.Wait)
        waits.append(step.until_s - now)
        now = step.until_s
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_key_is_offered_until_the_follower_cannot_get_it() -> None:
    one = Leader(INTERVAL_S, 0.0)
    one.fetched(KEY)
    one.failed(0.0)
    assert one.step(50.0) == leader.Ask(messages.Offer("one"))
    one.heard(messages.Later("one"), 50.0)
    assert one.step(60.0) == leader.Ask(messages.Offer("one"))
    one.heard(messages.Lost("one"), 60.0)
    assert isinstance(one.step(100.0), leader.Fetch)


def test_when_the_follower_lost_a_key_in_use_another_is_taken_at_once() -> None:
    one = Leader(INTERVAL_S, 0.0)
    one.fetched(KEY)
    one.heard(messages.Have("one"), 0.0)
    one.installed(KEY)
    assert one.step(0.0) == leader.Ask(messages.Use("one"))
    one.heard(messages.Lost("one"), 0.0)
    assert isinstance(one.step(0.0), leader.Fetch)


def test_a_follower_answers_the_same_question_the_same_again() -> None:
    one = Follower()
    assert one.step(messages.Use("one")) == messages.Lost("one")
    assert one.step(messages.Offer("one")) == follower.Fetch("one")
    one.fetched(KEY)
    assert one.step(messages.Offer("one")) == one.step(messages.Offer("one")) == messages.Have("one")
    assert one.step(messages.Use("one")) == follower.Install(KEY)
    one.installed(KEY)
    assert one.step(messages.Use("one")) == one.step(messages.Use("one")) == messages.Done("one")
    assert one.step(messages.Offer("one")) == messages.Have("one")


def test_nothing_shows_a_key() -> None:
    key = Key("one", b"\xaa" * 32)
    assert "aa" not in repr((key, leader.Install(key), follower.Install(key)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"type":"use"}',
        b'{"type":"use","key_id":""}',
        b'{"type":"have","key_id":"a"}',
        b'{"type":"use","key_id":"a b"}',
        b'{"type":"use","key_id":"' + b"a" * 65 + b'"}',
        b"[" * 1000,
    ],
)
def test_what_is_no_question_is_refused(text: bytes) -> None:
    with pytest.raises(RotationRefused, match="no question"):
        messages.question(text)


def test_an_answer_for_another_key_is_refused() -> None:
    with pytest.raises(RotationRefused, match="another key"):
        messages.answer(messages.line(messages.Have("two")), "one")
    with pytest.raises(RotationRefused, match="no answer"):
        messages.answer(messages.line(messages.Use("one")), "one")

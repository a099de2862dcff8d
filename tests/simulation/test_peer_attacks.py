"""A forwarder that reads, reorders, repeats, alters, reflects and mixes up what devices say gains nothing."""

import random
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations

import pytest
from tests.simulation.peer_fleet import ALICE, BOB, CAROL, End
from tests.simulation.wire_fleet import Fleet

from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.peer_frames import Kind
from qfleet_wire.errors import NoSession
from qfleet_wire.names import DeviceName, Millis

MARK = b"key of the two ends"
STEPS = 150
Path = tuple[DeviceName, DeviceName]
"""Who speaks, to whom."""


@cache
def fleet() -> Fleet:
    return Fleet("forwarder")


@cache
def own(name: DeviceName) -> Credentials:
    return fleet().device(name)


@dataclass
class Forwarder:
    """Carries frames of three devices as it pleases, and checks that this gained it nothing."""

    seed: int
    sent: dict[Path, list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.ends = {
            (one, other): End(own(one), other, seed=str(self.seed))
            for one, other in permutations((ALICE, BOB, CAROL), 2)
        }
        self.sent = {path: [] for path in self.ends}
        self.seen: list[tuple[Path, bytes]] = []
        self.waiting: list[tuple[Path, bytes]] = []

    def step(self) -> None:
        honest = [self.act, self.act, self.act, self.deliver, self.deliver, self.deliver, self.deliver]
        hostile = [self.replay, self.alter, self.reflect, self.mix_up, self.splice, self.drop, self.wait]
        self.dice.choice([*honest, *hostile])()
        self.check()

    def act(self) -> None:
        path = self.dice.choice(list(self.ends))
        end = self.ends[path]
        if self.dice.randrange(4) == 0 or not end.path.ready:
            self.carry(path, end.begin())
            return
        text = MARK + b" %d of %d" % (len(self.sent[path]), self.dice.randrange(1 << 30))
        self.carry(path, end.seal(text))
        self.sent[path].append(text)

    def carry(self, path: Path, frame: bytes) -> None:
        self.seen.append((path, frame))
        self.waiting.append((path, frame))

    def deliver(self) -> None:
        if self.waiting:
            self.hand(*self.waiting.pop(self.dice.randrange(len(self.waiting))))

    def hand(self, path: Path, frame: bytes) -> None:
        speaker, hearer = path
        reply = self.ends[hearer, speaker].take(frame)
        if reply is not None:
            self.carry((hearer, speaker), reply)

    def replay(self) -> None:
        if self.seen:
            self.hand(*self.dice.choice(self.seen))

    def alter(self) -> None:
        if self.seen:
            path, frame = self.dice.choice(self.seen)
            altered = bytearray(frame)
            altered[self.dice.randrange(len(altered))] ^= 1 << self.dice.randrange(8)
            self.hand(path, bytes(altered))

    def reflect(self) -> None:
        if self.seen:
            (speaker, hearer), frame = self.dice.choice(self.seen)
            self.hand((hearer, speaker), frame)

    def mix_up(self) -> None:
        """Say that a frame comes from, or hand it to, another device than its own."""
        if self.seen:
            _, frame = self.dice.choice(self.seen)
            self.hand(self.dice.choice(list(self.ends)), frame)

    def splice(self) -> None:
        if len(self.seen) > 1:
            (path, one), (_, two) = self.dice.sample(self.seen, 2)
            cut = self.dice.randrange(min(len(one), len(two)))
            self.hand(path, one[:cut] + two[cut:])

    def drop(self) -> None:
        if self.waiting:
            self.waiting.pop(self.dice.randrange(len(self.waiting)))

    def wait(self) -> None:
        ahead = self.dice.choice([1, 1000, 31_000, 70_000, 700_000])
        for end in self.ends.values():
            end.now = Millis(end.now + ahead)

    def check(self) -> None:
        for (one, other), end in self.ends.items():
            assert set(end.read) <= set(self.sent[other, one]), "something was read that was never sent here"
            assert len(end.read) == len(set(end.read)), "something was read twice"
        assert all(MARK not in frame for _, frame in self.seen), "the forwarder reads along"

    def settle(self) -> None:
        """Carry everything as an honest forwarder would, until nothing is under way."""
        while self.waiting:
            self.hand(*self.waiting.pop(0))


def run(seed: int) -> Forwarder:
    forwarder = Forwarder(seed)
    for _ in range(STEPS):
        forwarder.step()
    return forwarder


@pytest.mark.parametrize("seed", range(12))
def test_a_hostile_forwarder_gains_nothing_and_cannot_stop_what_comes_after(seed: int) -> None:
    forwarder = run(seed)
    forwarder.wait()
    for end in forwarder.ends.values():
        end.now = Millis(end.now + 700_000)
    for path, end in forwarder.ends.items():
        forwarder.carry(path, end.begin())  # both sides of every path at once
    forwarder.settle()
    for number in range(2):
        for path, end in forwarder.ends.items():
            text = b"safe %d" % number
            forwarder.sent[path].append(text)
            try:
                forwarder.carry(path, end.seal(text))
            except NoSession:
                assert number == 0, path
            forwarder.settle()
    forwarder.check()
    for end in forwarder.ends.values():
        assert end.read[-1] == b"safe 1"


def test_the_schedules_do_reach_sessions_and_every_kind_of_frame_and_drop() -> None:
    forwarders = [run(seed) for seed in range(100, 108)]
    ends = [end for one in forwarders for end in one.ends.values()]
    assert {frame[0] for one in forwarders for _, frame in one.seen} == {int(kind) for kind in Kind}
    assert sum(len(end.read) for end in ends) > 20
    assert sum(end.opened for end in ends) > 20
    dropped = [text for end in ends for text in end.dropped]
    for reason in ("forged", "replayed", "stale", "it came to", "nobody waits for"):
        assert any(reason in text for text in dropped), reason

"""Two ends of a stream over packets that get lost, doubled and reordered, one of which begins anew."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.wire_fleet import seeded

from qfleet_agent.peers import stream
from qfleet_agent.peers.stream import Cut, Packet, Stream
from qfleet_wire import codec
from qfleet_wire.channel.peering import MOST_PLAINTEXT
from qfleet_wire.names import Millis


@dataclass
class Air:
    """Two ends, and what is under way between them."""

    seed: int
    loss: float = 0.3
    now: int = 0
    under_way: list[tuple[int, int, bytes, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.ends = [Stream(seeded((self.seed, side))) for side in (0, 1)]
        self.read: list[list[bytes | Cut]] = [[], []]
        self.sent: list[list[bytes]] = [[], []]
        self.packets = 0
        self.generation = 1

    def say(self, side: int, text: bytes) -> None:
        self.ends[side].put(text)
        self.sent[side].append(text)

    def step(self) -> None:
        """Send what is due, deliver what has arrived, and let time pass."""
        for side, end in enumerate(self.ends):
            for packet in end.packets(Millis(self.now)):
                self.packets += 1
                for _ in range(self.dice.choice([1, 1, 1, 2])):
                    if self.dice.random() >= self.loss:
                        self.under_way.append(
                            (self.now + self.dice.randrange(1, 400), 1 - side, packet, self.generation)
                        )
        self.now += 20
        arrived = [one for one in self.under_way if one[0] <= self.now]
        self.under_way = [one for one in self.under_way if one[0] > self.now]
        for _, side, packet, generation in sorted(arrived, key=lambda one: one[0]):
            self.ends[side].take(packet, generation, Millis(self.now))
        self.hear()

    def hear(self) -> None:
        for side, end in enumerate(self.ends):
            while (got := end.read()) is not None:
                self.read[side].append(got)

    def begin_anew(self, side: int) -> None:
        """One end's process starts again: it has none of the old sessions, the other end may still have."""
        self.ends[side] = Stream(seeded((self.seed, side, "anew")))
        self.under_way = [one for one in self.under_way if one[1] != side]
        self.generation += 1

    def settle(self, steps: int = 4000) -> None:
        for _ in range(steps):
            self.step()
            if all(end.joined and not end.unconfirmed for end in self.ends):
                return
        raise AssertionError("the two ends do not come to rest")


@pytest.mark.parametrize("seed", range(20))
def test_everything_arrives_once_and_in_order_both_ways(seed: int) -> None:
    air = Air(seed)
    for number in range(120):
        air.say(number % 2, b"%d" % number + bytes(air.dice.randrange(2000)))
        if number % 7 == 0:
            air.step()
    air.settle()
    assert air.read == [air.sent[1], air.sent[0]]


@pytest.mark.parametrize("seed", range(20))
def test_an_end_that_begins_anew_cuts_the_stream_and_never_doubles_or_reorders_anything(seed: int) -> None:
    air = Air(seed, loss=0.2)
    for number in range(40):
        air.say(number % 2, b"before %d" % number)
    for _ in range(air.dice.randrange(3, 60)):
        air.step()
    air.begin_anew(0)  # what is under way from before still arrives
    before, air.read[0] = air.read[0], []
    for _ in range(air.dice.randrange(1, 40)):
        air.step()
    for number in range(40):
        air.say(number % 2, b"after %d" % number)
        air.step()
    air.settle()
    assert before == air.sent[1][: len(before)]
    _check_pieces(air.read[1], air.sent[0])
    _check_pieces(air.read[0], air.sent[1])
    assert sum(isinstance(got, Cut) for got in air.read[1]) <= 1
    assert not any(isinstance(got, Cut) for got in air.read[0]), "the new end knew no other"
    assert air.read[1][-20:] == [text for text in air.sent[0] if text.startswith(b"after")]


def _check_pieces(read: list[bytes | Cut], sent: list[bytes]) -> None:
    """Between two cuts everything is in order without gap, and nothing comes twice."""
    numbers = [sent.index(got) if isinstance(got, bytes) else None for got in read]
    for one, after in pairwise(numbers):
        if one is not None and after is not None:
            assert after == one + 1
    known = [number for number in numbers if number is not None]
    assert len(known) == len(set(known))
    assert known == sorted(known)


def joined() -> Air:
    air = Air(0, loss=0.0)
    air.settle()
    return air


def test_a_cut_says_how_much_may_be_lost_and_ids_of_before_never_count_again() -> None:
    air = joined()
    old = air.ends[0]._packet(())
    air.say(1, b"never confirmed")
    air.ends[1].packets(Millis(air.now))
    air.begin_anew(0)
    (hello,) = air.ends[0].packets(Millis(air.now))
    assert air.ends[1].take(hello, air.generation, Millis(air.now))
    assert air.ends[1].read() == Cut(1)
    assert not air.ends[1].take(old, air.generation - 1, Millis(air.now)), "of an end that is no more"
    air.settle()
    assert air.ends[1].read() is None


def test_who_does_not_read_stops_the_sender_and_loses_nothing() -> None:
    air = joined()
    texts = [b"%d" % number for number in range(stream.MOST_WAITING + 600)]
    heard, air.hear = air.hear, lambda: None  # type: ignore[method-assign]  # nobody reads for now
    for text in texts:
        while not air.ends[0].has_room:
            air.step()
        air.say(0, text)
    for _ in range(100):
        air.step()
    assert air.ends[0].unconfirmed == 600
    air.hear = heard  # type: ignore[method-assign]  # somebody reads again
    air.settle()
    assert air.read[1] == texts


def test_what_is_not_confirmed_is_repeated_later_and_later() -> None:
    air = joined()
    air.say(0, b"lost")
    times, now = [], air.now
    for _ in range(8):
        assert air.ends[0].packets(Millis(now))
        assert not air.ends[0].packets(Millis(now)), "nothing is owed until the timeout"
        wake = air.ends[0].wake()
        assert wake is not None
        times.append(wake - now)
        now = wake
    assert times[1:4] == [2 * times[0], 4 * times[0], 8 * times[0]]
    assert times[-1] == stream.MOST_MS


def test_small_messages_share_packets_and_the_largest_fits_one() -> None:
    air = joined()
    before = air.packets
    for number in range(200):
        air.say(0, b"%d" % number)
    air.settle()
    assert air.packets - before < 20
    air.say(0, bytes(stream.MOST_MESSAGE))
    (packet,) = air.ends[0].packets(Millis(air.now))
    assert len(packet) <= MOST_PLAINTEXT


@given(st.binary(max_size=200))
def test_junk_changes_nothing(junk: bytes) -> None:
    end = Stream(seeded("junk"))
    assert not end.take(junk, 1, Millis(0)) or codec.decode(junk, Packet)
    assert end.read() is None

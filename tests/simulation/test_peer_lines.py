"""Two key processes over a forwarder that loses, doubles, delays and reorders, and of which one is killed."""

import random
from dataclasses import dataclass
from functools import cache, cached_property

import pytest
from tests.simulation.peer_fleet import ALICE, BOB
from tests.simulation.wire_fleet import Fleet, seeded

from qfleet_agent.keylink.protocol import NotSent
from qfleet_agent.peers.line import HELLO_LIVES_MS, Around, Line
from qfleet_agent.peers.stream import Cut
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security

TICK_MS = 50
SIDES = (ALICE, BOB)


@cache
def fleet() -> Fleet:
    return Fleet("lines")


@cache
def own(name: DeviceName) -> Credentials:
    return fleet().device(name)


@dataclass
class Forwarder:
    """Both ends under one clock, and what is under way; ``loss`` is a probability."""

    seed: int
    loss: float = 0.25

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.now = 1_000
        self.starts = 0
        self.online = dict.fromkeys(SIDES, True)
        self.under_way: list[tuple[int, DeviceName, bytes]] = []
        self.carried = 0
        self.lines = {name: self.line(name) for name in SIDES}
        self.sent: dict[DeviceName, list[bytes]] = {name: [] for name in SIDES}
        self.read: dict[DeviceName, list[bytes | Cut]] = {name: [] for name in SIDES}

    def line(self, name: DeviceName) -> Line:
        """A key process of this device, just started."""
        self.starts += 1
        peer = BOB if name == ALICE else ALICE
        around = Around(
            own=lambda: own(name),
            standing=lambda: Standing(Millis(0)),
            online=lambda: self.online[name],
            post=lambda to, body: self.post(name, to, body),
            now=lambda: Millis(self.now),
            random=seeded((self.seed, name, self.starts)),
            security=Security(rekey_minutes=1),
        )
        return Line(peer, around)

    def post(self, name: DeviceName, to: DeviceName, body: bytes) -> bool:
        assert to != name
        if not self.online[name]:
            return False
        self.carried += 1
        for _ in range(self.dice.choice([1, 1, 1, 2])):
            if self.dice.random() >= self.loss:
                self.under_way.append((self.now + self.dice.randrange(20, 900), to, body))
        return True

    def say(self, name: DeviceName, text: bytes) -> None:
        self.lines[name]._stream.put(text)
        self.sent[name].append(text)

    def tick(self) -> None:
        self.now += TICK_MS
        arrived = sorted((one for one in self.under_way if one[0] <= self.now), key=lambda one: one[0])
        self.under_way = [one for one in self.under_way if one[0] > self.now]
        for _, to, body in arrived:
            if self.online[to]:
                self.lines[to].take(body)
        for name, line in self.lines.items():
            line._step()
            while (got := line._stream.read()) is not None:
                self.read[name].append(got)

    def until_rest(self, ticks: int = 6000) -> None:
        for _ in range(ticks):
            self.tick()
            if all(line.open and not line.unconfirmed for line in self.lines.values()):
                return
        troubles = [line.trouble for line in self.lines.values()]
        raise AssertionError(f"the two do not come to rest: {troubles}")

    def kill(self, name: DeviceName) -> list[bytes | Cut]:
        """End a key process where it stands and start another; return what the first had read."""
        read, self.read[name] = self.read[name], []
        self.lines[name] = self.line(name)
        self.sent[name].append(b"(killed)")
        return read


def in_order(read: list[bytes | Cut], sent: list[bytes]) -> bool:
    """Whether what was read stands in what was sent, in order and once."""
    places = [sent.index(got) for got in read if isinstance(got, bytes)]
    return places == sorted(set(places))


@pytest.mark.parametrize("seed", range(6))
def test_all_arrives_once_and_in_order_over_rekeying_and_away_times(seed: int) -> None:
    both = Forwarder(seed)
    for number in range(60):
        for name in SIDES:
            both.say(name, b"%d of %s" % (number, name.encode()))
        for _ in range(30):  # a minute and a half in all: each end rekeys
            both.tick()
        if number == 20:
            both.online[BOB] = False
        if number == 24:
            both.online[BOB] = True
            both.lines[BOB].changed()
    both.until_rest()
    assert both.read == {ALICE: both.sent[BOB], BOB: both.sent[ALICE]}


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_process_cuts_the_line_once_and_what_follows_arrives(seed: int) -> None:
    both = Forwarder(seed)
    for number in range(30):
        for name in SIDES:
            both.say(name, b"before %d of %s" % (number, name.encode()))
    for _ in range(both.dice.randrange(20, 200)):
        both.tick()
    first = both.kill(ALICE)
    if seed % 2:
        both.say(ALICE, b"early of alice")
    both.until_rest()
    for number in range(30):
        for name in SIDES:
            both.say(name, b"after %d of %s" % (number, name.encode()))
    both.until_rest()
    assert first == both.sent[BOB][: len(first)]
    assert in_order(both.read[BOB], both.sent[ALICE])
    assert in_order(both.read[ALICE], both.sent[BOB])
    assert sum(isinstance(got, Cut) for got in both.read[BOB]) <= 1
    for name, other in ((ALICE, BOB), (BOB, ALICE)):
        after = [text for text in both.sent[other] if text.startswith(b"after")]
        assert both.read[name][-30:] == after


class Silence(Forwarder):
    """Nobody answers."""

    def post(self, name: DeviceName, to: DeviceName, body: bytes) -> bool:
        assert to != name
        self.said.append(body)
        return True

    @cached_property
    def said(self) -> list[bytes]:
        return []


def test_the_same_hello_is_said_again_and_later_a_new_one() -> None:
    alone = Silence(1)
    for _ in range((2 * HELLO_LIVES_MS) // TICK_MS):
        alone.now += TICK_MS
        alone.lines[ALICE]._step()
    assert 6 <= len(alone.said) <= 20, "it backs off"
    assert 2 <= len(set(alone.said)) <= 4


def test_a_refusal_to_forward_is_shown_and_slows_down() -> None:
    alone = Forwarder(1)
    line = alone.lines[ALICE]
    line._step()
    carried = alone.carried
    line.not_sent(NotSent(BOB, 1, "away", "device 'bob' has no session"))
    assert line.trouble == "device 'bob' has no session"
    assert line._step() == pytest.approx(0.5)
    assert alone.carried == carried

"""Relays of keys: what along the route and between the ends makes the key, and who can know it."""

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_agent.relay import combining, effects, messages, pads, source
from qfleet_agent.relay.combining import Agreement
from qfleet_agent.relay.errors import RelayForged, RelayMisused, RelayRefused
from qfleet_agent.relay.messages import Arrived, Gone, Hop, Message, Opening, Settled
from qfleet_agent.relay.node import Node
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.source import Source
from qfleet_agent.relay.states import State
from qfleet_agent.relay.target import Restored, Target
from qfleet_wire.channel import xwing

ROUTE = ("munich", "micius", "nairobi", "cape-town")
PLAN = Plan(relay=bytes(range(16)), route=ROUTE, size=64)
DRAWN = random.Random(8)
SHARED = [DRAWN.randbytes(32), DRAWN.randbytes(32)]
SECRETS = [DRAWN.randbytes(pads.secret_bytes(PLAN)) for _ in range(2)]
PAD = DRAWN.randbytes(pads.pad_bytes(PLAN))


class Fleet:
    """The devices of a route, their key stores, and paths that lose, repeat and reorder."""

    def __init__(self, seed: int, losing: float = 0.0, restarting: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.losing, self.restarting = losing, restarting
        self.numbers = itertools.count()
        self.pads: dict[tuple[str, str, bytes], bytes] = {}
        self.spent: set[bytes] = set()
        self.kept: dict[str, effects.Keep] = {}
        self.released: dict[str, bytes] = {}
        self.ever: dict[str, set[bytes]] = {name: set() for name in ROUTE}
        self.alarms: list[str] = []
        self.flying: list[tuple[str, str, bytes]] = []
        self.seen: list[tuple[str, bytes]] = []
        """What each node saw under its pads."""
        self.source: Source | None = Source(PLAN, self.chance.randbytes)
        self.nodes = {name: Node(PLAN, name) for name in PLAN.trusted}
        self.target: Target | None = None
        self.alter = False

    def begin(self) -> None:
        assert self.source is not None
        self.do(PLAN.source, self.source.begin())

    def do(self, name: str, wanted: list[effects.Effect]) -> None:
        for effect in wanted:
            self.do_one(name, effect)

    def do_one(self, name: str, effect: effects.Effect) -> None:
        match effect:
            case effects.Send(to, message):
                self.flying.append((name, to, messages.encode(message)))
            case effects.Take(_, neighbour, size):
                pad_id, pad = next(self.numbers).to_bytes(16, "big"), self.chance.randbytes(size)
                self.pads[name, neighbour, pad_id] = pad
                taker = self.device(name)
                assert not isinstance(taker, Target)
                self.do(name, taker.took(pad_id, pad))
            case effects.Fetch(_, neighbour, pad_id):
                device = self.device(name)
                assert not isinstance(device, Source)
                found = self.pads.pop((neighbour, name, pad_id), None)
                if found is None:
                    self.do(name, device.unfetched("there is no such pad"))
                else:
                    assert pad_id not in self.spent, "a pad serves once"
                    self.spent.add(pad_id)
                    self.do(name, device.fetched(found))
            case effects.Keep():
                self.ever[name].add(effect.key)
                self.kept[name] = effect
                if effect.released:
                    self.released[name] = effect.key
            case effects.Release():
                self.released[name] = self.kept[name].key
            case effects.Destroy():
                assert name not in self.released
                self.kept.pop(name, None)
            case effects.Alarm(_, seen):
                self.alarms.append(seen)

    def device(self, name: str) -> "Source | Node | Target":
        if name == PLAN.source:
            assert self.source is not None
            return self.source
        if name == PLAN.target:
            return self.waiting
        return self.nodes[name]

    @property
    def waiting(self) -> Target:
        if self.target is None:
            held = self.kept.get(PLAN.target)
            if held is None:
                self.target = Target(PLAN, PLAN.target, self.chance.randbytes)
            else:
                self.target = Restored(PLAN, PLAN.target, Arrived(PLAN.relay, held.ciphertext, held.proof))
        return self.target

    def turn(self) -> None:
        """Carry a message, or let time pass."""
        if self.chance.random() < self.restarting:
            self.restart(self.chance.choice(ROUTE))
        if not self.flying:
            self.nudge()
            return
        sender, to, data = self.flying.pop(self.chance.randrange(len(self.flying)))
        if self.chance.random() < self.losing:
            return
        if self.chance.random() < self.losing:
            self.flying.append((sender, to, data))
        self.deliver(sender, to, messages.decode(data))

    def deliver(self, sender: str, to: str, message: Message) -> None:
        if self.alter and isinstance(message, Hop) and sender == PLAN.trusted[-1]:
            # A node that is not honest: it knows its pad, so its tag is right.
            pad = self.pads[sender, to, message.pad]
            other = bytes(len(message.covered))
            covered, tag = pads.cover(PLAN, message.at, other, pad)
            message = Hop(PLAN, message.at, message.pad, covered, tag)
        if to == PLAN.source and self.source is None:
            self.do(to, source.stranger(sender, message, released=to in self.released))
        elif to == PLAN.target and PLAN.target in self.released:
            return
        else:
            self.do(to, self.device(to).heard(sender, message))

    def nudge(self) -> None:
        if self.source is not None:
            self.do(PLAN.source, self.source.nudged())
        if PLAN.target not in self.released:
            self.do(PLAN.target, self.waiting.nudged())

    def restart(self, name: str) -> None:
        if name == PLAN.source:
            self.source = None
        elif name == PLAN.target:
            self.target = None
        else:
            self.nodes[name] = Node(PLAN, name)

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()


def test_both_ends_get_the_same_key_and_each_hop_uses_one_pad() -> None:
    fleet = Fleet(seed=1)
    fleet.begin()
    fleet.run(20)
    assert fleet.released[PLAN.source] == fleet.released[PLAN.target]
    assert len(fleet.released[PLAN.source]) == PLAN.size
    assert len(fleet.spent) == len(ROUTE) - 1
    assert fleet.kept[PLAN.target].plan.trusted == ("micius", "nairobi")
    assert not fleet.alarms


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), losing=st.floats(0.0, 0.4), restarting=st.floats(0.0, 0.2))
def test_whatever_is_lost_or_restarts_no_end_uses_a_key_that_the_other_lacks(
    seed: int, losing: float, restarting: float
) -> None:
    fleet = Fleet(seed, losing, restarting)
    fleet.begin()
    for _ in range(60):
        fleet.turn()
        for name, key in fleet.released.items():
            (other,) = {PLAN.source, PLAN.target} - {name}
            assert fleet.kept[other].key == key
    fleet.losing = fleet.restarting = 0.0
    if fleet.source is not None and fleet.source.state is not State.RELEASED:
        fleet.do(PLAN.source, fleet.source.give_up("it took too long"))
    fleet.run(60)
    assert set(fleet.released) in ({PLAN.source, PLAN.target}, set())
    assert fleet.released or PLAN.target not in fleet.kept, "what is not released is destroyed"
    assert not fleet.alarms


def test_all_nodes_together_know_the_secret_and_not_the_key() -> None:
    # The attacker holds every node, every pad, and every message between the ends.
    agreed = _agreements()
    keys = [combining.combine(PLAN, SECRETS[0], agreement).key for agreement in agreed]
    secret = SECRETS[0][: PLAN.size]
    assert _distance(keys[0], keys[1]) > 0.3, "the key depends on what no node sees"
    assert all(_distance(key, secret) > 0.3 for key in keys)


def test_the_post_quantum_secret_alone_leaves_every_key_possible() -> None:
    # With X-Wing broken, key = secret xor a stream that is known: each key belongs to exactly one secret.
    agreement = next(_agreements())
    first, second = (combining.combine(PLAN, secret, agreement).key for secret in SECRETS)
    stream = bytes(a ^ b for a, b in zip(first, SECRETS[0], strict=False))
    wanted = bytes(PLAN.size)
    fitting = stream + SECRETS[0][PLAN.size :]
    assert combining.combine(PLAN, fitting, agreement).key == wanted
    assert bytes(a ^ b for a, b in zip(second, SECRETS[1], strict=False)) == stream


def test_the_blinding_part_of_the_secret_is_in_the_proof_and_not_in_the_key() -> None:
    agreement = next(_agreements())
    other = SECRETS[0][: PLAN.size] + SECRETS[1][PLAN.size :]
    first, second = (combining.combine(PLAN, secret, agreement) for secret in (SECRETS[0], other))
    assert first.key == second.key
    assert first.proof != second.proof


def test_a_key_depends_on_the_relay_its_route_and_its_size() -> None:
    agreement = next(_agreements())
    plans = [
        PLAN,
        Plan(relay=bytes(16), route=ROUTE, size=64),
        Plan(relay=PLAN.relay, route=(ROUTE[0], ROUTE[2], ROUTE[1], ROUTE[3]), size=64),
    ]
    assert len({combining.combine(plan, SECRETS[0], agreement).key for plan in plans}) == len(plans)


def test_a_node_that_alters_the_secret_is_found_out() -> None:
    fleet = Fleet(seed=2)
    fleet.alter = True
    fleet.begin()
    fleet.run(40)
    assert not fleet.released
    assert fleet.alarms == ["the target has another secret than was sent: a node of the route altered it"]
    assert PLAN.target not in fleet.kept


@given(st.integers(0, 8 * pads.secret_bytes(PLAN) - 1))
def test_what_is_altered_between_two_nodes_does_not_bear_its_tag(bit: int) -> None:
    covered, tag = pads.cover(PLAN, 1, SECRETS[0], PAD)
    assert pads.uncover(PLAN, 1, covered, tag, PAD) == SECRETS[0]
    wrong = bytearray(covered)
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RelayForged, match="micius - nairobi"):
        pads.uncover(PLAN, 1, bytes(wrong), tag, PAD)
    with pytest.raises(RelayForged):
        pads.uncover(PLAN, 0, covered, tag, PAD)


def test_a_forged_hop_alarms_and_goes_back() -> None:
    node = Node(PLAN, "micius")
    covered, tag = pads.cover(PLAN, 0, SECRETS[0], PAD)
    wanted = node.heard("munich", Hop(PLAN, 0, bytes(16), covered[::-1], tag))
    assert wanted == [effects.Fetch(PLAN, "munich", bytes(16))]
    alarm, answer = node.fetched(PAD)
    assert isinstance(alarm, effects.Alarm)
    assert answer == effects.Send("munich", Gone(PLAN.relay, "the secret arrived altered"))


def test_a_hop_that_comes_twice_takes_no_second_pad() -> None:
    node = Node(PLAN, "micius")
    covered, tag = pads.cover(PLAN, 0, SECRETS[0], PAD)
    hop = Hop(PLAN, 0, bytes(16), covered, tag)
    node.heard("munich", hop)
    assert node.heard("munich", hop) == []
    node.fetched(PAD)
    sent = node.took(bytes(range(16)), PAD)
    assert node.heard("munich", hop) == sent


@pytest.mark.parametrize(
    ("sender", "message"),
    [
        ("nairobi", Hop(PLAN, 0, bytes(16), b"", b"")),
        ("munich", Hop(PLAN, 1, bytes(16), b"", b"")),
        ("munich", Hop(Plan(relay=bytes(16), route=ROUTE, size=64), 0, bytes(16), b"", b"")),
    ],
)
def test_a_node_refuses_what_is_not_its_neighbours(sender: str, message: Message) -> None:
    with pytest.raises(RelayRefused, match="not its"):
        Node(PLAN, "micius").heard(sender, message)


def test_a_target_refuses_strangers_and_a_second_key() -> None:
    target = Target(PLAN, PLAN.target, DRAWN.randbytes)
    first, second = (Opening(PLAN, xwing.generate(DRAWN.randbytes).public) for _ in range(2))
    with pytest.raises(RelayRefused, match="not its"):
        target.heard("micius", first)
    assert target.heard(PLAN.source, first) == target.heard(PLAN.source, first)
    with pytest.raises(RelayRefused, match="another key"):
        target.heard(PLAN.source, second)
    with pytest.raises(RelayRefused, match="not its"):
        target.heard(PLAN.source, Hop(PLAN, 2, bytes(16), b"", b""))
    assert target.heard("micius", Settled(PLAN.relay)) == []


def test_a_target_that_was_restarted_has_the_source_begin_anew() -> None:
    target = Target(PLAN, PLAN.target, DRAWN.randbytes)
    (said,) = target.heard("nairobi", Hop(PLAN, 2, bytes(16), b"", b""))
    assert said == effects.Send(PLAN.source, Gone(PLAN.relay, "the target was restarted"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"relay": b"short"}, "named by 16 bytes"),
        ({"route": ROUTE[:2]}, "3 to 32 devices"),
        ({"route": ("a", "b", "a")}, "twice"),
        ({"route": ("a", "B c", "d")}, "device"),
        ({"size": 8}, "16 to 16384 bytes"),
        ({"size": 1 << 20}, "16 to 16384 bytes"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    whole: dict[str, object] = {"relay": bytes(16), "route": ROUTE, "size": 64}
    with pytest.raises(RelayMisused, match=said):
        Plan(**{**whole, **changes})  # type: ignore[arg-type]  # that is what is tried


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(RelayRefused):
        messages.decode(data)


def test_a_message_with_a_plan_that_cannot_be_is_refused() -> None:
    good = messages.encode(Hop(PLAN, 0, bytes(16), b"", b""))
    assert messages.relay_of(messages.decode(good)) == PLAN.relay
    with pytest.raises(RelayRefused, match="twice"):
        messages.decode(good.replace(b"micius", b"munich"))
    with pytest.raises(RelayRefused, match="bytes"):
        messages.decode(bytes(40_000))


def test_nothing_shows_a_secret() -> None:
    agreement = Agreement(b"", b"", b"\xaa" * 32)
    kept = effects.Keep(PLAN, "x", b"\xaa" * 64, released=True)
    assert "aa" not in repr((agreement, combining.Combined(b"\xaa" * 64, b""), kept))


def _agreements() -> Iterator[Agreement]:
    for shared in SHARED:
        yield Agreement(b"public", b"ciphertext", shared)


def _distance(left: bytes, right: bytes) -> float:
    """Share of bits that differ."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).bit_count() / (8 * len(left))

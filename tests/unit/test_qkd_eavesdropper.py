"""A session that somebody listens to, or forges: an alarm and no key, or a key that is shorter by enough."""

import functools

import msgspec
import numpy as np
import pytest
from tests.unit import qkd_world
from tests.unit.qkd_cases import BRIGHT, BRIGHT_PAIRS, LINE, PULSES, SOURCE
from tests.unit.qkd_world import ENDS, Law, Told, World

from qfleet_agent.qkd import authentication, plan
from qfleet_agent.qkd.exchange import messages
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.cascade import Cascade
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.states import State
from qfleet_agent.qkd.quantum import attacks, laws
from qfleet_wire import codec
from qfleet_wire.key_plans import Authentication

LOSSY = msgspec.structs.replace(PULSES, block_pulses=20_000_000)
QUICK = msgspec.structs.replace(BRIGHT, block_pulses=70_000, secrecy=1e-3)
LINK_KEY = np.random.default_rng(6).bytes(authentication.KEY_BYTES)
NEAR = laws.of_pulses(SOURCE, BRIGHT.line)
assert isinstance(BRIGHT_PAIRS.protocol, plan.Pairs)
NEAR_PAIRS = laws.of_pairs(BRIGHT_PAIRS.protocol, BRIGHT_PAIRS.line)

LISTENERS: dict[str, tuple[plan.Plan, Law, str]] = {
    "intercept": (BRIGHT, attacks.intercept_resend(NEAR, 0.7), "error-rate"),
    "intercept pairs": (BRIGHT_PAIRS, attacks.intercept_resend(NEAR_PAIRS, 0.7), "error-rate"),
    "blinding of pairs": (BRIGHT_PAIRS, attacks.blinding_pairs(NEAR_PAIRS), "count-rate"),
    "splitting": (LOSSY, attacks.photon_number_splitting(SOURCE, LINE), "decoy-yields"),
    "half splitting": (LOSSY, attacks.photon_number_splitting(SOURCE, LINE, blocked=0.7), "decoy-yields"),
    "blinding": (LOSSY, attacks.blinding(SOURCE, LINE, efficiency=0.04), "dark-counts"),
}


def run(session: plan.Plan, law: Law = None) -> World:
    world = qkd_world.world(session, Told(), law=law)
    world.begin()
    world.run()
    assert world.settled()
    return world


@pytest.mark.parametrize("attack", LISTENERS)
def test_a_listener_ends_in_an_alarm_at_both_ends_and_no_key(attack: str) -> None:
    session, law, reason = LISTENERS[attack]
    world = run(session, law)
    for role in ENDS:
        assert world.disks[role].destroyed
        assert not world.disks[role].usable
        assert world.ends[role].record.why in {alarm.reason for _, alarm in world.alarms}
    assert {(role, alarm.reason) for role, alarm in world.alarms} >= {("alice", reason), ("bob", reason)}
    assert all(any(digit.isdigit() for digit in alarm.seen) for _, alarm in world.alarms)


def test_a_listener_in_the_key_basis_alone_is_heard_too() -> None:
    """She guesses the check basis always: no error there, and half of the key basis spoilt."""
    world = run(BRIGHT, attacks.intercept_resend(NEAR, 0.5, key_basis=0.0))
    assert {alarm.seen.split(" of ")[1].split(",")[0] for _, alarm in world.alarms}
    assert all("bits of the key basis, above the bound" in alarm.seen for _, alarm in world.alarms)
    assert {alarm.reason for _, alarm in world.alarms} == {"error-rate"}


def test_below_the_bound_the_key_is_shorter_by_what_she_may_know() -> None:
    """With the leak of a real reconciliation: what is left, what was told and what she saw fit in the key."""
    lengths, leaks = [], []
    for share in (0.0, 0.02, 0.05):
        world = qkd_world.world(BRIGHT, Cascade("original"), law=attacks.intercept_resend(NEAR, share))
        world.begin()
        world.run()
        assert world.settled()
        assert world.alarms == []
        estimate = world.ends["alice"].record.estimate
        key = world.disks["alice"].key
        assert estimate is not None
        assert key is not None
        assert estimate.bits == 8 * len(key)
        # Half of what she measured was in the key basis; single photons are less than the sifted bits.
        assert estimate.bits + estimate.leak_bits < (1.0 - share / 2.0) * estimate.single
        lengths.append(estimate.bits)
        leaks.append(estimate.leak_bits)
    assert lengths == sorted(lengths, reverse=True)
    assert leaks == sorted(leaks)
    assert lengths[0] - lengths[-1] > leaks[-1] - leaks[0]  # more is taken off than the further leak alone


def test_keys_that_differ_do_not_pass() -> None:
    """A reconciliation that fails unseen: the hash of the verification tells."""
    world = qkd_world.world(BRIGHT, Told(spoil=True))
    world.begin()
    world.run()
    assert world.settled()
    assert [(role, alarm.reason) for role, alarm in world.alarms] == [("bob", "verification")]
    assert world.alarms[0][1].seen.endswith("corrected bits differ by a hash of 50 bits")
    assert world.ends["alice"].record.why == "verification"


@functools.cache
def path(authentication_: Authentication) -> tuple[tuple[World, Role], ...]:
    """The world before each message, and who is to hear it."""
    session = msgspec.structs.replace(QUICK, authentication=authentication_)
    key = LINK_KEY if authentication_ == "tagged" else b""
    world, found = qkd_world.world(session, Told(), link_key=key), []
    world.begin()
    while ready := [role for role in ENDS if world.way[role]]:
        found.append((world.copy(), ready[0]))
        world.step(ready[0])
    assert world.settled()
    assert world.disks["bob"].usable
    return tuple(found)


def test_who_broke_the_seal_and_changes_a_message_makes_no_key_of_it() -> None:
    """A man in the middle of a sealed path without tags: no key, or the same one at both ends."""
    aborted = 0
    for number, (before, role) in enumerate(path("sealed")):
        for position in (11, 1000 * number + 77, -5):
            world = before.copy()
            data = world.way[role][0]
            kind = msgspec.msgpack.decode(codec.decode(data, messages.Envelope).body)["type"]
            world.way[role][0] = qkd_world.tampered(data, position)
            world.run()
            assert world.settled()
            aborted += not world.disks["bob"].usable
            if not world.disks["bob"].usable:
                assert world.alarms
            else:  # what settles a key can be said again
                assert kind in {"held", "released", "forgotten"}
    assert aborted > 2 * len(path("sealed"))


def test_who_broke_the_seal_and_changes_a_tagged_session_is_told_by_the_tags() -> None:
    for number, (before, role) in enumerate(path("tagged")):
        world = before.copy()
        world.way[role][0] = qkd_world.tampered(world.way[role][0], 1000 * number + 77)
        world.run()
        assert world.settled()
        reasons = {alarm.reason for _, alarm in world.alarms}
        if not world.disks["bob"].usable:
            # A message that does not read, or counts that differ, may tell before the tags do.
            assert reasons & {"authentication", "protocol", "verification"}
    assert "authentication" in {alarm.reason for _, alarm in swapped().alarms}


def swapped() -> World:
    """A session with one message replaced by another of the same meaning: only its tags can tell."""
    world = next(world for world, role in path("tagged") if role == "alice").copy()
    read = codec.decode(world.way["alice"][0], messages.Envelope)
    body = msgspec.msgpack.decode(read.body)
    other = msgspec.msgpack.encode(dict(reversed(body.items())))
    assert other != read.body
    world.way["alice"][0] = codec.encode(msgspec.structs.replace(read, body=other))
    world.run()
    assert world.settled()
    assert world.disks["alice"].destroyed
    return world


def test_who_speaks_for_the_other_end_without_its_key_gets_none_released() -> None:
    """A forger who runs a whole session as Alice, with another key of the link."""
    session = msgspec.structs.replace(QUICK, authentication="tagged")
    world = qkd_world.world(session, Told(), link_key=LINK_KEY)
    forger = qkd_world.world(session, Told(), link_key=LINK_KEY[::-1])
    alice, bob = forger.ends["alice"], world.ends["bob"]
    assert isinstance(alice, Alice)
    assert isinstance(bob, Bob)
    method = Told()
    for one in (alice, bob):
        one._method = method
    world.ends["alice"] = alice
    world.perform("bob", bob.begin())
    world.perform("alice", alice.begin())
    while any(world.way.values()):
        world.step("alice" if world.way["alice"] else "bob")
    assert not world.disks["alice"].usable
    assert not world.disks["bob"].usable
    assert "authentication" in {alarm.reason for _, alarm in world.alarms}
    # Bob holds what nobody can release: no word of the forger's bears a tag.
    assert bob.record.state is State.HELD

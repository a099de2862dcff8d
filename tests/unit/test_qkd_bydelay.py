"""Sessions take the reconciliation of their delay: Cascade on short lines, codes on long ones."""

import functools
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit import qkd_world
from tests.unit.qkd_cases import BRIGHT, of_bob
from tests.unit.qkd_world import ENDS, World

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.exchange import messages, oneway
from qfleet_agent.qkd.exchange.bydelay import ByDelay
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.oneway import OneWay
from qfleet_agent.qkd.reconciliation.ldpc import codes
from qfleet_agent.qkd.reconciliation.ldpc import plan as layout
from qfleet_agent.qkd.reconciliation.ldpc.oneway import Told, Wanted
from qfleet_wire import codec

SLOW = msgspec.structs.replace(of_bob(BRIGHT, misalignment=0.02), block_pulses=280_000, delay_s=0.6)
CUT = msgspec.structs.replace(SLOW, secrecy=1e-3)


def began(session: plan.Plan) -> World:
    found = qkd_world.world(session)
    found.begin()
    return found


def said(world: World, kind: Any) -> list[Any]:
    """Run a world to its end and read all messages of a kind, or of several, in order."""
    found = []
    while ready := [role for role in ENDS if world.way[role]]:
        read = msgspec.msgpack.decode(world.way[ready[0]][0], type=messages.Envelope)
        try:
            body = msgspec.msgpack.decode(read.body, type=messages.Body)
        except msgspec.DecodeError:
            body = None  # a receipt, or the part of a longer message
        if isinstance(body, kind):
            found.append(body)
        world.step(ready[0])
    world.run()
    return found


@pytest.mark.parametrize(
    ("delay_s", "method", "most"), [(0.005, "cascade thrifty confirmed", 800), (0.6, "one-way", 6)]
)
def test_the_delay_of_the_plan_chooses_the_method(delay_s: float, method: str, most: int) -> None:
    world = began(msgspec.structs.replace(SLOW, delay_s=delay_s))
    chosen, *questions = said(world, messages.Chosen | messages.Question)
    assert chosen.method == method
    assert (chosen.data == b"") == (method != "one-way")
    assert len(questions) <= most
    assert world.settled()
    assert world.disks["alice"].usable
    assert world.alarms == []
    one, other = (world.ends[role].record.estimate for role in ENDS)
    assert one is not None
    assert one == other


def test_the_leak_is_what_crossed_less_what_was_made_up() -> None:
    world = began(SLOW)
    chosen, *answers = said(world, messages.Chosen | messages.Answer)
    told = [codec.decode(data, Told) for data in [chosen.data, *[each.data for each in answers]]]
    alice = world.ends["alice"]
    assert alice.record.estimate is not None
    bits = int(alice._tally.key.sum())  # type: ignore[union-attr] # counts are nowhere else
    compared, wrong = (int(each.sum()) for each in (alice._tally.check, alice._tally.check_errors))  # type: ignore[union-attr] # the same
    laid = oneway.laid_out(bits, (wrong + 1) / (compared + 2))
    crossed = 8 * sum(len(each.bits) for each in told)
    assert alice.record.estimate.leak_bits == crossed - laid.frames * laid.made_up * codes.LIFT


def test_an_end_that_would_choose_otherwise_ends_the_session_by_name() -> None:
    def near(role: Role, kit: Any) -> Any:
        return replace(kit, method=ByDelay(0.005)) if role == "bob" else kit

    world = qkd_world.world(SLOW, change=near)
    world.begin()
    world.run()
    assert world.settled()
    assert not world.disks["bob"].usable
    assert [(role, alarm.reason) for role, alarm in world.alarms] == [("bob", "protocol")]
    assert "'one-way' was chosen where 'cascade thrifty confirmed' follows" in world.alarms[0][1].seen


def test_a_frame_that_never_decodes_is_told_whole_and_counted_so() -> None:
    rng = np.random.default_rng(5)
    laid = oneway.laid_out(20_000, 0.01)
    key = rng.integers(0, 2, 20_000, dtype=np.uint8)
    noisy = key.copy()
    noisy[rng.choice(laid.bits, laid.bits // 10, replace=False)] ^= 1
    alice = OneWay().answerer(key, 0.01, rng.bytes(oneway.filling_bytes(len(key))))
    bob = OneWay().corrector(noisy, 0.01, b"")
    following, crossed = bob.heard(alice.begin()), 0
    while isinstance(following, bytes):
        answer = alice.answer(following)
        crossed = 8 * len(codec.decode(answer, Told).bits)
        following = bob.heard(answer)
    assert crossed == laid.bits
    assert (following.key == key).all()
    assert following.errors == np.count_nonzero(key != noisy)
    assert following.leaked == alice.leaked
    good = following.leaked - laid.bits
    assert 0 < good <= laid.rows * codes.LIFT
    with pytest.raises(ExchangeInvalid, match="is due"):
        alice.answer(codec.encode(Wanted(1, b"\1")))
    with pytest.raises(ExchangeInvalid, match="second time"):
        alice.answer(codec.encode(Wanted(layout.STEPS + 2, b"\1")))


def test_codes_wait_for_syndromes() -> None:
    bob = OneWay().corrector(np.zeros(100, dtype=np.uint8), 0.02, b"")
    with pytest.raises(ExchangeInvalid, match="syndromes"):
        bob.begin()
    with pytest.raises(ExchangeInvalid, match="does not read"):
        bob.heard(b"\xc1")


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("bits", [1, 14_000, 200_000, 8_000_000])
def test_the_filling_suffices_for_every_key(bits: int, rate: float) -> None:
    laid = oneway.laid_out(bits, rate)
    assert laid.frames * laid.made_up * codes.LIFT <= 8 * oneway.filling_bytes(bits)


def test_short_keys_and_rates_without_codes_stay_with_cascade() -> None:
    slow = ByDelay(0.6)
    assert slow.named(1_000_000, 0.02) == "one-way"
    assert slow.named(30_000, 0.02) == "cascade original confirmed"
    assert slow.named(1_000_000, 0.2) == "cascade original confirmed"
    assert slow.named(1_000_000, 0.4) == "cascade original confirmed"


@functools.cache
def path() -> tuple[tuple[World, Role], ...]:
    """The world before each message of a session by codes, and whose message is next."""
    world, found = began(CUT), []
    while ready := [role for role in ENDS if world.way[role]]:
        found.append((world.copy(), ready[0]))
        world.step(ready[0])
    assert world.settled()
    assert world.disks["alice"].usable
    return tuple(found)


def test_a_cut_at_any_message_leaves_one_key_or_none() -> None:
    """The power of an end fails before the effects of a message, or after; or of the other end."""
    outcomes = set()
    for before, role in path():
        for until in (0, None):
            world = before.copy()
            world.step(role, until=until)
            world.restart(role)
            world.run()
            assert world.settled()
            outcomes.add(world.disks["bob"].usable)
    assert outcomes == {False, True}


def test_messages_of_codes_may_be_lost_or_come_twice() -> None:
    world = began(CUT)
    count = 0
    while ready := [role for role in ENDS if world.way[role]]:
        count += 1
        if count % 3 == 0:
            world.way[ready[0]].pop(0)
        else:
            world.way[ready[0]].insert(0, world.way[ready[0]][0])
            world.step(ready[0])
            world.step(ready[0])
    world.run()
    assert world.settled()
    assert world.disks["alice"].usable

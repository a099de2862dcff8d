"""A session between two ends: one key at both or none at either, wherever it is cut."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import qkd_world
from tests.unit.qkd_cases import BRIGHT, BRIGHT_PAIRS
from tests.unit.qkd_world import ENDS, Told, World

from qfleet_agent.errors import IllegalStep
from qfleet_agent.qkd import authentication, plan
from qfleet_agent.qkd.errors import ExchangeInvalid, ExchangeMisused
from qfleet_agent.qkd.exchange import effects, states
from qfleet_agent.qkd.exchange.cascade import Cascade
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.messages import Envelope, Gone, Open
from qfleet_agent.qkd.exchange.settling import Restored, stranger
from qfleet_agent.qkd.exchange.states import State, Step
from qfleet_wire import codec
from qfleet_wire.limits import LIMITS

LINK_KEY = np.random.default_rng(4).bytes(authentication.KEY_BYTES)
QUICK = msgspec.structs.replace(BRIGHT, block_pulses=70_000, secrecy=1e-3)
EVENTS = ["step"] * 6 + ["lose", "twice", "old", "nudge", "restart"]


def told() -> World:
    """A session whose reconciliation takes two messages, that has begun."""
    found = qkd_world.world(QUICK, Told())
    found.begin()
    return found


@functools.cache
def path() -> tuple[tuple[World, Role], ...]:
    """The world before each message of a session that nothing disturbs, and whose message is next."""
    world, found = told(), []
    while ready := [role for role in ENDS if world.way[role]]:
        found.append((world.copy(), ready[0]))
        world.step(ready[0])
    assert world.settled()
    assert world.disks["alice"].usable
    return tuple(found)


@pytest.mark.parametrize("session", [BRIGHT, BRIGHT_PAIRS], ids=["bb84", "bbm92"])
def test_both_ends_get_the_same_key_by_cascade(session: plan.Plan) -> None:
    world = qkd_world.world(session, Cascade("original"))
    world.begin()
    world.run()
    assert world.settled()
    assert world.alarms == []
    key = world.disks["alice"].key
    assert key is not None
    records = [end.record for end in world.ends.values()]
    assert [record.state for record in records] == [State.FORGOTTEN] * 2
    for record in records:
        assert record.estimate is not None
        assert record.estimate.bits == 8 * len(key) > 5000
        assert 0 < record.estimate.leak_bits < record.estimate.bits
    assert records[0].estimate == records[1].estimate
    # As random as a key is: the ones of so many fair coins.
    ones, bits = int.from_bytes(key, "big").bit_count(), 8 * len(key)
    assert abs(ones - bits / 2) < 6.4 * np.sqrt(bits / 4)


def test_other_randomness_makes_another_key() -> None:
    def fresh(role: Role, kit: Any) -> Any:
        return replace(kit, randomness=kit.randomness[:80] + bytes(reversed(kit.randomness[80:])))

    worlds = [told(), qkd_world.world(QUICK, Told(), change=fresh)]
    worlds[1].begin()
    for world in worlds:
        world.run()
        assert world.settled()
    one, other = (world.disks["bob"].key for world in worlds)
    assert one is not None
    assert other is not None
    assert len(one) == len(other)
    differing = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()
    assert abs(differing - 4 * len(one)) < 6.4 * np.sqrt(2 * len(one))


def test_a_restart_at_any_instruction_leaves_one_key_or_none() -> None:
    """The power of an end fails after each effect of each message; what is on its way arrives, or is lost."""
    outcomes = set()
    for before, role in path():
        asked = before.copy().ends[role].heard(before.way[role][0]) if before.disks[role].record else []
        for until in range(len(asked) + 1):
            for lost in (False, True):
                world = before.copy()
                world.step(role, until=until)
                if lost:
                    world.way = {"alice": [], "bob": []}
                world.restart(role)
                world.run()
                assert world.settled()
                outcomes.add(world.disks["bob"].usable)
    assert outcomes == {False, True}


def test_a_restart_of_the_other_end_leaves_one_key_or_none() -> None:
    for before, role in path():
        world = before.copy()
        world.restart(world.other(role))
        world.run()
        assert world.settled()


def test_any_message_may_be_lost_or_come_twice() -> None:
    for before, role in path():
        lost, twice = before.copy(), before.copy()
        lost.way[role].pop(0)
        twice.way[role].insert(0, twice.way[role][0])
        for world in (lost, twice):
            world.run()
            assert world.settled()
            assert world.disks["alice"].usable
            assert [world.disks[end].released for end in ENDS] == [1, 1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["step"] * 6 + ["lose", "twice", "old", "nudge", "restart"]), st.integers(0, 99)
        )
    )
)
def test_whatever_happens_on_the_way_the_ends_agree(faults: list[tuple[str, int]]) -> None:
    world, old = told(), dict[Role, list[bytes]](alice=[], bob=[])
    for what, number in faults:
        role = ENDS[number % 2]
        ready = world.way[role]
        match what:
            case "step" if ready:
                old[role].append(ready[0])
                world.step(role)
            case "lose" if ready:
                ready.pop(0)
            case "twice" if ready:
                ready.insert(0, ready[0])
            case "old" if old[role]:  # stale by any age
                ready.insert(0, old[role][number % len(old[role])])
            case "nudge" if world.disks[role].record:
                world.perform(role, world.ends[role].nudged())
            case "restart":
                world.restart(role)
    world.run()
    assert world.settled()


def test_an_old_word_of_an_end_that_has_forgotten_destroys_no_key() -> None:
    world = told()
    while world.ends["alice"].record.state is not State.RELEASED:
        world.step(next(role for role in ENDS if world.way[role]))
    bob = world.ends["bob"]
    (held,) = (effect for effect in bob.nudged() if isinstance(effect, effects.Send))
    while world.disks["alice"].record:
        world.step("bob" if world.way["bob"] else "alice")
    world.way["bob"].clear()  # that Alice has forgotten is lost
    world.way["alice"].append(held.data)
    world.step("alice")
    assert len(world.way["bob"]) == 1  # she knows nothing of it any more, and says so
    world.run()
    assert world.settled()
    assert world.disks["bob"].usable


def test_tags_of_the_link_guard_a_session_across_a_restart() -> None:
    session = msgspec.structs.replace(BRIGHT, authentication="tagged")
    world = qkd_world.world(session, Told(), link_key=LINK_KEY)
    world.begin()
    while world.ends["bob"].record.state is not State.HELD:
        world.step(next(role for role in ENDS if world.way[role]))
    world.restart("bob")
    # What a forger without the link's key says makes nobody destroy a key.
    forged = codec.encode(Envelope("s1", 0, 0, codec.encode(Gone("restarted")), bytes(16)))
    world.perform("bob", world.ends["bob"].heard(forged))
    assert [alarm.reason for _, alarm in world.alarms] == ["authentication"]
    world.run()
    assert world.settled()
    assert world.disks["bob"].usable


@pytest.mark.parametrize("restarts", [("alice",), ("bob",), ("alice", "bob")])
def test_a_session_that_restarts_before_its_key_is_gone_at_both_ends(restarts: tuple[Role, ...]) -> None:
    world = path()[5][0].copy()
    for role in restarts:
        world.restart(role)
    world.run()
    assert world.settled()
    assert not world.disks["alice"].usable
    assert world.alarms == []  # no sign of anybody: a restart is told in the record alone
    assert {end.record.why for end in world.ends.values()} == {"restarted"}


def test_whoever_runs_an_end_may_give_up_until_the_key_is_kept() -> None:
    world = path()[3][0].copy()
    alice = world.ends["alice"]
    assert not isinstance(alice, Restored)
    world.perform("alice", alice.given_up("cancelled"))
    world.run()
    assert world.settled()
    assert world.ends["bob"].record.why == "cancelled"
    assert alice.given_up("again") == []
    kept = told()
    kept.run()
    bob = kept.ends["bob"]
    assert not isinstance(bob, Restored)
    assert bob.given_up("too late") == []


def test_too_few_counts_make_no_key_and_no_alarm() -> None:
    world = qkd_world.world(msgspec.structs.replace(BRIGHT, blocks=1, block_pulses=50_000), Told())
    world.begin()
    world.run()
    assert world.settled()
    assert world.alarms == []
    assert world.ends["alice"].record.why == "no-key"


def test_memory_of_announcements_is_bounded() -> None:
    """Bob never has more blocks on their way than he may, however many there are."""
    world = qkd_world.world(msgspec.structs.replace(QUICK, blocks=12, block_pulses=20_000), Told())
    world.begin()
    most = 0
    while any(world.way.values()):
        most = max(most, len(world.way["alice"]))
        world.step("bob" if world.way["bob"] else "alice")
    assert world.disks["bob"].usable
    assert most == 4


def test_long_messages_go_in_parts_of_which_any_may_be_lost() -> None:
    session = msgspec.structs.replace(QUICK, blocks=1, block_pulses=500_000)
    world = qkd_world.world(session, Told())
    world.begin()
    world.step("bob")
    parts = list(world.way["alice"])
    assert len(parts) > 1
    del world.way["alice"][0]
    sizes = []
    while not world.disks["bob"].record or world.disks["bob"].record.state is not State.HELD:
        for role in ENDS:
            sizes += [len(data) for data in world.way[role]]
            while world.way[role]:
                world.step(role)
            world.perform(role, world.ends[role].nudged())
    assert max(sizes) <= LIMITS.peer_bytes - 2048
    world.run()
    assert world.settled()
    assert world.disks["alice"].usable


def test_a_message_of_endless_parts_is_refused() -> None:
    world = path()[2][0].copy()
    bob = world.ends["bob"]
    seen: list[effects.Effect] = []
    for number in range(2, 100):
        part = Envelope("s1", number, 0, bytes(60_000), more=True)
        seen += bob.heard(codec.encode(part))
    (alarm,) = (each for each in seen if isinstance(each, effects.Alarm))
    assert alarm.reason == "protocol"
    assert "more than 4194304 bytes came in parts" in alarm.seen


def test_a_plan_of_ones_own_is_refused() -> None:
    other = msgspec.structs.replace(QUICK, delay_s=1.0)
    world = qkd_world.world(QUICK, Told(), change=qkd_world.other_plan(other))
    world.begin()
    world.run()
    assert world.settled()
    assert [(role, alarm.seen) for role, alarm in world.alarms] == [
        ("bob", "the other end follows another plan of this session")
    ]


def test_a_kit_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ExchangeMisused, match="random bytes were given, and"):
        qkd_world.world(BRIGHT, Told(), change=lambda _, kit: replace(kit, randomness=bytes(31)))
    with pytest.raises(ExchangeMisused, match="the plan wants messages tagged"):
        qkd_world.world(msgspec.structs.replace(BRIGHT, authentication="tagged"), Told())
    with pytest.raises(ExchangeMisused, match="the plan wants messages sealed"):
        qkd_world.world(BRIGHT, Told(), link_key=LINK_KEY)


def test_a_plan_too_long_to_announce_or_amplify_is_refused() -> None:
    with pytest.raises(ExchangeMisused, match="give the plan more blocks of fewer pulses"):
        qkd_world.world(msgspec.structs.replace(BRIGHT, block_pulses=10_000_000), Told())
    with pytest.raises(ExchangeMisused, match="give the plan fewer pulses"):
        qkd_world.world(msgspec.structs.replace(BRIGHT, blocks=500, block_pulses=500_000), Told())


def test_who_has_no_record_says_so_and_no_more() -> None:
    assert stranger(codec.encode(Envelope("old", 7, 0, b"x"))) == []
    with pytest.raises(ExchangeInvalid, match="not a message of a key exchange"):
        stranger(b"nothing")


def test_the_table_is_the_life_of_a_session() -> None:
    for role in ENDS:
        life = [State.STARTED]
        for step in (Step.OPEN, Step.SIFT, Step.CORRECT, Step.KEEP, Step.RELEASE, Step.FORGET):
            life.append(states.after(life[-1], step))
        assert life[-1] is State.FORGOTTEN, role
    assert (State.HELD, Step.GIVE_UP) not in states.STEPS
    assert (State.RELEASED, Step.LOSE) not in states.STEPS
    with pytest.raises(IllegalStep, match="a key session that is held cannot take the step give up"):
        states.after(State.HELD, Step.GIVE_UP)
    reached = {State.STARTED, *states.STEPS.values()}
    assert reached == set(State)


def test_the_page_draws_the_table() -> None:
    drawn: dict[tuple[State, State], list[str]] = {}
    for (before, step), after in states.STEPS.items():
        drawn.setdefault((before, after), []).append(step)
    lines = ["stateDiagram-v2", "    [*] --> started"]
    lines += [f"    {before} --> {after}: {', '.join(steps)}" for (before, after), steps in drawn.items()]
    page = (Path(__file__).parents[2] / "docs" / "key-exchange.md").read_text(encoding="utf-8")
    assert "\n".join(["```mermaid", *lines, "    forgotten --> [*]", "```"]) in page


def test_a_key_has_the_same_name_at_both_ends() -> None:
    names = {effects.block(record.plan.session) for record in (end.record for end in told().ends.values())}
    assert [len(name) for name in names] == [16]
    assert effects.block("s1") != effects.block("s2")


def test_nothing_that_is_printed_holds_a_secret() -> None:
    world = told()
    world.run()
    key = world.disks["alice"].key
    assert key is not None
    record = world.ends["alice"].record
    shown = repr(effects.Keep(record, key)) + repr(effects.Send(key)) + repr(Open(b"digest", key))
    kit = world.ends["alice"]._kit  # type: ignore[union-attr] # it has not restarted
    shown += repr(kit) + repr(Envelope("s1", 1, 0, key))
    for secret in (key, kit.randomness):
        assert repr(secret)[2:20] not in shown

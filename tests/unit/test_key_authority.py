"""The authority of keys decides: sessions, relays, alarms, and what happens when reports do not come."""

import itertools
import random

import pytest
from msgspec.structs import replace
from tests.unit.key_authority_cases import NOW, device, names, state

from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound
from qfleet_controlplane.keys.decider import Decider
from qfleet_controlplane.keys.events import (
    Count,
    Effect,
    ExchangeAsked,
    Looked,
    Mark,
    Note,
    Order,
    RelayAsked,
    Reported,
    Save,
    Withdraw,
)
from qfleet_controlplane.keys.model import GRACE_MS, Alarm, Relay, Scene, Session, State
from qfleet_controlplane.network.twin.model import Fault
from qfleet_wire import key_orders
from qfleet_wire.key_orders import (
    Eavesdropper,
    ExchangeEnded,
    LinkStock,
    Outcome,
    RelayEnded,
    Role,
    RouteAlarm,
    Stock,
)
from qfleet_wire.names import Millis

ROLES: tuple[Role, Role] = ("alice", "bob")
OUTCOMES: tuple[Outcome, ...] = ("key", "key", "aborted")
A, B, C, D = (device(node) for node in "abcd")


def later(ms: int) -> Millis:
    return Millis(NOW + ms)


def only(effects: list[Effect], kind: type[Session] | type[Relay] | type[Alarm]) -> list[object]:
    return [one.what for one in effects if isinstance(one, Save) and isinstance(one.what, kind)]


def orders(effects: list[Effect]) -> dict[str, key_orders.Order]:
    return {one.device: key_orders.order(one.body) for one in effects if isinstance(one, Order)}


def ended(
    session: str, role: Role = "alice", outcome: Outcome = "key", *, seen: str = "", nodes: str = "ab"
) -> Reported:
    own, peer = (
        (device(nodes[0]), device(nodes[1])) if role == "alice" else (device(nodes[1]), device(nodes[0]))
    )
    said = ExchangeEnded(
        session=session,
        role=role,
        peer=peer,
        outcome=outcome,
        bits=80_000 if outcome == "key" else 0,
        seen=seen,
    )
    return Reported(own, said)


def test_a_session_orders_both_ends_with_one_plan() -> None:
    decider = Decider(state(), names())
    effects = decider.handle(ExchangeAsked("a", str(B), "eve"), NOW)
    (session,) = decider.state.sessions.values()
    first, second = (orders(effects)[each] for each in (A, B))
    assert isinstance(first, key_orders.Exchange)
    assert isinstance(second, key_orders.Exchange)
    assert (first.role, first.peer, second.role, second.peer) == ("alice", B, "bob", A)
    assert first.plan == second.plan
    assert first.plan.session == session.name == f"{1:032x}"
    assert (first.plan.pulses, first.expires) == (10**9, session.expires)
    assert first.plan.delay_s == pytest.approx(0.0201)
    assert Note("eve", "key.exchange", "a|b", session.name) in effects
    # Saved before anything is ordered.
    assert isinstance(effects[0], Save)


def test_a_link_has_one_session_until_both_ends_have_said_how_it_ended() -> None:
    decider = Decider(state(), names())
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    name = next(iter(decider.state.sessions))
    with pytest.raises(Conflict, match="have a session"):
        decider.handle(ExchangeAsked("b", "a", "eve"), NOW)
    decider.handle(ended(name), later(1))
    with pytest.raises(Conflict, match="have a session"):
        decider.handle(ExchangeAsked("b", "a", "eve"), later(2))
    effects = decider.handle(ended(name, "bob"), later(3))
    (done,) = only(effects, Session)
    assert isinstance(done, Session)
    assert (done.status, done.ended, done.told.bits) == ("key", later(3), 80_000)
    assert decider.handle(ended(name, "bob"), later(4)) == []
    decider.handle(ExchangeAsked("b", "a", "eve"), later(5))


def test_a_session_without_reports_expires_and_its_orders_are_withdrawn() -> None:
    decider = Decider(state(), names())
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    (session,) = decider.state.sessions.values()
    void = Millis(session.expires + GRACE_MS)
    assert decider.handle(Looked(), Millis(void - 1)) == []
    effects = decider.handle(Looked(), void)
    assert [one for one in effects if isinstance(one, Withdraw)] == [
        Withdraw(A, session.name),
        Withdraw(B, session.name),
    ]
    assert decider.state.sessions[session.name].status == "expired"
    # A report that was long under way is believed.
    decider.handle(ended(session.name), Millis(void + 5))
    assert decider.state.sessions[session.name].status == "key"


def test_reports_of_strangers_do_nothing() -> None:
    decider = Decider(state(), names())
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    name = next(iter(decider.state.sessions))
    good = ended(name).report
    for wrong in (
        Reported(C, good),
        Reported(A, ended(name, "bob").report),
        ended("unknown"),
        Reported(C, RelayEnded(relay=bytes(16), outcome="key")),
        Reported(C, RouteAlarm(relay=bytes(16), seen="forged")),
    ):
        assert decider.handle(wrong, NOW) == [Count("foreign")]


def test_a_low_stock_begins_a_session_where_both_ends_serve_keys() -> None:
    known = state(bits=40_000, low_water_bits=100_000)
    del known.stocks[D]
    decider = Decider(known, names())
    decider.handle(Looked(), NOW)
    # d says nothing; the satellite is not in sight.
    assert sorted(one.link for one in decider.state.sessions.values()) == ["a|b", "b|c"]
    assert decider.handle(Looked(), later(1)) == []
    assert Decider(state(low_water_bits=100_000), names()).handle(Looked(), NOW) == []
    assert Decider(state(bits=0), names()).handle(Looked(), NOW) == []


def test_light_is_sent_before_more_of_it_is_used_and_failures_are_tried_again_later_and_later() -> None:
    known = state(bits=0, low_water_bits=1)
    known.scene = known.scene._replace(links={"a|b": known.scene.links["a|b"]})
    decider = Decider(known, names())
    at, begun = NOW, []
    for _ in range(4):
        while not (effects := decider.handle(Looked(), at)):
            at = Millis(at + 1000)
            known.stocks = {name: one._replace(at=at) for name, one in known.stocks.items()}
        begun.append(at)
        (session,) = (one for one in only(effects, Session))
        assert isinstance(session, Session)
        for role in ROLES:
            decider.handle(ended(session.name, role, "aborted"), at)
    # 10^9 pulses at 100 MHz take 10 s; failures wait 60, 120 and 240 s.
    assert [(b - a) // 1000 for a, b in itertools.pairwise(begun)] == [60, 120, 240]
    effects = decider.handle(ExchangeAsked("a", "b", "eve"), at)
    (session,) = (one for one in only(effects, Session))
    assert isinstance(session, Session)
    for role in ROLES:
        decider.handle(ended(session.name, role), at)
    assert decider.handle(Looked(), Millis(at + 9_999)) == []
    assert decider.handle(Looked(), Millis(at + 10_000))


def test_a_satellite_makes_one_key_of_a_contact_and_none_between() -> None:
    decider = Decider(state(at_s=50.0), names())
    with pytest.raises(Conflict, match="the next begins 50 s later"):
        decider.handle(ExchangeAsked("s", "a", "eve"), NOW)
    decider.state.scene = decider.state.scene._replace(at_s=150.0)
    decider.handle(ExchangeAsked("s", "a", "eve"), NOW)
    name = next(iter(decider.state.sessions))
    decider.handle(ended(name, "alice", "aborted", nodes="sa"), NOW)
    decider.handle(ended(name, "bob", "aborted", nodes="sa"), NOW)
    # A session that was cut may try again while the satellite is in sight.
    decider.handle(ExchangeAsked("s", "a", "eve"), NOW)
    name = list(decider.state.sessions)[-1]
    decider.handle(ended(name, "alice", nodes="sa"), NOW)
    decider.handle(ended(name, "bob", nodes="sa"), NOW)
    with pytest.raises(Conflict, match="used the light of this contact"):
        decider.handle(ExchangeAsked("s", "a", "eve"), NOW)
    decider.state.scene = decider.state.scene._replace(at_s=400.0)
    with pytest.raises(Conflict, match="no other comes"):
        decider.handle(ExchangeAsked("s", "a", "eve"), NOW)


def test_an_alarm_stops_the_link_and_moves_its_relays_until_an_operator_mends_it() -> None:
    decider = Decider(state(), names())
    decider.handle(RelayAsked("a", "c", 32, "eve"), NOW)
    (relay,) = decider.state.relays.values()
    assert relay.route == (A, B, C)
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    name = next(iter(decider.state.sessions))
    effects = decider.handle(ended(name, "alice", "aborted", seen="error-rate: 26 %"), NOW)
    assert Mark("a", "b") in effects
    assert Withdraw(B, relay.name) in effects
    (alarm,) = only(effects, Alarm)
    assert isinstance(alarm, Alarm)
    old, new = (decider.state.relays[each] for each in list(decider.state.relays))
    assert (old.status, new.route, new.replaces) == ("aborted", (A, D, C), old.name)
    assert set(orders(effects)) == {A, D, C}
    assert new.name in alarm.action
    # The other end saw it too; there is one alarm.
    assert only(decider.handle(ended(name, "bob", "aborted", seen="error-rate: 26 %"), NOW), Alarm) == []
    with pytest.raises(Conflict, match="qfleet network mend a b"):
        decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    # The twin has not heard yet; then it has; then somebody mends the link.
    assert decider.handle(Looked(), NOW) == []
    decider.state.scene = decider.state.scene._replace(marking=False, faults={"a|b": Fault(kind="failed")})
    assert decider.handle(Looked(), NOW) == []
    decider.state.scene = decider.state.scene._replace(faults={})
    assert only(decider.handle(Looked(), NOW), Alarm) == [replace(alarm, cleared=NOW)]
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)


def test_another_scenario_does_not_clear_an_alarm() -> None:
    decider = Decider(state(), names())
    decider.handle(ExchangeAsked("a", "b", "eve"), NOW)
    decider.handle(ended(next(iter(decider.state.sessions)), "alice", "aborted", seen="x"), NOW)
    decider.state.scene = decider.state.scene._replace(number=2, marking=False)
    assert Mark("a", "b") in decider.handle(Looked(), NOW)
    assert decider.state.alarms["a|b"].network == 2


def test_somebody_who_listens_in_the_twin_listens_in_the_session() -> None:
    known = state()
    known.scene = known.scene._replace(faults={"a|b": Fault(kind="intercepted", share=0.4)})
    decider = Decider(known, names())
    told = orders(decider.handle(ExchangeAsked("a", "b", "eve"), NOW))
    assert [getattr(one, "eavesdropper", None) for one in told.values()] == [
        Eavesdropper(kind="intercept", share=0.4)
    ] * 2
    known.scene = known.scene._replace(faults={"b|c": Fault(kind="failed")})
    with pytest.raises(Conflict, match="has failed in the twin"):
        decider.handle(ExchangeAsked("b", "c", "eve"), NOW)


def test_relays_book_what_they_take_and_end_with_their_ends() -> None:
    known = state(bits=8 * (1000 + 64))
    decider = Decider(known, names())
    decider.handle(RelayAsked("a", "c", 1000, "eve"), NOW)
    decider.handle(RelayAsked(str(A), str(C), 1000, "eve"), NOW)
    assert sorted(one.route[1] for one in known.relays.values()) == [B, D]
    with pytest.raises(Conflict, match="no route over other places"):
        decider.handle(RelayAsked("a", "c", 16, "eve"), NOW)
    first = next(one for one in known.relays.values() if one.route[1] == B)
    assert first.trusted == (B,)
    for where, status in ((B, "ordered"), (A, "ordered"), (C, "key")):
        said = RelayEnded(relay=bytes.fromhex(first.name), outcome="key", bits=8000)
        decider.handle(Reported(where, said), NOW)
        assert known.relays[first.name].status == status
    decider.handle(RelayAsked("a", "c", 16, "eve"), NOW)


def test_a_forged_route_is_given_up_for_another() -> None:
    decider = Decider(state(), names())
    decider.handle(RelayAsked("a", "c", 32, "eve"), NOW)
    (relay,) = decider.state.relays.values()
    effects = decider.handle(Reported(A, RouteAlarm(relay=bytes.fromhex(relay.name), seen="the proof")), NOW)
    (alarm,) = only(effects, Alarm)
    assert isinstance(alarm, Alarm)
    assert (alarm.link, alarm.seen) == ("at-a at-b at-c", "the proof")
    assert list(decider.state.relays.values())[-1].route == (A, D, C)
    # Nothing is known of any one link.
    assert decider.state.alarms == {}


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (ExchangeAsked("a", "c", "x"), NotFound, "qfleet key relay a c"),
        (ExchangeAsked("a", "a", "x"), InvalidRequest, "both are 'a'"),
        (ExchangeAsked("a", "z", "x"), NotFound, "at 'z'"),
        (ExchangeAsked("a", "b", "x", pulses=10), InvalidRequest, "pulses = 10"),
        (ExchangeAsked("a", "b", "x", pulses=10**10), InvalidRequest, "1,000,000,000"),
        (RelayAsked("a", "c", 1, "x"), InvalidRequest, "bytes = 1 must"),
        (RelayAsked("a", "c", 10**6, "x"), InvalidRequest, "16,384"),
        (RelayAsked("s", "c", 16_000, "x"), Conflict, "no route"),
    ],
)
def test_what_cannot_be_is_refused(
    asked: ExchangeAsked | RelayAsked, error: type[Exception], words: str
) -> None:
    known = state(bits=16_000)
    with pytest.raises(error, match=words):
        Decider(known, names()).handle(asked, NOW)
    assert (known.sessions, known.relays) == ({}, {})


def test_without_links_it_is_said_what_to_do() -> None:
    with pytest.raises(NotFound, match="device = "):
        Decider(State(), names()).handle(ExchangeAsked("a", "b", "x"), NOW)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_in_whatever_order_each_link_has_one_session_and_each_ends(seed: int) -> None:
    draw = random.Random(seed)
    known = state(bits=30_000, low_water_bits=draw.choice((0, 100_000)))
    decider = Decider(known, names())
    at, seen = NOW, set()
    for _ in range(250):
        at = Millis(at + draw.choice((0, 10, 1_000, 60_000)))
        event = _event(draw, known)
        try:
            effects = decider.handle(event, at)
        except (Conflict, InvalidRequest):
            continue
        for one in effects:
            if isinstance(one, Order):
                assert (one.device, one.name) not in seen
                seen.add((one.device, one.name))
        running = [one.link for one in known.sessions.values() if one.status == "ordered"]
        assert len(running) == len(set(running))
        assert not any(
            one.status == "ordered" and set(one.links) & set(known.alarms) for one in known.relays.values()
        )
        known.scene = _weather(draw, known)
    known.rules = known.rules._replace(low_water_bits=0)
    decider.handle(Looked(), Millis(at + 2_000_000))
    assert {one.status for one in known.sessions.values()} <= {"key", "aborted", "expired"}
    assert all(one.status != "ordered" and one.ended is not None for one in known.relays.values())
    assert len(known.sessions) > 5


def _event(draw: random.Random, known: State) -> ExchangeAsked | RelayAsked | Reported | Looked:
    match draw.randrange(6):
        case 0:
            return Looked()
        case 1:
            link = draw.choice(list(known.scene.links.values()))
            return ExchangeAsked(link.a, link.b, "x")
        case 2:
            return RelayAsked("a", "c", 32, "x")
        case 3 if known.relays:
            relay = draw.choice(list(known.relays.values()))
            outcome = draw.choice(OUTCOMES)
            said = RelayEnded(relay=bytes.fromhex(relay.name), outcome=outcome)
            return Reported(draw.choice(relay.route), said)
        case 4 if known.sessions:
            session = draw.choice(list(known.sessions.values()))
            place = draw.randrange(2)
            said_of = ExchangeEnded(
                session=session.name,
                role=ROLES[place],
                peer=session.devices[1 - place],
                outcome=draw.choice(OUTCOMES),
                seen=draw.choice(("", "", "", "count-rate")),
            )
            return Reported(session.devices[place], said_of)
        case _:
            own = draw.choice(list(known.stocks))
            held = [
                LinkStock(peer=peer, ours_bits=(bits := draw.randrange(200_000)), all_bits=bits, used_bits=0)
                for peer in known.stocks[own].links
            ]
            return Reported(own, Stock(links=tuple(held)))
    raise AssertionError


def _weather(draw: random.Random, known: State) -> Scene:
    """The twin takes up what was marked; now and then somebody mends a link."""
    faults = {name: Fault(kind="failed") for name in known.alarms if draw.random() < 0.95}
    return known.scene._replace(faults=faults, marking=False, at_s=draw.choice((0.0, 200.0)))

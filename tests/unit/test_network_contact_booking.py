"""Volume is booked whole or not at all, never beyond what is there, and comes back; what fails is left."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import contact_cases as cases

from qfleet_controlplane import errors
from qfleet_controlplane.network.contacts import ledger, model, plan, rerouting

ends = st.sampled_from([("A", "E"), ("E", "A"), ("B", "D"), ("C", "E"), ("A", "B")])
wants = st.lists(st.tuples(ends, st.integers(1, 12), st.integers(1, 3)), max_size=8)
Wants = list[tuple[tuple[str, str], int, int]]


def _demands(wanted: Wants) -> list[model.Demand]:
    return [
        model.Demand(name=f"d{index}", a=a, b=b, bits=bits, most_routes=most)
        for index, ((a, b), bits, most) in enumerate(wanted)
    ]


def _filled(contacts: list[model.Contact], wanted: Wants) -> ledger.Ledger:
    book = ledger.Ledger(plan.Plan(cases.NODES, contacts))
    for demand in _demands(wanted):
        book.book(demand)
    return book


def _sound(book: ledger.Ledger) -> None:
    """No contact gives more than is expected of it, and the bookings explain every booked bit."""
    held = book.held()
    for each in book.contacts():
        assert 0 <= each.booked_bits <= each.expected_bits
        assert each.booked_bits == held.get(each.number, 0)
        assert book.free[each.number] == each.expected_bits - each.booked_bits


def _demand(bits: int = 60, **changes: object) -> model.Demand:
    fields = {"name": "d", "a": "A", "b": "C", "bits": bits} | changes
    return model.Demand(**fields)  # type: ignore[arg-type] # one table for all fields


@given(cases.contacts(), wants)
@settings(max_examples=100, deadline=None)
def test_a_demand_is_booked_whole_or_not_at_all(contacts: list[model.Contact], wanted: Wants) -> None:
    book = ledger.Ledger(plan.Plan(cases.NODES, contacts))
    for demand in _demands(wanted):
        before = dict(book.free)
        answer = book.book(demand)
        if isinstance(answer, model.Refusal):
            assert dict(book.free) == before
            assert 0 <= answer.servable_bits < demand.bits
        else:
            assert answer.bits == demand.bits
            assert len(answer.parts) <= demand.most_routes
        _sound(book)


@given(cases.contacts(), wants)
@settings(max_examples=60, deadline=None)
def test_what_a_single_route_could_carry_is_never_refused(
    contacts: list[model.Contact], wanted: Wants
) -> None:
    book = _filled(contacts, wanted)
    demand = model.Demand(name="last", a="A", b="D", bits=3, most_routes=1)
    every = cases.every_route(book.plan, book.free, demand)
    answer = book.book(demand)
    assert isinstance(answer, model.Booking) == bool(every)
    if isinstance(answer, model.Booking):
        assert answer.parts == (model.Part(route=every[0], bits=3),)


@given(cases.contacts(), wants, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_releasing_restores_every_bit(
    contacts: list[model.Contact], wanted: Wants, order: random.Random
) -> None:
    book = _filled(contacts, wanted)
    names = list(book.bookings)
    order.shuffle(names)
    for name in names:
        book.release(name)
        _sound(book)
    assert dict(book.free) == {each.number: each.expected_bits for each in contacts}


@given(cases.contacts(), wants)
@settings(max_examples=40, deadline=None)
def test_a_ledger_goes_on_from_what_was_kept(contacts: list[model.Contact], wanted: Wants) -> None:
    book = _filled(contacts, wanted)
    again = ledger.Ledger(plan.Plan(cases.NODES, book.contacts()), book.bookings.values())
    assert dict(again.free) == dict(book.free)
    _sound(again)
    for name in list(again.bookings):
        again.release(name)
    assert all(each.booked_bits == 0 for each in again.contacts())


@given(cases.contacts(), wants, st.data(), st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_no_booking_stays_on_a_contact_that_failed(
    contacts: list[model.Contact], wanted: Wants, data: st.DataObject, now: int
) -> None:
    book = _filled(contacts, wanted)
    asked = {name: each.bits for name, each in book.bookings.items()}
    numbers = [each.number for each in contacts]
    lost = data.draw(st.dictionaries(st.sampled_from(numbers), st.integers(0, 3)) if numbers else st.just({}))
    lost = {number: min(bits, book.plan.contacts[number].expected_bits) for number, bits in lost.items()}
    outcome = rerouting.revise(book, lost, float(now))
    _sound(book)
    left = {refusal.demand.name: refusal.demand.bits for refusal in outcome.unserved}
    for name, bits in asked.items():
        after = book.bookings[name].bits if name in book.bookings else 0
        assert after + left.get(name, 0) == bits
    held = book.held()
    assert all(held.get(number, 0) <= bits for number, bits in lost.items())
    assert {each.demand.name for each in outcome.moved} == {each.demand.name for each in outcome.broken}


@given(cases.contacts(), wants, st.data())
@settings(max_examples=60, deadline=None)
def test_new_routes_do_not_leave_before_now(
    contacts: list[model.Contact], wanted: Wants, data: st.DataObject
) -> None:
    book = _filled(contacts, wanted)
    used = sorted(book.held())
    if not used:
        return
    broken = data.draw(st.sampled_from(used))
    before = {name: {part.route for part in each.parts} for name, each in book.bookings.items()}
    outcome = rerouting.revise(book, {broken: 0}, 6.0)
    for moved in outcome.moved:
        for route in {part.route for part in moved.parts} - before[moved.demand.name]:
            assert route.arrival_s >= 6.0
            ended = [book.plan.contacts[number].end_s < 6.0 for number in route.contacts]
            assert ended == sorted(ended, reverse=True)  # what is over comes first
            assert not all(ended)


def test_a_demand_is_spread_over_routes_and_refused_with_what_there_is_room_for() -> None:
    where = plan.Plan(
        "ABC",
        (
            cases.contact(1, "AB", 0, 10, 50),
            cases.contact(2, "BC", 20, 30),
            cases.contact(3, "AC", 40, 50, 30),
        ),
    )
    book = ledger.Ledger(where)
    booked = book.book(_demand(70))
    assert isinstance(booked, model.Booking)
    assert [(part.route.contacts, part.bits) for part in booked.parts] == [((1, 2), 50), ((3,), 20)]
    more = book.book(_demand(11, name="e"))
    assert isinstance(more, model.Refusal)
    assert more.servable_bits == 10
    assert more.reason == "the contacts between A and C have room for 10 of 11 bits over 4 routes"


def test_a_refusal_says_what_stands_in_the_way() -> None:
    book = ledger.Ledger(plan.Plan("ABC", (cases.contact(1, "AB", 0, 10), cases.contact(2, "BC", 20, 30))))
    late, none = book.book(_demand(1, deadline_s=29.0)), book.book(_demand(1, from_s=31.0))
    assert isinstance(late, model.Refusal)
    assert late.reason == "the first key of A and C could be there at 30 s, after the deadline at 29 s"
    assert isinstance(none, model.Refusal)
    assert none.reason == "no chain of contacts joins A and C from 31 s on"


def test_a_demand_is_booked_once_and_released_once() -> None:
    book = ledger.Ledger(plan.Plan("AC", (cases.contact(1, "AC", 0, 10),)))
    book.book(_demand())
    with pytest.raises(errors.Conflict, match="'d' is booked already"):
        book.book(_demand())
    book.release("d")
    with pytest.raises(errors.NotFound, match="'d' is booked"):
        book.release("d")


def test_bookings_that_hold_more_than_is_booked_are_refused() -> None:
    where = plan.Plan("AC", (cases.contact(1, "AC", 0, 10),))
    book = ledger.Ledger(where)
    book.book(_demand())
    with pytest.raises(plan.InvalidPlan, match="hold 60 bits of contact 1, of which 0 are booked"):
        ledger.Ledger(where, book.bookings.values())


def test_a_key_that_a_satellite_already_carries_goes_on_from_there() -> None:
    where = plan.Plan(
        "ABSX",
        (
            cases.contact(1, "AS", 0, 10),
            cases.contact(2, "SB", 20, 30),
            cases.contact(3, "SX", 40, 50),
            cases.contact(4, "XB", 60, 70),
        ),
    )
    book = ledger.Ledger(where)
    book.book(_demand(b="B"))
    outcome = rerouting.revise(book, dict.fromkeys(rerouting.of_link(where, "S", "B", 15.0), 0), 15.0)
    (moved,) = outcome.moved
    assert [part.route.contacts for part in moved.parts] == [(1, 3, 4)]
    assert outcome.unserved == ()
    assert book.free[1] == 40


def test_a_node_that_alarmed_loses_what_it_carries() -> None:
    where = plan.Plan("ABS", (cases.contact(1, "AS", 0, 10), cases.contact(2, "SB", 20, 30)))
    book = ledger.Ledger(where)
    book.book(_demand(b="B"))
    outcome = rerouting.revise(book, dict.fromkeys(rerouting.of_node(where, "S"), 0), 15.0)
    (rest,) = outcome.unserved
    assert (rest.demand.bits, rest.reason) == (60, "no chain of contacts joins A and B from 15 s on")
    assert book.bookings == {}


def test_clouds_break_the_latest_bookings_and_spare_the_rest() -> None:
    where = plan.Plan("AC", (cases.contact(1, "AC", 0, 10), cases.contact(2, "AC", 20, 30)))
    book = ledger.Ledger(where)
    for name in "pqr":
        book.book(_demand(30, name=name))
    outcome = rerouting.revise(book, {1: 45}, 0.0)
    assert [each.demand.name for each in outcome.broken] == ["q", "r"]
    assert [part.route.contacts for part in book.bookings["p"].parts] == [(1,)]
    assert (
        sum(part.bits for each in outcome.moved for part in each.parts if part.route.contacts == (1,)) <= 15
    )
    assert outcome.unserved == ()


def test_what_was_consumed_breaks_no_more() -> None:
    book = ledger.Ledger(plan.Plan("AC", (cases.contact(1, "AC", 0, 10),)))
    book.book(_demand())
    book.consume("d")
    with pytest.raises(plan.InvalidPlan, match="60 of it are taken for good"):
        rerouting.revise(book, {1: 59}, 0.0)
    assert rerouting.revise(book, {1: 60}, 0.0) == rerouting.Outcome()
    assert book.free[1] == 0


def test_what_cannot_fail_is_refused() -> None:
    where = plan.Plan("ABC", (cases.contact(1, "AC", 0, 10),))
    book = ledger.Ledger(where)
    with pytest.raises(plan.InvalidPlan, match="no contact 7"):
        rerouting.revise(book, {1: 5, 7: 0}, 0.0)
    with pytest.raises(plan.InvalidPlan, match="cannot give -1 bits"):
        rerouting.revise(book, {1: -1}, 0.0)
    with pytest.raises(plan.InvalidPlan, match="A and B have no contact"):
        rerouting.of_link(where, "A", "B")
    assert book.free[1] == 100

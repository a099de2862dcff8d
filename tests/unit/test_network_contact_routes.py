"""The best route and the k best, against walking every route; plans that are refused."""

import math
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import contact_cases as cases

from qfleet_controlplane.network.contacts import model, plan, routes

demands = st.builds(
    model.Demand,
    name=st.just("d"),
    a=st.just("A"),
    b=st.just("E"),
    bits=st.integers(1, 4),
    from_s=st.integers(0, 6).map(float),
    deadline_s=st.none() | st.integers(6, 14).map(float),
)


@given(cases.contacts(), cases.timings, demands)
@settings(max_examples=250, deadline=None)
def test_the_best_route_is_the_best_of_all_in_the_whole_order(
    contacts: list[model.Contact], timing: model.Timing, demand: model.Demand
) -> None:
    where = plan.Plan(cases.NODES, contacts, timing=timing)
    free = {each.number: each.expected_bits for each in contacts}
    every = cases.every_route(where, free, demand)
    assert routes.best(where, free, demand) == (every[0] if every else None)


@given(cases.contacts(most=2), cases.timings, demands, st.integers(1, 12))
@settings(max_examples=120, deadline=None)
def test_k_alternatives_are_the_k_best_of_all(
    contacts: list[model.Contact], timing: model.Timing, demand: model.Demand, count: int
) -> None:
    where = plan.Plan(cases.NODES, contacts, timing=timing)
    free = {each.number: each.expected_bits for each in contacts}
    assert routes.alternatives(where, free, demand, count) == cases.every_route(where, free, demand)[:count]


@pytest.mark.parametrize("ready", ["end", "start"])
@pytest.mark.parametrize("order", ["carried", "any"])
def test_crowded_plans_are_ordered_to_the_last_key(
    ready: Literal["end", "start"], order: Literal["carried", "any"]
) -> None:
    for seed in range(100):
        timing = model.Timing(ready=ready, order=order, hop_latency_s=(0.0, 0.5, 1.0, 2.0)[seed % 4])
        where = plan.Plan(cases.ordered(seed), cases.crowded(seed), timing=timing)
        free = {number: each.expected_bits for number, each in where.contacts.items()}
        asked = model.Demand(name="d", a="A", b="E", bits=3, deadline_s=12.0)
        every = cases.every_route(where, free, asked)
        assert routes.alternatives(where, free, asked, 8) == every[:8], seed


def test_fewer_contacts_win_through_nodes_reached_only_at_the_last_instant() -> None:
    slow = [cases.contact(n, ends, 0, 10) for n, ends in enumerate(("AX", "XY", "YE"))]
    steps = [cases.contact(n + 5, ends, n, n + 1) for n, ends in enumerate(("AB", "BC", "CD"))]
    where = plan.Plan("EABCDXY", [*slow, *steps, cases.contact(9, "DE", 3, 10)])
    found = routes.best(where, dict.fromkeys(where.contacts, 1), model.Demand(name="d", a="A", b="E", bits=1))
    assert found is not None
    assert (found.contacts, found.arrival_s) == ((0, 1, 2), 10.0)


@pytest.mark.parametrize("nodes", ["SVABCDE", "SVBADCE", "EDCBAVS"])
@pytest.mark.parametrize(("start_s", "nodes_of_best"), [(0, "SVBDE"), (3, "SVACE")])
def test_one_may_be_late_or_last_long_but_not_both(nodes: str, start_s: int, nodes_of_best: str) -> None:
    # From V the way by A may be entered later and ends sooner than the way by B; both arrive at 12 s.
    contacts = [
        cases.contact(7, "SV", start_s, 50),
        *(cases.contact(1, "VA", 0, 5), cases.contact(2, "AC", 0, 20), cases.contact(3, "CE", 10, 20)),
        *(cases.contact(4, "VB", 0, 20), cases.contact(5, "BD", 0, 6), cases.contact(6, "DE", 10, 20)),
    ]
    where = plan.Plan(nodes, contacts, timing=model.Timing(ready="start", hop_latency_s=2.0))
    free = dict.fromkeys(where.contacts, 1)
    found = routes.best(where, free, model.Demand(name="d", a="S", b="E", bits=1))
    assert found is not None
    assert (found.nodes, found.arrival_s) == (tuple(nodes_of_best), 12.0)


@given(cases.contacts(), demands)
@settings(max_examples=60, deadline=None)
def test_any_order_of_contacts_is_never_later_than_the_carried_one(
    contacts: list[model.Contact], demand: model.Demand
) -> None:
    free = {each.number: each.expected_bits for each in contacts}
    carried = routes.best(plan.Plan(cases.NODES, contacts), free, demand)
    anyhow = routes.best(plan.Plan(cases.NODES, contacts, timing=model.Timing(order="any")), free, demand)
    assert carried is None or (anyhow is not None and anyhow.arrival_s <= carried.arrival_s)


@given(cases.contacts(), demands, st.sets(st.sampled_from("BCD")))
@settings(max_examples=60, deadline=None)
def test_only_relays_stand_inside_a_route(
    contacts: list[model.Contact], demand: model.Demand, relays: set[str]
) -> None:
    free = {each.number: each.expected_bits for each in contacts}
    found = routes.best(plan.Plan(cases.NODES, contacts, relays=relays), free, demand)
    every = cases.every_route(plan.Plan(cases.NODES, contacts), free, demand)
    inside = [each for each in every if set(each.nodes[1:-1]) <= relays]
    assert found == (inside[0] if inside else None)


def test_a_contact_is_usable_at_its_end_instant() -> None:
    # CCSDS 734.3-B-1, 3.2.4.1.1: excluded only when its end is *before* the earliest transmission.
    one, two = cases.contact(1, "AB", 0, 10), cases.contact(2, "BC", 0, 10)
    where = plan.Plan("ABC", (one, two))
    asked = model.Demand(name="d", a="A", b="C", bits=1)
    found = routes.best(where, {1: 1, 2: 1}, asked)
    assert found is not None
    assert found.arrival_s == 10.0
    late = plan.Plan("ABC", (one, two), timing=model.Timing(hop_latency_s=1e-6))
    assert routes.best(late, {1: 1, 2: 1}, asked) is None


def test_a_satellite_that_met_the_far_station_first_serves_in_any_order_only() -> None:
    passes = (cases.contact(1, "SB", 0, 10), cases.contact(2, "SA", 60, 70))
    asked = model.Demand(name="d", a="A", b="B", bits=1)
    free = {1: 1, 2: 1}
    assert routes.best(plan.Plan("ABS", passes), free, asked) is None
    found = routes.best(plan.Plan("ABS", passes, timing=model.Timing(order="any")), free, asked)
    assert found is not None
    assert (found.contacts, found.arrival_s) == ((2, 1), 70.0)


@pytest.mark.parametrize(
    ("contacts", "said"),
    [
        ((cases.contact(1, "AB", 0, 10), cases.contact(2, "BA", 9, 20)), "before contact 1 of the same pair"),
        ((cases.contact(1, "AB", 10, 9),), "ends at 9 s, not after its start at 10 s"),
        ((cases.contact(1, "AB", 10, 10),), "not after its start"),
        ((cases.contact(1, "AZ", 0, 1),), "no node is named 'Z'; the plan has A, B, C"),
        ((cases.contact(1, "AB", 0, 1, -5),), "negative volume: -5 bits"),
        ((cases.contact(1, "AA", 0, 1),), "joins a node to itself"),
        ((cases.contact(1, "AB", 0, math.inf),), "no finite start and end"),
        ((cases.contact(1, "AB", 0, 1), cases.contact(1, "AC", 0, 1)), "two contacts have the number 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(contacts: tuple[model.Contact, ...], said: str) -> None:
    with pytest.raises(plan.InvalidPlan, match=said):
        plan.Plan("ABC", contacts)


def test_more_booked_than_expected_two_nodes_alike_and_a_negative_latency_are_refused() -> None:
    over = model.Contact(number=1, a="A", b="B", start_s=0, end_s=1, expected_bits=5, booked_bits=6)
    with pytest.raises(plan.InvalidPlan, match="6 bits booked, more than the 5 expected"):
        plan.Plan("AB", (over,))
    with pytest.raises(plan.InvalidPlan, match="two nodes are named 'A'"):
        plan.Plan("ABA", ())
    with pytest.raises(plan.InvalidPlan, match="latency of -1 s"):
        plan.Plan("AB", (), timing=model.Timing(hop_latency_s=-1))


def test_contacts_that_touch_do_not_overlap() -> None:
    assert len(plan.Plan("AB", (cases.contact(1, "AB", 0, 10), cases.contact(2, "AB", 10, 20))).contacts) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"b": "A"}, "a key of A with itself"),
        ({"b": "Z"}, "no node is named 'Z'"),
        ({"bits": 0}, "0 bits over 4 routes"),
        ({"most_routes": 0}, "over 0 routes"),
        ({"from_s": 5.0, "deadline_s": 4.0}, "served by 4 s and not before 5 s"),
        ({"deadline_s": math.nan}, "no finite times"),
    ],
)
def test_a_demand_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    where = plan.Plan("AB", (cases.contact(1, "AB", 0, 10),))
    asked = model.Demand(**({"name": "d", "a": "A", "b": "B", "bits": 1} | changes))  # type: ignore[arg-type] # one table for all fields
    with pytest.raises((routes.InvalidDemand, plan.InvalidPlan), match=said):
        routes.check(where, asked)


def test_no_alternatives_are_refused() -> None:
    where = plan.Plan("AB", (cases.contact(1, "AB", 0, 10),))
    with pytest.raises(routes.InvalidDemand, match="0 alternatives"):
        routes.alternatives(where, {1: 1}, model.Demand(name="d", a="A", b="B", bits=1), 0)

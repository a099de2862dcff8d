"""Published cases of contact graph routing; the figures stand in docs/quantum-network.md.

The plan is figure 3 of Fraire, De Jonckère, Burleigh, "Routing in the Space Internet: A contact graph
routing tutorial", Journal of Network and Computer Applications 174, 102884 (2021), as it also stands in its
companion program pyCGR (cgr_tutorial.txt): eight links, each one contact in either direction, a rate of 1
and a light time of 1 s.
"""

import pytest

from qfleet_controlplane.network.contacts import model, plan, routes

TUTORIAL = (
    (1, "AB", 0, 60),
    (3, "BC", 0, 60),
    (5, "AC", 0, 60),
    (7, "CD", 0, 30),
    (9, "AE", 10, 20),
    (11, "DE", 0, 10),
    (13, "DE", 30, 40),
    (15, "DE", 50, 60),
)
SABR = model.Timing(ready="start", hop_latency_s=1.0)


@pytest.fixture(name="tutorial")
def _tutorial() -> plan.Plan:
    contacts = [
        model.Contact(
            number=number, a=ends[0], b=ends[1], start_s=start, end_s=end, expected_bits=end - start
        )
        for number, ends, start, end in TUTORIAL
    ]
    return plan.Plan("ABCDE", contacts, timing=SABR)


def _asked(**changes: object) -> model.Demand:
    fields = {"name": "bundle", "a": "A", "b": "E", "bits": 1} | changes
    return model.Demand(**fields)  # type: ignore[arg-type] # one table for all fields


def _all(where: plan.Plan, **changes: object) -> list[model.Route]:
    free = {number: each.expected_bits for number, each in where.contacts.items()}
    return routes.alternatives(where, free, _asked(**changes), 10)


def test_best_route_of_the_tutorial_delivers_at_3_s(tutorial: plan.Plan) -> None:
    # Section 4 and figure 7: A-C-D-E, best delivery time 3. It terminates at 10 with its last contact.
    best = _all(tutorial)[0]
    assert (best.contacts, best.nodes, best.arrival_s) == ((5, 7, 11), tuple("ACDE"), 3.0)
    assert best.terminates_s == 10.0


@pytest.mark.parametrize(
    ("contacts", "delivered_s"), [((5, 7, 11), 3.0), ((9,), 11.0), ((5, 7, 13), 31.0), ((5, 7, 15), 51.0)]
)
def test_the_four_routes_that_the_tutorial_draws_have_its_delivery_times(
    tutorial: plan.Plan, contacts: tuple[int, ...], delivered_s: float
) -> None:
    assert {each.contacts: each.arrival_s for each in _all(tutorial)}[contacts] == delivered_s


def test_yen_finds_the_seven_routes_that_hdtn_finds(tutorial: plan.Plan) -> None:
    # nasa/HDTN, common/cgr/test/TestYen.cpp: 10 asked for, 7 found; entry nodes 3, 2, 5 of the first three.
    found = _all(tutorial)
    assert [each.arrival_s for each in found] == [3, 4, 11, 31, 31, 51, 51]
    assert [each.nodes[1] for each in found[:3]] == ["C", "B", "E"]


def test_equal_deliveries_are_ordered_by_hops(tutorial: plan.Plan) -> None:
    # CCSDS 734.3-B-1, 3.2.8.1.4 a) 2).
    assert [len(each.contacts) for each in _all(tutorial)[3:]] == [3, 4, 3, 4]


def test_a_contact_may_be_used_at_its_end_instant_and_not_after(tutorial: plan.Plan) -> None:
    # Leaving at 8 s one is at D at 10 s, when D-E ends, and may still go (3.2.4.1.1); a second later not.
    # Either way A-E delivers as early, by fewer contacts.
    assert [each.contacts for each in _all(tutorial, from_s=8.0)][:2] == [(9,), (5, 7, 11)]
    assert (5, 7, 11) not in [each.contacts for each in _all(tutorial, from_s=9.0)]


def test_equal_routes_are_told_apart_by_termination_and_then_by_entry_node() -> None:
    # CCSDS 734.3-B-1, 3.2.8.1.4 a) 3) and 4): two hops each, all delivered at 2 s.
    def entry(*hops: tuple[str, int]) -> str:
        contacts = [
            model.Contact(number=number, a=ends[0], b=ends[1], start_s=0, end_s=end, expected_bits=1)
            for number, (ends, end) in enumerate(hops)
        ]
        return _all(plan.Plan("ABCE", contacts, timing=SABR))[0].nodes[1]

    assert entry(("AB", 50), ("BE", 50), ("AC", 60), ("CE", 60)) == "C"
    assert entry(("AC", 60), ("CE", 60), ("AB", 60), ("BE", 60)) == "B"
    assert entry(("AB", 60), ("BE", 50), ("AC", 51), ("CE", 70)) == "C"

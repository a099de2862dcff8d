"""What follows from the scenarios that ship: passes, keys, contacts, routes and plans."""

import pytest
from msgspec.structs import replace

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network import entangled, scenarios, skies, surveying, ways
from qfleet_controlplane.network.remaining import remaining
from qfleet_controlplane.network.scenario.reading import read
from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.surveying import survey
from qfleet_controlplane.network.twin.advance import advance, begin
from qfleet_wire.api.network import EntanglementRequest, FaultView, NetworkFault, RouteRequest


@pytest.fixture(scope="module")
def micius() -> Survey:
    return survey(scenarios.text_of("micius"), "micius.toml")


@pytest.fixture(scope="module")
def ring() -> Survey:
    return survey(scenarios.text_of("metro-ring"), "metro-ring.toml")


def test_only_passes_by_night_give_key(micius: Survey) -> None:
    assert len(micius.passes) == 7
    for one in micius.passes:
        assert (one.bits > 0) == one.night
        assert one.rise_s < one.culmination_s < one.set_s
    assert [contact.number for contact in micius.contacts] == list(range(3))


def test_the_key_of_the_published_pass_is_of_the_published_size(micius: Survey) -> None:
    # Liao et al., Nature 549, 43 (2017): 300,939 bits of 273 s of the pass.
    (best,) = (one for one in micius.passes if one.site == "xinglong" and one.night)
    assert 300_939 / 2 < best.bits < 300_939 * 2


def test_finer_parts_of_a_pass_give_the_same_key(micius: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    # 512 parts last less than a second each.
    monkeypatch.setattr(skies, "PARTS", 512)
    finer = survey(scenarios.text_of("micius"), "micius.toml")
    found, exact = ([one.bits for one in each.passes] for each in (micius, finer))
    assert found == pytest.approx(exact, rel=1e-3)
    assert sum(found) > 0


def test_the_constellation_gives_key_by_night_only_and_with_few_errors() -> None:
    whole = read(scenarios.text_of("constellation"), "constellation.toml")
    found = surveying.of(replace(whole, satellites=whole.satellites[::6]))
    overhead = [one for one in found.passes if one.night and one.elevation_deg > 60.0]
    assert len(overhead) > 10
    links = [one for one in found.contacts if one.kind == "satellite"]
    assert all(0.0 < one.expected_bits <= one.clear_bits for one in links)
    assert all(0.01 < one.qber < 0.03 for one in links)
    # Higher passes give more: the mean of those overhead is far above that of those near the horizon.
    low = [one for one in found.passes if one.night and one.elevation_deg < 25.0]
    mean_overhead, mean_low = (sum(one.bits for one in each) / len(each) for each in (overhead, low))
    assert mean_overhead > 10.0 * mean_low


def test_the_night_over_one_site_may_be_brighter_than_over_others(micius: Survey) -> None:
    text = scenarios.text_of("micius")
    bright = survey(text.replace('name = "graz"', 'name = "graz"\nbackground_hz = 2000.0'), "micius.toml")
    keys = {one.b: (one.clear_bits, one.qber) for one in bright.contacts}
    for one in micius.contacts:
        bits, qber = keys[one.b]
        if one.b == "graz":
            assert bits < one.clear_bits
            assert qber > one.qber
        else:
            assert (bits, qber) == (one.clear_bits, one.qber)
    # What a site says takes the place of what its telescope says.
    same = survey(text.replace('name = "graz"', 'name = "graz"\nbackground_hz = 50.0'), "micius.toml")
    assert same.contacts == micius.contacts


def test_clouds_lower_what_is_expected_and_not_what_a_clear_sky_gives(micius: Survey) -> None:
    covers = {contact.b: contact.cover for contact in micius.contacts}
    assert covers == {"xinglong": 0.0, "nanshan": 0.1, "graz": 0.3}
    for contact in micius.contacts:
        assert contact.expected_bits == pytest.approx((1 - contact.cover) * contact.clear_bits)


def test_fibres_make_key_by_the_hour_below_the_bound_of_no_repeater(ring: Survey) -> None:
    assert len(ring.contacts) == 6 * 24
    for fibre in ring.fibres:
        assert 0 < fibre.secret_bps < fibre.plob_bps
        mine = [one for one in ring.contacts if {one.a, one.b} == {fibre.a, fibre.b}]
        assert sum(one.expected_bits for one in mine) == pytest.approx(24 * 3600 * fibre.secret_bps)


def test_a_key_is_carried_by_the_satellite(micius: Survey) -> None:
    found = ways.routes(micius, RouteRequest(a="xinglong", b="graz", bits=1000.0))
    (only,) = found.routes
    assert [(hop.sender, hop.receiver) for hop in only.hops] == [("xinglong", "micius"), ("micius", "graz")]
    assert only.arrival_s == pytest.approx(only.hops[1].end_s, abs=1e-5)
    late = ways.routes(micius, RouteRequest(a="xinglong", b="graz", bits=1000.0, at_s=62_000.0))
    assert late.routes == ()
    assert "no chain of contacts joins" in late.reason
    with pytest.raises(InvalidRequest, match="bits = 0"):
        ways.routes(micius, RouteRequest(a="xinglong", b="graz", bits=0.0))
    with pytest.raises(InvalidRequest, match="the scenario"):
        ways.routes(micius, RouteRequest(a="xinglong", b="graz", bits=1.0, at_s=-1.0))


def test_keys_go_another_way_while_a_link_is_broken(ring: Survey) -> None:
    def way(
        fault: NetworkFault, share: float = 1.0, at_s: float = 7300.0, asked_s: float = 7300.0
    ) -> list[str]:
        wrong = [FaultView(a="north", b="centre", fault=fault, share=share)]
        left = remaining(ring, wrong, at_s)
        request = RouteRequest(a="centre", b="north", bits=4096, at_s=asked_s, alternatives=1)
        return [hop.receiver for hop in ways.routes(left, request).routes[0].hops]

    round_about = ["clinic", "west", "south", "east", "north"]
    assert way("failed") == way("intercepted", 0.5) == round_about
    assert way("intercepted", 0.01) == ["north"]
    # What was made before it broke is still there.
    assert way("failed", asked_s=0.0) == ["north"]
    served = ways.plan(remaining(ring, [FaultView(a="centre", b="north", fault="failed", share=1.0)], 0.0))
    assert all(one.booked_bits == one.asked_bits for one in served.demands)
    assert remaining(ring, [], 0.0) is ring


def test_a_key_too_large_for_a_way_is_told_what_there_is_room_for(micius: Survey, ring: Survey) -> None:
    over = {one.site: int(one.expected_bits) for one in micius.contacts}
    found = ways.routes(micius, RouteRequest(a="xinglong", b="graz", bits=1e9))
    least = min(over["xinglong"], over["graz"])
    assert found.reason.endswith(f"have room for {least} of 1000000000 bits over 4 routes")
    # One hour of the ring's fibres is too short for these bits, and some hours together are not.
    hour = max(one.expected_bits for one in ring.contacts)
    found = ways.routes(ring, RouteRequest(a="centre", b="north", bits=1.5 * hour))
    assert not found.routes
    assert "alone; 2 ways together have" in found.reason


def test_both_ways_round_a_ring_are_found(ring: Survey) -> None:
    found = ways.routes(ring, RouteRequest(a="centre", b="north", bits=1e6, alternatives=5))
    hops = [len(one.hops) for one in found.routes]
    assert hops[0] == 1
    assert len(hops) == 5
    assert [one.arrival_s for one in found.routes] == sorted(one.arrival_s for one in found.routes)


def test_a_plan_serves_the_ring_and_says_what_a_satellite_cannot(ring: Survey, micius: Survey) -> None:
    served = ways.plan(ring)
    assert all(one.booked_bits == one.asked_bits and not one.reason for one in served.demands)
    partly = ways.plan(micius)
    assert all(0 < one.booked_bits < one.asked_bits for one in partly.demands)
    assert all("the first key can be there" in one.reason for one in partly.demands)
    assert 0 < partly.booked_share < 1


def test_the_twin_of_the_ring_makes_what_the_survey_expects(ring: Survey) -> None:
    network = network_of(ring)
    twin = begin(network, 1)
    advance(network, twin, network.duration_s)
    expected = sum(contact.expected_bits for contact in ring.contacts)
    assert sum(store.made_bits for store in twin.stores.values()) == pytest.approx(expected)
    # Nothing is there before the first step has made it; after that everything is served.
    assert all(one.missing_bits == 0 for one in twin.services)
    assert not twin.alarms


def test_a_fibre_without_light_bars_no_other_way_for_pairs(ring: Survey) -> None:
    dark = [replace(one, loss_db=20_000.0) if one.b == "north" else one for one in ring.fibres]
    found = entangled.ways(
        replace(ring, fibres=tuple(dark)), EntanglementRequest(a="centre", b="north", fidelity=0.8)
    )
    assert [one.nodes for one in found.paths] == [("centre", "clinic", "west", "south", "east", "north")]
    none = replace(ring, fibres=tuple(replace(one, loss_db=20_000.0) for one in ring.fibres))
    with pytest.raises(InvalidRequest, match="no path of entangled links joins centre and north"):
        entangled.ways(none, EntanglementRequest(a="centre", b="north", fidelity=0.8))


def test_entangled_pairs_go_round_the_ring_and_an_impossible_fidelity_is_refused(ring: Survey) -> None:
    easy = entangled.ways(ring, EntanglementRequest(a="centre", b="east", fidelity=0.8)).paths
    assert [one.nodes for one in easy] == [
        ("centre", "north", "east"),
        ("centre", "clinic", "west", "south", "east"),
    ]
    assert easy[0].rate_hz >= easy[1].rate_hz > 0
    assert all(one.fidelity >= 0.8 for one in easy)
    # Purification costs pairs, and four swaps cannot be made up for.
    (hard,) = entangled.ways(ring, EntanglementRequest(a="centre", b="east", fidelity=0.95)).paths
    assert hard.fidelity >= 0.95
    assert 0 < hard.rate_hz < easy[0].rate_hz
    with pytest.raises(
        InvalidRequest, match=r"0\.9999 cannot be reached between .*: the best path, .*, gives 0\.9"
    ):
        entangled.ways(ring, EntanglementRequest(a="centre", b="east", fidelity=0.9999))
    with pytest.raises(InvalidRequest, match="fidelity"):
        entangled.ways(ring, EntanglementRequest(a="centre", b="east", fidelity=1.5))

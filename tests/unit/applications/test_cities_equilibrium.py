"""Traffic that splits at will, against published values and by hand."""

import pytest

from qfleet_applications.cities import files
from qfleet_applications.cities.equilibrium import assigned
from qfleet_applications.cities.roads import BPR_FACTOR, BPR_POWER, Demand, Road, Roads
from qfleet_applications.cities.traffic import Traffic
from qfleet_applications.errors import InvalidProblem

SIOUX_FALLS_BECKMANN = 4231335.28710744
"""The least value of Beckmann's function, in hundredths of an hour times vehicles: *Transportation Networks
for Research*, SiouxFalls (there 42.31335287107440, in other units)."""


def test_the_user_equilibrium_of_sioux_falls_is_the_published_one() -> None:
    roads = files.roads(None, "sioux_falls")
    found = assigned(roads, files.trips(files.bundled("sioux_falls_demand")), selfish=True, gap=3e-6)
    beckmann = sum(
        road.minutes * volume * (1 + BPR_FACTOR / (BPR_POWER + 1) * (volume / road.capacity) ** BPR_POWER)
        for road, volume in zip(roads.roads, found.volumes, strict=True)
    )
    assert beckmann / 0.6 == pytest.approx(SIOUX_FALLS_BECKMANN, rel=1e-6)
    assert found.volumes[:2] == pytest.approx((4494.657646, 8119.079948), rel=2e-3)


def test_two_roads_side_by_side() -> None:
    # by way of x, t = 10 (1 + 0.15 (v/10)⁴); the other way never slows down and takes 14 min
    roads = Roads(
        "two roads",
        (
            Road("a", "x", 10.0, 10.0),
            Road("x", "b", 1e9, 1e-6),
            Road("a", "y", 1e9, 14.0),
            Road("y", "b", 1e9, 1e-6),
        ),
    )
    demand = (Demand("a", "b", 30.0),)
    equal = assigned(roads, demand, selfish=True)
    assert equal.volumes[0] == pytest.approx(10 * (0.4 / 0.15) ** 0.25, rel=1e-5)
    assert equal.minutes == pytest.approx(30 * 14, rel=1e-5)
    best = assigned(roads, demand, selfish=False)
    assert best.volumes[0] == pytest.approx(10 * (0.4 / 0.75) ** 0.25, rel=1e-5)
    assert best.minutes < equal.minutes
    assert max(best.gap, equal.gap) <= 1e-7


def test_no_platoons_do_better_than_the_system_optimum() -> None:
    traffic = Traffic(*files.traffic(None, None), platoon=200.0, choices=8)
    assert traffic.optimum.minutes < traffic.selfish.minutes < traffic.again(0).value
    assert traffic.optimum.minutes == pytest.approx(179589.29, rel=1e-6)


def test_a_pair_without_a_way_is_refused() -> None:
    lane = Roads("a lane", (Road("a", "b", 1.0, 1.0),))
    with pytest.raises(InvalidProblem, match="no way from b to a"):
        assigned(lane, (Demand("b", "a", 1.0),), selfish=True)

"""What a survey of the constellation says must be possible: ranges, nights, shadow, keys by elevation."""

import math
from itertools import pairwise

import numpy as np
import pytest

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.surveying import survey

HOURS = 4
MASK_DEG, ALTITUDE_KM, EARTH_KM = 20.0, 550.0, 6371.0


@pytest.fixture(scope="module")
def few() -> Survey:
    text = scenarios.text_of("constellation")
    assert "hours = 24" in text
    return survey(text.replace("hours = 24", f"hours = {HOURS}", 1), "constellation.toml")


def slant_km(elevation_deg: float, altitude_km: float) -> float:
    """The range to a satellite of that altitude over a sphere."""
    sine = EARTH_KM * math.sin(math.radians(elevation_deg))
    return math.sqrt(sine**2 + altitude_km * (2.0 * EARTH_KM + altitude_km)) - sine


def test_ranges_follow_the_elevation(few: Survey) -> None:
    for one in few.passes:
        assert MASK_DEG - 1e-6 <= one.elevation_deg <= 90.0
        # The ellipsoid, the station's height and the orbit's own swing make up to 35 km of altitude.
        low, high = (slant_km(one.elevation_deg, ALTITUDE_KM + swing) for swing in (-35.0, 35.0))
        assert low < one.range_km < high


def test_passes_last_as_long_as_their_height_allows(few: Survey) -> None:
    # Overhead at 550 km above a mask of 20 degrees: an arc of 22 degrees, 5.9 minutes; the earth turns too.
    longest = max(one.set_s - one.rise_s for one in few.passes)
    assert 320.0 < longest < 400.0
    assert {one.site for one in few.passes} == {site.name for site in few.sites if site.kind == "station"}


def test_a_satellite_over_a_day_lit_station_is_in_the_sun_too(few: Survey) -> None:
    nights = [one for one in few.passes if one.night]
    assert 0.3 < len(nights) / len(few.passes) < 0.6
    assert all(one.sunlit for one in few.passes if not one.night)
    # At night some are still in the sun, as every stargazer sees, and some are not.
    assert 0.1 < sum(one.sunlit for one in nights) / len(nights) < 0.9


def test_keys_come_at_night_and_follow_the_elevation(few: Survey) -> None:
    whole = [one for one in few.passes if one.rise_s > 0.0 and one.set_s < few.duration_s]
    dark, bright = ([one for one in whole if one.night is night] for night in (True, False))
    # A pass that culminates at dusk may begin or end at night.
    assert sum(one.bits for one in bright) < 0.05 * sum(one.bits for one in dark)
    high = np.array([one.elevation_deg for one in dark])
    bits = np.array([one.bits for one in dark])
    order = np.corrcoef(high.argsort().argsort(), bits.argsort().argsort())[0, 1]
    assert order > 0.9
    # Each kilometre nearer counts: overhead passes give as much as Micius' best, low ones next to nothing.
    assert 3e5 < bits.max() < 2e6
    assert bits[high < 25.0].max() < 1e5


def test_contacts_of_a_pair_follow_one_another(few: Survey) -> None:
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in few.contacts:
        assert 0.0 <= one.expected_bits <= one.clear_bits
        assert 0.01 < one.qber < 0.05
        pairs.setdefault((one.a, one.b), []).append((one.start_s, one.end_s))
    assert all(first[1] <= second[0] for spans in pairs.values() for first, second in pairwise(spans))
    fibres = [one for one in few.contacts if one.kind == "fibre"]
    assert len(fibres) == 40 * HOURS

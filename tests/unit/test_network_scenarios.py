"""Scenario files: those that ship, and every way to write one wrongly, refused with line and reason."""

import datetime as dt
import re

import pytest

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.scenario import elements, walker
from qfleet_controlplane.network.scenario.model import Constellation, Scenario
from qfleet_controlplane.network.scenario.reading import read

MICIUS = scenarios.text_of("micius")
RING = scenarios.text_of("metro-ring")
LARGE = scenarios.text_of("constellation")


@pytest.mark.parametrize(
    ("name", "sites", "fibres", "satellites"),
    [("metro-ring", 6, 6, 0), ("micius", 3, 0, 1), ("constellation", 24 + 24 + 16, 40, 96)],
)
def test_the_scenarios_that_ship_are_right(name: str, sites: int, fibres: int, satellites: int) -> None:
    scenario = read(scenarios.text_of(name), f"{name}.toml")
    assert scenario.name == name
    assert (len(scenario.sites), len(scenario.fibres), len(scenario.satellites)) == (
        sites,
        fibres,
        satellites,
    )
    assert scenario.demands
    assert scenario.title == scenarios.titles()[name]
    assert not scenario.constellations


def test_the_constellation_stands_over_24_stations() -> None:
    scenario = read(LARGE, "x")
    assert sum(site.kind == "station" for site in scenario.sites) == 24


def refusal(text: str) -> tuple[int, str]:
    """The line and the reason for which a scenario is refused."""
    with pytest.raises(InvalidRequest) as caught:
        read(text, "mine.toml")
    found = re.fullmatch(r"mine\.toml, line (\d+): (.*)", str(caught.value))
    assert found, str(caught.value)
    return int(found[1]), found[2]


def changed(text: str, old: str, new: str) -> tuple[str, int]:
    """The text with the first ``old`` replaced, and the line in which it stood."""
    assert old in text
    return text.replace(old, new, 1), text[: text.index(old)].count("\n") + 1


WRONG = [
    (MICIUS, "0  9993", "0  9994", "ends with '4', but its checksum is 3", -1),
    (MICIUS, "15.23915303 19063", "15.23915303 19064", "ends with '4', but its checksum is 3", -2),
    (MICIUS, "246.0824 ", "246.0824", "has 68 columns instead of 69", -2),
    (MICIUS, '"2 41731', '"3 41731', "line 2 of the TLE begins with '3'", -2),
    (MICIUS, "altitude_m = 890.0", "altitude_m = -431.0", "altitude_m = -431 lies under the sea", 0),
    (MICIUS, "latitude_deg = 40.39587", "latitude_deg = 90.5", "latitude_deg = 90.5 must be in [-90, 90]", 0),
    (MICIUS, "longitude_deg = 117.57746", "longitude_deg = nan", "longitude_deg = nan must be in", 0),
    (MICIUS, 'telescope = "one-metre"', 'telescope = "one-meter"', "did you mean 'one-metre'?", 0),
    (MICIUS, 'kind = "station"', 'kind = "device"', "a station has a telescope, and nothing else has", 4),
    (MICIUS, 'kind = "station"', 'kind = "statoin"', "Invalid enum value 'statoin'", 0),
    (MICIUS, "altitude_m = 890.0", "altitude = 890.0", "'altitude'; did you mean 'altitude_m'?", 0),
    (MICIUS, "dark_hz = 100.0", "dark = 100.0", "unknown key 'dark'; did you mean 'dark_hz'?", 0),
    (MICIUS, "efficiency = 0.5", 'efficiency = "half"', "efficiency: Expected `float`, got `str`", 0),
    (MICIUS, "efficiency = 0.5", "efficiency = 1.5", "efficiency = 1.5 must be in", 0),
    (MICIUS, "epoch = 2016-12-19T00:00:00Z", "epoch = 2016-12-19T00:00:00", "epoch has no zone", 0),
    (MICIUS, "hours = 24", "hours = -1", "hours = -1 must be in", 0),
    (MICIUS, "cover = [0.6, 0.3]", "cover = [0.6, 1.3]", "cover = 1.3 must be in [0, 1]", 0),
    (MICIUS, "cover = [0.6, 0.3]", "cover = [0.6]", "1 values of cover for 2 times", 0),
    (MICIUS, "from_h = [0.0, 12.0]", "from_h = [12.0, 0.0]", "from_h must rise, and 0 follows 12", 0),
    (MICIUS, 'site = "nanshan"', 'site = "graz"', "the weather over 'graz' is told twice", 0),
    (MICIUS, 'b = "nanshan"', 'b = "xinglong"', "'xinglong' is joined with itself", 0),
    (MICIUS, 'name = "nanshan"', 'name = "xinglong"', "two sites are called 'xinglong'", 0),
    (MICIUS, '"micius"\ntransmitter', '"graz"\ntransmitter', "a site and a satellite are called", 0),
    (MICIUS, "[0.8, 0.1, 0.0]", "[0.1, 0.8, 0.0]", "must fall, the first above the sum of the others", 0),
    (MICIUS, "[0.5, 0.25, 0.25]", "[0.5, 0.25, 0.2]", "must be above 0 and sum to 1", 0),
    (MICIUS, 'name = "graz"', 'name = "graz"\ndevice = "Graz"', "device name 'Graz' is not valid", 1),
    (MICIUS, "epoch = 2016-12-19", "epoch = 2017-01-17", "up to 30.1 days from the scenario's times", 32),
    (MICIUS, "epoch = 2016-12-19", "epoch = 2016-11-18", "up to 30.9 days from the scenario's times", 32),
    (MICIUS, '"micius"\ntransmitter', '"micius"\nmax_age_days = 0.5\ntransmitter', "max_age_days = 0.5", 1),
    (RING, "length_km = 14.2", "length_km = 5.69", "shorter than the straight line between 'centre' and", 0),
    (RING, "length_km = 14.2", "length_km = -14.2", "length_km = -14.2 must be in", 0),
    (RING, 'a = "north"\nb = "east"', 'a = "north"\nb = "centre"', "two fibres join", 0),
    (RING, 'detector = "ingaas"', 'detector = "silicon"', "no detector 'silicon'; there are ingaas", 0),
    (RING, "[sources.decoy]", "[repeaters]\nreadout = 0.4\n\n[sources.decoy]", "readout = 0.4 must be in", 1),
    (RING, "rate_bps = 256.0", "rate_bps = 0.0", "rate_bps = 0 must be in", 0),
    (LARGE, "satellites = 96", "satellites = 97", "97 satellites cannot be spread evenly over 8 planes", 1),
    (LARGE, "phasing = 1", "phasing = 8", "phasing = 8 must be in [0, 7]", 0),
    (LARGE, "altitude_km = 550.0", "altitude_km = 50.0", "altitude_km = 50 must be in", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "reason", "after"), WRONG, ids=[one[3] for one in WRONG])
def test_what_is_wrong_is_refused_with_its_line(
    text: str, old: str, new: str, reason: str, after: int
) -> None:
    wrong, line = changed(text, old, new)
    where, why = refusal(wrong)
    assert reason in why
    # Elements of satellites stand in one key of several lines, whose first is named.
    assert where == line + after


def test_a_device_is_in_one_place() -> None:
    once = MICIUS.replace('transmitter = "micius"\n', 'transmitter = "micius"\ndevice = "payload"\n')
    text, line = changed(once, 'name = "nanshan"\n', 'device = "ogs-2"\nname = "nanshan"\n')
    scenario = read(text, "x")
    assert [one.device for one in scenario.places] == [None, "ogs-2", None, "payload"]
    assert refusal(text.replace("ogs-2", "payload")) == (
        next(n for n, said in enumerate(text.splitlines(), 1) if said == 'device = "payload"'),
        "device 'payload' is at 'nanshan' and at 'micius'",
    )
    assert line == text.splitlines().index('device = "ogs-2"') + 1


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidRequest, match=r"mine\.toml: not valid TOML: .*line 2"):
        read("name = 'x'\nhours = = 3\n", "mine.toml")


def test_the_checksum_counts_digits_and_minus_signs() -> None:
    # The example of Spacetrack Report 3 as CelesTrak prints it.
    first = "1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927"
    second = "2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537"
    assert elements.faults(first, second) is None
    assert elements.faults(first.replace("-.0000", " .0000"), second) is not None
    assert elements.faults(second, first) is not None


def test_elements_may_be_as_old_as_the_file_says() -> None:
    late = MICIUS.replace("epoch = 2016-12-19", "epoch = 2018-12-19")
    _, reason = refusal(late)
    assert "the TLE is of 2016-12-18" in reason
    assert "set max_age_days (it is 30)" in reason
    read(late.replace('"micius"\ntransmitter', '"micius"\nmax_age_days = 731.2\ntransmitter'), "x")
    assert read(MICIUS.replace("epoch = 2016-12-19", "epoch = 2017-01-16"), "x")


def test_the_epoch_of_elements_is_a_year_and_a_day_of_it() -> None:
    # Vallado et al., AIAA 2006-6753: satellite 00005, 2000 June 27, 18:50:19.733568 UTC.
    first = "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753"
    assert elements.epoch(first) == dt.datetime(2000, 6, 27, 18, 50, 19, 733568, dt.UTC)
    assert elements.epoch(first.replace("00179", "57001")).year == 1957
    assert elements.epoch(first.replace("00179", "56366")).date() == dt.date(2056, 12, 31)
    second = "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667"
    wrong = first.replace("00179.", "00379.").replace("4753", "4755")
    assert elements.faults(wrong, second) == "the epoch of the TLE is '00379.78495062', no year and day of it"


def test_a_fibre_may_run_straight_and_no_straighter() -> None:
    # Vincenty's inverse formula gives 5.718 km along the ellipsoid from the centre to the north.
    assert read(RING.replace("length_km = 14.2", "length_km = 5.72"), "x")


def test_a_walker_pattern_is_even() -> None:
    made = Constellation(
        name="w", transmitter="t", satellites=12, planes=3, phasing=1, inclination_deg=60.0, altitude_km=550.0
    )  # fmt: skip
    found = walker.satellites(made)
    assert len({one.name for one in found}) == 12
    orbits = [one.elements for one in found if one.elements is not None]
    assert sorted({one.node_deg for one in orbits}) == [0.0, 120.0, 240.0]
    assert [one.anomaly_deg for one in orbits[:4]] == [0.0, 90.0, 180.0, 270.0]
    assert orbits[4].anomaly_deg == pytest.approx(30.0)
    # Circular orbits at 550 km take 95.6 minutes.
    assert 1440.0 / orbits[0].revolutions_per_day == pytest.approx(95.6, abs=0.1)


def test_a_scenario_says_how_long_it_lasts() -> None:
    assert isinstance(read(RING, "x"), Scenario)
    assert read(RING, "x").duration_s == 86_400.0

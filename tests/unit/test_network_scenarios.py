"""Scenario files: those that ship, and every way to write one wrongly, refused with line and reason."""

import datetime as dt
import re
from importlib import resources

import pytest

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.scenario import elements, walker
from qfleet_controlplane.network.scenario.model import Constellation, Scenario
from qfleet_controlplane.network.scenario.reading import read
from qfleet_controlplane.network.surveying import survey

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
    (MICIUS, 'name = "graz"', 'name = "graz"\nbackground_hz = -1.0', "background_hz = -1 must", 1),
    (RING, 'name = "north"', 'name = "north"\nbackground_hz = 5.0', "'north' has no telescope, so", 1),
    (RING, "length_km = 14.2", "length_km = 5.69", "shorter than the straight line between 'centre' and", 0),
    (MICIUS, "97.3699 267", "    nan 267", "the inclination of the TLE, columns 9 to 16 of line 2, is", -2),
    (MICIUS, "15.23915303 19063", "15.23915303 1906²", "has characters that no TLE has", -2),
    (MICIUS, " 17957-4", " 1x957-4", "the drag term of the TLE, columns 54 to 61 of line 1, is", -1),
    (MICIUS, "16353.90152003", "16403.90152003", "is day 403.902 of its year, which no year has", -1),
    (MICIUS, " 97.3699 267", "197.3699 267", "the inclination of the TLE is 197.37, and must be in", -2),
    (MICIUS, "epoch = 2016", "epoch = 9999", "epoch lies in 9999, outside 1950 to 2050", 0),
    (MICIUS, "hours = 24", "hours = 24\nstore_bits = inf", "store_bits = inf must be in", 1),
    (MICIUS, "rate_hz = 100e6", "rate_hz = inf", "rate_hz = inf must be in", 0),
    (MICIUS, "window_ns = 2.0", "window_ns = 11.0", "the pulses of 'micius' are 10 ns apart", None),
    (MICIUS, "[0.8, 0.1, 0.0]", "[1e300, 0.1, 0.0]", "intensities = 1e+300 must be in [0, 10]", 0),
    (MICIUS, "[0.5, 0.25, 0.25]", "[0.5, nan, 0.25]", "probabilities = nan must be in [0, 1]", 0),
    (MICIUS, "from_h = [0.0]", "from_h = [nan]", "from_h = nan must be in", 0),
    (MICIUS, 'name = "micius"', 'name = ""', "'' cannot be the name of a scenario", 0),
    (MICIUS, 'name = "graz"', 'name = "\\u001b[2J"', "cannot be the name of a site: 1 to 100 characters", 0),
    (RING, "extra_loss_db = 1.5", "loss_db_per_km = 0", "the fibre loses less than 0.001 dB", 0),
    (RING, "window_ns = 1.0", "window_ns = 2.0", "the pulses of 'decoy' are 1.6 ns apart", None),
    (LARGE, "satellites = 96", "satellites = 9600", "9,600 satellites over 24 stations for", None),
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
    text: str, old: str, new: str, reason: str, after: int | None
) -> None:
    wrong, line = changed(text, old, new)
    where, why = refusal(summed(wrong))
    assert reason in why
    # Elements of satellites stand in one key of several lines, whose first is named.
    assert where == (elsewhere(reason, wrong) if after is None else line + after)


def elsewhere(reason: str, text: str) -> int:
    """The line to which a reason belongs that follows from another line."""
    begins = "hours = " if "satellites" in reason else "detector = "
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(begins))


def summed(text: str) -> str:
    """The text with right checksums where something else of the elements was made wrong."""
    if "0  9994" in text or "19064" in text:
        return text
    return re.sub(r'"([12] .{66})\d"', lambda found: f'"{found[1]}{elements.checksum(found[1])}"', text)


def test_elements_of_the_verification_of_sgp4_have_the_form() -> None:
    # All of SGP4-VER.TLE (Vallado et al., AIAA 2006-6753) but those three whose checksums are wrong there.
    with resources.files("sgp4").joinpath("SGP4-VER.TLE").open(encoding="utf-8") as file:
        lines = [line[:69] for line in file if line[0] in "12"]
    faults = [elements.faults(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
    assert len(faults) == 33
    assert [one for one in faults if one is not None] == [
        "line 1 of the TLE ends with '4', but its checksum is 2",
        "line 1 of the TLE ends with '9', but its checksum is 6",
        "line 1 of the TLE ends with '0', but its checksum is 3",
    ]


def test_elements_that_cannot_be_propagated_are_refused_with_their_line() -> None:
    # Perigee below the ground: SGP4 takes the elements and fails at the first instant.
    text = summed(MICIUS.replace("0013200", "9913200"))
    with pytest.raises(InvalidRequest, match=r"mine\.toml, line 38: satellite 'micius' cannot be propagated"):
        survey(text, "mine.toml")


def test_what_nests_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        read("x = " + "[" * 100_000, "mine.toml")


def test_a_long_run_of_blanks_is_read_in_no_time() -> None:
    # A pattern that could share the run out between two of its parts would take hours.
    title = 'title = "six fibre nodes in a ring through one city"'
    assert title in RING
    blank = RING.replace(title, f'title = """[{" " * 200_000}x\u2028"""')
    text, line = changed(blank, "latitude_deg = 48.2082", "latitude_deg = 98.0")
    assert refusal(text) == (line, "latitude_deg = 98 must be in [-90, 90]")


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
    assert (
        elements.faults(wrong, second) == "the epoch of the TLE is day 379.785 of its year, which no year has"
    )


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

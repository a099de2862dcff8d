"""Orbits against skyfield, which nobody here wrote, and against published values."""

import datetime as dt

import numpy as np
import pytest
from skyfield.api import EarthSatellite, Timescale, load, wgs84

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.orbits import frames, sun
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.passes import Passes, find
from qfleet_controlplane.network.orbits.propagation import OrbitFailed, Orbits
from qfleet_controlplane.network.scenario.model import Satellite, Scenario, Site
from qfleet_controlplane.network.scenario.reading import read

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def micius() -> Scenario:
    return read(scenarios.text_of("micius"), "micius.toml")


@pytest.fixture(scope="module")
def timescale() -> Timescale:
    return load.timescale(builtin=True)


def passes_of(scenario: Scenario, mask_deg: float = 10.0) -> tuple[Passes, Orbits]:
    orbits = Orbits.of(scenario.satellites, Epoch.of(scenario.epoch))
    masks = np.full(len(scenario.sites), np.radians(mask_deg))
    return find(orbits, frames.Stations.of(scenario.sites), masks, span_s=scenario.duration_s), orbits


def test_rise_culmination_and_set_are_those_of_skyfield(micius: Scenario, timescale: Timescale) -> None:
    found, _ = passes_of(micius)
    assert micius.satellites[0].tle is not None
    satellite = EarthSatellite(*micius.satellites[0].tle, ts=timescale)
    begin, end = (timescale.from_datetime(micius.epoch + dt.timedelta(hours=hours)) for hours in (0, 24))
    for number, site in enumerate(micius.sites):
        place = wgs84.latlon(site.latitude_deg, site.longitude_deg, site.altitude_m)
        times, kinds = satellite.find_events(place, begin, end, altitude_degrees=10.0)
        theirs = [(time.utc_datetime() - micius.epoch).total_seconds() for time in times]
        mine = np.flatnonzero(found.station == number)
        ours = np.stack([found.rise_s[mine], found.culmination_s[mine], found.set_s[mine]], axis=1).ravel()
        assert list(kinds) == [0, 1, 2] * len(mine)
        # skyfield finds culminations to a second or so only: the elevation hardly changes there.
        tolerance = np.where(np.array(kinds) == 1, 2.0, 0.3)
        assert np.all(np.abs(np.array(theirs) - ours) < tolerance)
        seen = (satellite - place).at(timescale.from_datetimes(_instants(micius, found.culmination_s[mine])))
        elevation, azimuth, distance = seen.altaz()
        assert np.degrees(found.elevation_rad[mine]) == pytest.approx(elevation.degrees, abs=0.02)
        assert np.degrees(found.azimuth_rad[mine]) == pytest.approx(azimuth.degrees, abs=0.05)
        assert found.range_km[mine] == pytest.approx(distance.km, abs=0.3)


def _instants(scenario: Scenario, at_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[dt.datetime]:
    return [scenario.epoch + dt.timedelta(seconds=float(each)) for each in at_s]


def test_a_finer_grid_finds_the_same_passes() -> None:
    scenario = read(scenarios.text_of("constellation"), "c")
    stations = [site for site in scenario.sites if site.kind == "station"][:4]
    orbits = Orbits.of(scenario.satellites[:6], Epoch.of(scenario.epoch))
    masks, places = np.full(4, np.radians(20.0)), frames.Stations.of(stations)
    coarse, fine = (find(orbits, places, masks, span_s=24 * HOUR_S, step_s=step) for step in (10.0, 2.0))
    assert len(coarse) == len(fine) > 10
    for name in ("rise_s", "culmination_s", "set_s"):
        assert getattr(coarse, name) == pytest.approx(getattr(fine, name), abs=5e-3)
    assert coarse.elevation_rad == pytest.approx(fine.elevation_rad, abs=1e-7)
    assert np.all(coarse.rise_s <= coarse.culmination_s)
    assert np.all(coarse.culmination_s <= coarse.set_s)
    assert np.all(np.diff(coarse.rise_s) >= 0)


def test_each_station_has_the_passes_that_a_look_at_every_step_sees() -> None:
    scenario = read(scenarios.text_of("constellation"), "c")
    stations = [site for site in scenario.sites if site.kind == "station"][:5]
    orbits, places = (
        Orbits.of(scenario.satellites[:8], Epoch.of(scenario.epoch)),
        frames.Stations.of(stations),
    )
    masks = np.radians([-2.0, 0.0, 10.0, 30.0, 60.0])
    span_s, step_s = 12 * HOUR_S, 10.0
    found = find(orbits, places, masks, span_s=span_s, step_s=step_s)
    at_s = np.arange(0.0, span_s + step_s, step_s)
    position, _ = orbits.states(slice(0, 8), at_s)
    earth = frames.turned(position, orbits.epoch.sidereal_rad(at_s))
    for station in range(5):
        seen = frames.look(places.at(np.full(8, station)), earth).elevation_rad > masks[station]
        for satellite in range(8):
            mine = np.flatnonzero((found.station == station) & (found.satellite == satellite))
            under = np.zeros_like(at_s, dtype=bool)
            for each in mine:
                under |= (found.rise_s[each] <= at_s) & (at_s <= found.set_s[each])
            assert np.count_nonzero(under != seen[satellite]) == 0
            assert len(mine) == np.count_nonzero(np.diff(seen[satellite].astype(int), prepend=0) == 1)
    assert set(found.station) == set(range(5))


def test_passes_of_hours_culminate_where_a_look_every_five_seconds_sees_them() -> None:
    # Of the verification of SGP4 (Vallado et al., AIAA 2006-6753): 12 hours eccentric and round, 24 hours.
    sets = [
        ("1 08195U 75081A   06176.33215444  .00000099  00000-0  11873-3 0   813",
         "2 08195  64.1586 279.0717 6877146 264.7651  20.2257  2.00491383225656"),
        ("1 28129U 03058A   06175.57071136 -.00000104  00000-0  10000-3 0   459",
         "2 28129  54.7298 324.8098 0048506 266.2640  93.1663  2.00562768 18443"),
        ("1 24208U 96044A   06177.04061740 -.00000094  00000-0  10000-3 0  1600",
         "2 24208   3.8536  80.0121 0026640 311.0977  48.3000  1.00778054 36119"),
    ]  # fmt: skip
    satellites = [Satellite(name=one[0][2:7], transmitter="t", tle=one) for one in sets]
    spots = [(60.0, 30.0), (0.0, 15.0), (-30.0, 100.0), (45.0, -75.0), (2.0, 60.0)]
    sites = [
        Site(name=f"s{number}", kind="station", latitude_deg=north, longitude_deg=east, telescope="t")
        for number, (north, east) in enumerate(spots)
    ]
    orbits = Orbits.of(satellites, Epoch.of(dt.datetime(2006, 6, 25, tzinfo=dt.UTC)))
    places = frames.Stations.of(sites)
    found = find(orbits, places, np.full(5, np.radians(10.0)), span_s=36 * HOUR_S)
    assert (found.set_s - found.rise_s).max() > 10 * HOUR_S
    for number in range(len(found)):
        at_s = np.append(np.arange(found.rise_s[number], found.set_s[number], 5.0), found.set_s[number])
        which = slice(found.satellite[number], found.satellite[number] + 1)
        earth = frames.turned(orbits.states(which, at_s)[0], orbits.epoch.sidereal_rad(at_s))
        seen = frames.look(places.at(found.station[number : number + 1]), earth).elevation_rad[0]
        assert found.elevation_rad[number] == pytest.approx(seen.max(), abs=np.radians(5e-3))
        assert abs(found.culmination_s[number] - at_s[seen.argmax()]) < 7.0


def test_a_pass_under_way_is_cut_at_the_span(micius: Scenario) -> None:
    whole, orbits = passes_of(micius)
    first = float(whole.culmination_s[0])
    places = frames.Stations.of(micius.sites)
    cut = find(orbits, places, np.full(3, np.radians(10.0)), span_s=first)
    assert cut.set_s[-1] == first
    assert cut.rise_s[-1] == pytest.approx(whole.rise_s[0], abs=1e-3)
    assert cut.elevation_rad[-1] == pytest.approx(whole.elevation_rad[0], abs=1e-4)


def test_no_satellite_has_no_pass(micius: Scenario) -> None:
    orbits = Orbits.of([], Epoch.of(micius.epoch))
    assert len(find(orbits, frames.Stations.of(micius.sites), np.zeros(3), span_s=HOUR_S)) == 0


def test_a_satellite_that_has_decayed_is_refused_by_name(micius: Scenario) -> None:
    late = Epoch.of(micius.epoch + dt.timedelta(days=365 * 60))
    lines = ("1 41731U 16051A   16353.90152003  .09900364  00000-0  97957-1 0  9992", "")
    first = lines[0][:-1]
    total = sum(int(c) if c.isdigit() else c == "-" for c in first) % 10
    assert micius.satellites[0].tle is not None
    falling = Satellite(name="icarus", transmitter="t", tle=(f"{first}{total}", micius.satellites[0].tle[1]))
    orbits = Orbits.of([falling], late)
    with pytest.raises(OrbitFailed, match="'icarus' cannot be propagated"):
        find(orbits, frames.Stations.of(micius.sites), np.zeros(3), span_s=HOUR_S)


def test_the_sun_is_where_meeus_has_it() -> None:
    # Astronomical Algorithms, 2nd ed., example 25.a: 1992 October 13, 0h TD: right ascension 198.38083 deg,
    # declination -7.78507 deg.
    epoch = Epoch.of(dt.datetime(1992, 10, 13, tzinfo=dt.UTC))
    towards = sun.direction(epoch.days_since_j2000(np.array([0.0])))[0]
    right_ascension = np.degrees(np.arctan2(towards[1], towards[0])) % 360.0
    assert right_ascension == pytest.approx(198.38083, abs=0.01)
    assert np.degrees(np.arcsin(towards[2])) == pytest.approx(-7.78507, abs=0.01)
    assert np.linalg.norm(towards) == pytest.approx(1.0)


def test_sidereal_time_is_that_of_meeus() -> None:
    # Astronomical Algorithms, 2nd ed., examples 12.a and 12.b: 1987 April 10, 0h and 19h21m00s UT.
    epoch = Epoch.of(dt.datetime(1987, 4, 10, tzinfo=dt.UTC))
    hours = np.degrees(epoch.sidereal_rad(np.array([0.0, 19.35 * HOUR_S]))) / 15.0
    assert hours == pytest.approx([13 + 10 / 60 + 46.3668 / 3600, 8 + 34 / 60 + 57.0896 / 3600], abs=2e-8)


def test_a_satellite_behind_the_earth_is_in_shadow() -> None:
    towards = np.array([1.0, 0.0, 0.0])
    where = np.array([[7000.0, 0.0, 0.0], [-7000.0, 0.0, 0.0], [-7000.0, 6400.0, 0.0], [-1.0, 0.0, 6370.0]])
    assert list(sun.is_sunlit(where, towards)) == [True, False, True, False]


def test_a_site_on_the_equator_stands_on_the_ellipsoid() -> None:
    sites = [
        Site(name="e", kind="fibre", latitude_deg=0.0, longitude_deg=90.0),
        Site(name="p", kind="fibre", latitude_deg=90.0, longitude_deg=0.0, altitude_m=1000.0),
    ]
    places = frames.Stations.of(sites)
    assert places.position_km[0] == pytest.approx([0.0, 6378.137, 0.0], abs=1e-9)
    # Polar axis of WGS84: 6,356,752.3142 m.
    assert places.position_km[1] == pytest.approx([0.0, 0.0, 6357.7523142], abs=1e-6)
    above = places.position_km + 500.0 * places.up
    seen = frames.look(places, above)
    assert np.degrees(seen.elevation_rad) == pytest.approx([90.0, 90.0], abs=1e-4)
    assert seen.range_km == pytest.approx([500.0, 500.0])

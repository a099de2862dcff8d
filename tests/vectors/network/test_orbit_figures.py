"""Propagation, the turn to the Earth and the sun against figures that others have published."""

import datetime as dt

import numpy as np
import pytest

from qfleet_controlplane.network.orbits import frames, sun
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario.model import Satellite, Site

VALLADO_UTC = dt.datetime(2004, 4, 6, 7, 51, 28, 386009, tzinfo=dt.UTC)
VALLADO_UT1_S = -0.4399619
"""UT1 less UTC at that instant."""
VALLADO_TEME_KM = np.array([[5094.18016210, 6127.64465950, 6380.34453270]])


def test_vanguard_is_where_the_verification_of_sgp4_has_it() -> None:
    # Vallado, Crawford, Hujsak, Kelso, AIAA 2006-6753, verification output of satellite 00005.
    lines = (
        "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753",
        "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667",
    )
    epoch = Epoch.of(dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=178.78495062))
    orbits = Orbits.of([Satellite(name="vanguard", transmitter="any", tle=lines)], epoch)
    position, velocity = orbits.states(slice(0, 1), np.array([0.0, 360.0, 720.0]) * 60.0)
    published = [
        [7022.46529266, -1400.08296755, 0.03995155],
        [-7154.03120202, -3783.17682504, -3536.19412294],
        [-7134.59340119, 6531.68641334, 3260.27186483],
    ]
    # The epoch as a date is kept to a microsecond, in which the satellite moves by 8 mm.
    np.testing.assert_allclose(position[0], published, rtol=0, atol=2e-5)
    np.testing.assert_allclose(velocity[0, 1], [4.741887409, -4.151817765, -2.093935425], rtol=0, atol=2e-8)


def test_the_turn_to_the_earth_is_that_of_vallado() -> None:
    # Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., example 3-15: TEME to PEF.
    angle = Epoch.of(VALLADO_UTC).sidereal_rad(np.array([VALLADO_UT1_S]))
    earth = frames.turned(VALLADO_TEME_KM, angle)
    np.testing.assert_allclose(earth[0], [-1033.47503130, 7901.30558560, 6380.34453270], rtol=0, atol=2e-5)


def test_what_is_left_out_moves_a_satellite_by_less_than_is_said() -> None:
    # The same example: with polar motion, and with UT1 for UTC, ITRF.
    earth = frames.turned(VALLADO_TEME_KM, Epoch.of(VALLADO_UTC).sidereal_rad(np.zeros(1)))[0]
    away_km = np.linalg.norm(earth - [-1033.47938300, 7901.29527540, 6380.35659580])
    # At most 0.9 s of rotation at this distance from the axis, and the polar motion of 20 m.
    most_km = 0.9 * frames.TURN_RAD_S * np.hypot(*earth[:2]) + 0.02
    assert away_km == pytest.approx(0.262, abs=0.001)
    assert away_km < most_km


def test_the_sun_over_golden_is_that_of_nrel() -> None:
    # Reda and Andreas, Solar Energy 76, 577 (2004), appendix A.5: 17 October 2003, 12:30:30 at UTC-7.
    # Their elevation is the one before refraction.
    epoch = Epoch.of(dt.datetime(2003, 10, 17, 19, 30, 30, tzinfo=dt.UTC))
    golden = Site(
        name="golden", kind="station", latitude_deg=39.742476, longitude_deg=-105.1786, altitude_m=1830.14
    )
    place, now = frames.Stations.of([golden]), np.zeros(1)
    towards = frames.turned(sun.direction(epoch.days_since_j2000(now)), epoch.sidereal_rad(now))
    elevation = np.degrees(sun.elevation_rad(place.up, towards))
    azimuth = np.degrees(np.arctan2(np.sum(towards * place.east), np.sum(towards * place.north))) % 360.0
    assert elevation == pytest.approx(39.872046, abs=0.01)
    assert azimuth == pytest.approx(194.340241, abs=0.01)


def test_the_sun_crosses_the_equator_at_the_equinox() -> None:
    # U.S. Naval Observatory, Earth's Seasons: the equinox of March 2024 was on the 20th at 03:06 UT.
    epoch = Epoch.of(dt.datetime(2024, 3, 20, 3, 6, tzinfo=dt.UTC))
    towards = sun.direction(epoch.days_since_j2000(np.zeros(1)))[0]
    assert np.degrees(np.arcsin(towards[2])) == pytest.approx(0.0, abs=0.01)
    assert towards[0] > 0.0

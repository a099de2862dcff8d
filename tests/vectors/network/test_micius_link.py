"""The downlink of Micius to Xinglong against what Liao et al., Nature 549, 43 (2017) report of it.

Optics, source and station are those of the scenario that ships, which are the published ones. What is not
published was chosen there: 3 dB for the atmosphere straight up, a polarization error of 1 %, stray light. One
number is fitted here, ``MISSING_DB``: the published pointing loss is "less than 3 dB", and our flat-top beam
of 10 µrad loses nothing by a pointing error of 1.2 µrad.
"""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.budget import atmosphere, beam, blocks, downlinks
from qfleet_controlplane.network.orbits import frames, sun
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.passes import find
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario.reading import read
from qfleet_wire.qkd.quantities import Floats

PUBLISHED_SECONDS = 273
PUBLISHED_BITS = 300_939
MISSING_DB = 1.27


@dataclass(frozen=True)
class Evening:
    """The pass of 19 December 2016, second by second."""

    link: downlinks.Downlink
    range_m: Floats
    elevation_rad: Floats

    @property
    def nearest(self) -> int:
        return int(self.range_m.argmin())

    def at(self, range_km: float) -> int:
        """The last second on the way down at most so far away."""
        return int(np.flatnonzero(self.range_m <= range_km * 1e3)[-1])

    def sifted_bps(self, second: int) -> float:
        seen = downlinks.sifted(self.link, self.range_m[second], self.elevation_rad[second])
        return float(seen.key_bps + seen.check_bps)

    def exchanged(self) -> blocks.Block:
        """What 273 s about the culmination give."""
        used = slice(self.nearest - PUBLISHED_SECONDS // 2, self.nearest + PUBLISHED_SECONDS // 2 + 1)
        seconds = np.ones(PUBLISHED_SECONDS)
        return downlinks.keys(self.link, self.range_m[used], self.elevation_rad[used], seconds=seconds)


@pytest.fixture(scope="module")
def evening() -> Evening:
    scenario = read(scenarios.text_of("micius"), "micius.toml")
    xinglong = frames.Stations.of([site for site in scenario.sites if site.name == "xinglong"])
    orbits = Orbits.of(scenario.satellites, Epoch.of(scenario.epoch))
    found = find(orbits, xinglong, np.radians([10.0]), span_s=scenario.duration_s)
    (which,) = np.flatnonzero(found.rise_s > 16 * 3600.0)[:1]
    at_s = np.arange(np.ceil(found.rise_s[which]), found.set_s[which], 1.0)[None]
    turned = frames.turned(orbits.positions(np.array([0]), at_s), orbits.epoch.sidereal_rad(at_s))
    seen = frames.look(xinglong, turned)
    link = downlinks.named(scenario, "micius", "one-metre")
    return Evening(link, seen.range_km[0] * 1e3, seen.elevation_rad[0])


@pytest.fixture(scope="module")
def fitted(evening: Evening) -> Evening:
    """The same with what is missing, as pointing loss."""
    transmitter = msgspec.structs.replace(evening.link.transmitter, optics_loss_db=MISSING_DB)
    return replace(evening, link=replace(evening.link, transmitter=transmitter))


def db(share: Floats) -> float:
    return float(-10.0 * np.log10(share))


def test_diffraction_at_1200_km_by_both_definitions() -> None:
    # Published: about 22 dB. 18.6 dB is what the same angle means as a Gaussian's 1/e² width.
    flat, gaussian = (
        beam.Beam(divergence_rad=10e-6, profile=profile) for profile in ("flat-top", "gaussian")
    )
    assert db(beam.diffraction(flat, 1.2e6, 1.0)) == pytest.approx(21.58, abs=0.01)
    assert db(beam.diffraction(gaussian, 1.2e6, 1.0)) == pytest.approx(18.60, abs=0.01)


def test_pointing_loses_less_than_3_db_by_both_definitions() -> None:
    lost = [
        db(beam.pointing(beam.Beam(divergence_rad=10e-6, profile=profile, jitter_rad=1.2e-6), 1.2e6, 1.0))
        for profile in ("flat-top", "gaussian")
    ]
    assert lost == pytest.approx([0.0, 0.90], abs=0.01)
    assert max(lost) < 3.0


def test_the_air_mass_is_that_of_another_implementation() -> None:
    # pvlib-python, tests of its model kastenyoung1989, at zenith angles of 89.9, 80 and 0 degrees.
    found = atmosphere.air_mass(np.radians([0.1, 10.0, 90.0]))
    assert found == pytest.approx([36.467, 5.586, 1.000], abs=1e-3)


def test_the_atmosphere_of_the_pass(evening: Evening) -> None:
    # Published: 3 to 8 dB.
    near, far = evening.nearest, evening.at(1200.0)
    lost = downlinks.losses(evening.link, evening.range_m, evening.elevation_rad).atmosphere_db
    assert lost[near] == pytest.approx(4.05, abs=0.02)
    assert lost[far] == pytest.approx(9.03, abs=0.05)


def test_the_sifted_rate_without_anything_fitted(evening: Evening) -> None:
    # Published: about 12 kbit/s at 645 km and 1 kbit/s at 1,200 km.
    near, far = evening.sifted_bps(evening.nearest), evening.sifted_bps(evening.at(1200.0))
    assert near == pytest.approx(16_080, rel=0.01)
    assert far == pytest.approx(1_520, rel=0.02)
    for ours, theirs in ((near, 12e3), (far, 1e3)):
        assert 0.0 < 10.0 * np.log10(ours / theirs) < 3.0


def test_the_sifted_rate_at_1200_km_when_that_at_645_km_is_fitted(fitted: Evening) -> None:
    assert fitted.sifted_bps(fitted.nearest) == pytest.approx(12e3, rel=0.01)
    assert fitted.sifted_bps(fitted.at(1200.0)) == pytest.approx(1_135, rel=0.02)


def test_273_seconds_are_those_within_1200_km(evening: Evening) -> None:
    assert np.count_nonzero(evening.range_m <= 1200e3) == pytest.approx(PUBLISHED_SECONDS, abs=2)


def test_the_error_rate_of_the_pass(fitted: Evening) -> None:
    # Published: 1.1 %.
    assert float(fitted.exchanged().qber) == pytest.approx(0.0112, abs=1e-4)


def test_the_final_key_of_the_pass(fitted: Evening) -> None:
    # Published: 300,939 bits at 1e-9, of both bases and 1,671,072 sifted bits.
    found = fitted.exchanged()
    assert float(found.bits) == pytest.approx(317_782, rel=1e-4)
    assert float(found.bits) / PUBLISHED_BITS == pytest.approx(1.056, abs=0.001)
    assert float(found.sifted_bits) == pytest.approx(1_671_072, rel=0.005)


def test_the_pass_is_at_night_and_in_shadow() -> None:
    # Local midnight: the satellite could not be seen, and its beacon was tracked.
    scenario = read(scenarios.text_of("micius"), "micius.toml")
    site = next(site for site in scenario.sites if site.name == "xinglong")
    epoch, at_s = Epoch.of(scenario.epoch), np.array([[16 * 3600.0 + 52 * 60 + 13]])
    turn = epoch.sidereal_rad(at_s)
    towards = frames.turned(sun.direction(epoch.days_since_j2000(at_s)), turn)
    up = frames.Stations.of([site]).up
    assert np.degrees(sun.elevation_rad(up, towards[0])) < -50.0
    position = Orbits.of(scenario.satellites, epoch).positions(np.array([0]), at_s)
    assert not sun.is_sunlit(frames.turned(position, turn), towards).any()

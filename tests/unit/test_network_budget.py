"""Link budgets: beams, air, clouds, and what blocks of both protocols give."""

import math

import msgspec
import numpy as np
import pytest

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.budget import atmosphere, beam, blocks, clouds, downlinks, fibres, parts
from qfleet_controlplane.network.scenario import model
from qfleet_controlplane.network.scenario.reading import read
from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import detection

FLAT = beam.Beam(divergence_rad=10e-6, profile="flat-top", jitter_rad=1.2e-6)
ROUND = beam.Beam(divergence_rad=10e-6, profile="gaussian", jitter_rad=1.2e-6)


def link(**changes: object) -> downlinks.Downlink:
    """The downlink of Micius, with another source where asked."""
    scenario = read(scenarios.text_of("micius"), "x")
    found = downlinks.named(scenario, "micius", "one-metre")
    source = msgspec.structs.replace(found.source, **changes)
    return downlinks.Downlink(
        source=source, transmitter=found.transmitter, telescope=found.telescope, detector=found.detector
    )


def sampled(shape: beam.Beam, range_m: float, aperture_m: float) -> tuple[float, float]:
    """The mean share of light by drawing pointing errors and places in the aperture, and its deviation."""
    draw = np.random.default_rng(5)
    count = 400_000
    error = draw.normal(0.0, shape.jitter_rad * range_m, (2, count))
    radius, angle = (aperture_m / 2) * np.sqrt(draw.random(count)), 2 * np.pi * draw.random(count)
    away = np.hypot(error[0] + radius * np.cos(angle), error[1] + radius * np.sin(angle))
    spot = shape.divergence_rad * range_m / 2
    if shape.profile == "flat-top":
        density = (away < spot) / (np.pi * spot**2)
    else:
        density = 2 / (np.pi * spot**2) * np.exp(-2 * away**2 / spot**2)
    share = density * np.pi * (aperture_m / 2) ** 2
    return float(share.mean()), float(share.std() / math.sqrt(count))


@pytest.mark.parametrize("shape", [FLAT, ROUND], ids=["flat-top", "gaussian"])
@pytest.mark.parametrize("jitter_urad", [0.3, 1.2, 4.0])
def test_the_mean_over_pointing_errors_is_that_of_drawn_ones(shape: beam.Beam, jitter_urad: float) -> None:
    shaken = beam.Beam(
        divergence_rad=shape.divergence_rad, profile=shape.profile, jitter_rad=jitter_urad * 1e-6
    )
    aperture = 1.0 if shape.profile == "flat-top" else 6.0
    found = float(beam.collected(shaken, 1.2e6, aperture))
    mean, deviation = sampled(shaken, 1.2e6, aperture)
    # Six and a half deviations are passed once in 10^10; a flat-top beam's aperture is taken as small.
    assert found == pytest.approx(mean, abs=6.5 * deviation + (0.005 * mean if aperture == 1.0 else 0.0))


def test_a_beam_narrower_than_the_aperture_is_caught_whole() -> None:
    for profile in ("flat-top", "gaussian"):
        narrow = beam.Beam(divergence_rad=1e-7, profile=profile)
        assert beam.diffraction(narrow, 1e5, 1.0) == pytest.approx(1.0)
        assert beam.pointing(narrow, 1e5, 1.0) == 1.0


def test_loss_far_away_grows_by_6_db_when_the_range_doubles() -> None:
    for shape in (FLAT, ROUND):
        near, far = beam.diffraction(shape, [1e6, 2e6], 0.5)
        assert 10 * math.log10(near / far) == pytest.approx(6.02, abs=0.02)


@pytest.mark.parametrize(
    ("divergence", "jitter", "range_m", "aperture"),
    [(0.0, 0.0, 1e6, 1.0), (1e-5, -1e-6, 1e6, 1.0), (1e-5, 0.0, 0.0, 1.0), (1e-5, 0.0, 1e6, 0.0)],
)
def test_what_is_no_beam_is_refused(
    divergence: float, jitter: float, range_m: float, aperture: float
) -> None:
    with pytest.raises(InvalidQuantity):
        beam.collected(
            beam.Beam(divergence_rad=divergence, profile="gaussian", jitter_rad=jitter), range_m, aperture
        )


def test_extinction_follows_the_air_mass() -> None:
    assert atmosphere.extinction_db(math.pi / 2, 3.0) == pytest.approx(3.0, rel=1e-3)
    assert atmosphere.extinction_db(math.radians(30), 3.0) == pytest.approx(6.0, rel=4e-3)
    low = atmosphere.air_mass(np.radians([-5.0, 0.0, 5.0]))
    assert low[0] == low[1] > low[2]
    with pytest.raises(InvalidQuantity, match="elevation"):
        atmosphere.air_mass(math.radians(91))


def test_losses_add_up_to_the_transmittance() -> None:
    range_m, elevation = np.array([[5e5, 7e5], [9e5, 1.2e6]]), np.radians([[90.0, 45.0], [30.0, 15.0]])
    found = downlinks.losses(link(), range_m, elevation)
    alone = beam.collected(FLAT, range_m, 1.0) * 10 ** (-0.3 * atmosphere.air_mass(elevation))
    np.testing.assert_allclose(found.transmittance, alone, rtol=1e-12)
    assert (np.diff(found.total_db.ravel()) > 0).all()


def test_a_beam_that_misses_gives_a_loss_and_no_error() -> None:
    lost = downlinks.losses(link(), [1e200], [1.0])
    assert np.isfinite(lost.total_db).all()
    assert lost.transmittance[0] < 1e-300


def test_passes_are_computed_together_as_alone() -> None:
    draw = np.random.default_rng(1)
    range_m, elevation = draw.uniform(5e5, 1.5e6, (4, 60)), draw.uniform(0.2, 1.5, (4, 60))
    seconds = np.full((4, 60), 10.0)
    seconds[1, 30:] = 0.0
    together = downlinks.keys(link(), range_m, elevation, seconds=seconds)
    for one in range(4):
        used = seconds[one] > 0
        alone = downlinks.keys(link(), range_m[one, used], elevation[one, used], seconds=seconds[one, used])
        assert together.bits[one] == pytest.approx(alone.bits, abs=1)
        assert together.qber[one] == pytest.approx(alone.qber)
    assert (together.bits > 1e4).all()


def test_a_pass_by_day_gives_nothing() -> None:
    dark = downlinks.keys(link(), np.full((1, 5), 6e5), np.full((1, 5), 1.0), seconds=np.zeros((1, 5)))
    assert (dark.bits[0], dark.sifted_bits[0], dark.qber[0]) == (0.0, 0.0, 0.5)


@pytest.mark.parametrize("changes", [{}, {"protocol": "bbm92", "pairs": 0.05}], ids=["bb84", "bbm92"])
def test_more_loss_gives_less_key(changes: dict[str, object]) -> None:
    one = link(**changes)
    range_m = np.array([[5e5], [7e5], [9e5], [1.1e6]])
    found = downlinks.keys(one, range_m, np.full((4, 1), 1.0), seconds=np.full((4, 1), 300.0))
    assert (np.diff(found.bits) < 0).all()
    assert found.bits[0] > 0
    rate = downlinks.sifted(one, range_m[:, 0], np.full(4, 1.0))
    np.testing.assert_allclose((rate.key_bps + rate.check_bps) * 300.0, found.sifted_bits, rtol=1e-12)
    np.testing.assert_allclose(rate.qber, found.qber, rtol=1e-12)


def test_clouds_weigh_by_how_long_they_stay() -> None:
    scenario = read(scenarios.text_of("micius"), "x")
    assert clouds.cover(scenario, "graz", 0.0, 3600.0) == 0.6
    assert clouds.cover(scenario, "graz", 12 * 3600.0, 12 * 3600.0) == 0.3
    assert clouds.cover(scenario, "graz", 11 * 3600.0, 15 * 3600.0) == pytest.approx(0.6 / 4 + 0.3 * 3 / 4)
    assert clouds.cover(scenario, "xinglong", 0.0, 3600.0) == 0.0
    late = msgspec.structs.replace(scenario, weather=(model.Cover(site="graz", from_h=(2.0,), cover=(0.5,)),))
    assert clouds.cover(late, "graz", 3600.0, 3 * 3600.0) == pytest.approx(0.25)


def test_fibres_of_the_ring_stay_below_the_bound() -> None:
    scenario = read(scenarios.text_of("metro-ring"), "x")
    found = fibres.rates(scenario)
    assert [(one.a, one.b) for one in found] == [(fibre.a, fibre.b) for fibre in scenario.fibres]
    for one, fibre in zip(found, scenario.fibres, strict=True):
        assert one.loss_db == pytest.approx(0.2 * fibre.length_km + fibre.extra_loss_db)
        assert 0 < one.secret_bps < one.sifted_bps < one.plob_bps
        assert 0.01 < one.qber < 0.03


def test_a_long_fibre_gives_no_key_and_longer_blocks_give_more() -> None:
    scenario = read(scenarios.text_of("metro-ring"), "x")
    near = scenario.fibres[0]
    far = model.Fibre(a="centre", b="north", length_km=250.0, source="decoy", detector="ingaas")
    assert fibres.rate(scenario, far).secret_bps == 0.0
    assert fibres.rate(scenario, far).plob_bps > 0.0
    short = msgspec.structs.replace(scenario.sources["decoy"], block_s=60.0)
    brief = msgspec.structs.replace(scenario, sources={"decoy": short})
    assert fibres.rate(brief, near).secret_bps < fibres.rate(scenario, near).secret_bps


def test_dead_time_limits_a_short_fibre() -> None:
    scenario = read(scenarios.text_of("metro-ring"), "x")
    counts = parts.receiver(scenario.detectors["ingaas"])
    ends = blocks.Ends(source=scenario.sources["decoy"], receiver=counts, partner=counts)
    seen = blocks.sifted(ends, 1.0)
    assert seen.live < 0.1
    assert (seen.key_bps + seen.check_bps) / (0.9**2 + 0.1**2) < 1 / 10e-6


def test_stray_light_and_dark_counts_raise_the_error_rate() -> None:
    detector = model.Detector(dark_hz=100.0, window_ns=2.0)
    quiet = parts.receiver(detector, optics_efficiency=0.16)
    bright = parts.receiver(detector, optics_efficiency=0.16, background_hz=1e6)
    assert quiet.efficiency == pytest.approx(0.08)
    assert float(quiet.noise) == pytest.approx(2e-7, rel=1e-6)  # type: ignore[arg-type] # a number here
    one, other = (detection.gains([0.8], 1e-3, each).error[0] for each in (quiet, bright))
    assert one < 0.02 < other

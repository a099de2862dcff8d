"""What a receiver counts: against sums over photon numbers, and the refusals."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import decoys, detection, expectation

CLEAN = detection.Receiver(efficiency=0.5, noise=1e-6, misalignment=0.01)
SOURCE = decoys.Source(intensities=(0.6, 0.2, 0.001), probabilities=(0.7, 0.2, 0.1), key_basis=0.9)
receivers = st.builds(
    detection.Receiver,
    efficiency=st.floats(0.01, 1.0),
    noise=st.floats(0.0, 0.2),
    misalignment=st.floats(0.0, 0.5),
)


@given(receivers, st.floats(0.0, 3.0), st.floats(1e-6, 1.0))
def test_gains_are_the_sums_over_photon_numbers(
    receiver: detection.Receiver, intensity: float, transmittance: float
) -> None:
    photons = np.arange(60)
    weights = np.array([math.exp(-intensity) * intensity**n / math.factorial(n) for n in range(60)])
    counted = detection.yields(photons, transmittance, receiver)
    wrong = counted * detection.photon_errors(photons, transmittance, receiver)
    seen = detection.gains([intensity], transmittance, receiver)
    assert seen.gain[0] == pytest.approx((weights * counted).sum(), abs=1e-12)
    assert seen.gain[0] * seen.error[0] == pytest.approx((weights * wrong).sum(), abs=1e-12)


@given(receivers, st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=5))
def test_an_array_of_links_is_each_link_alone(
    receiver: detection.Receiver, transmittances: list[float]
) -> None:
    together = detection.gains(SOURCE.intensities, transmittances, receiver)
    for row, one in enumerate(transmittances):
        alone = detection.gains(SOURCE.intensities, one, receiver)
        assert np.array_equal(together.gain[row], alone.gain)
        assert np.array_equal(together.error[row], alone.error)


def test_without_light_only_noise_counts_and_errs_half_the_time() -> None:
    dark = detection.gains([0.0], 0.3, CLEAN)
    assert dark.gain[0] == pytest.approx(1e-6)
    assert dark.error[0] == pytest.approx(0.5)
    silent = detection.Receiver(efficiency=0.5, noise=0.0, misalignment=0.0)
    assert detection.gains([0.0], 0.3, silent).error[0] == 0.5


def test_afterpulses_raise_the_gain_and_err_half_the_time() -> None:
    plain = detection.gains([0.5], 0.01, CLEAN)
    after = detection.gains(
        [0.5],
        0.01,
        detection.Receiver(efficiency=0.5, noise=1e-6, misalignment=0.01, afterpulsing=0.04),
    )
    assert after.gain[0] == pytest.approx(1.04 * plain.gain[0])
    expected = (plain.error[0] + 0.04 * 0.5) / 1.04
    assert after.error[0] == pytest.approx(expected)


def test_the_dead_time_against_a_count_of_events() -> None:
    receiver = detection.Receiver(efficiency=1.0, noise=0.0, misalignment=0.0, dead_time_s=1e-6)
    arrivals = np.cumsum(np.random.default_rng(5).exponential(1e-6, 200_000))
    seen, ready = 0, 0.0
    for arrival in arrivals:
        if arrival >= ready:
            seen, ready = seen + 1, arrival + 1e-6
    # 1e-3 of pulses at 1 GHz count: 1e6 per second, and half of the time is dead.
    assert float(detection.live(1e-3, 1e9, receiver)) == pytest.approx(0.5)
    assert seen / len(arrivals) == pytest.approx(0.5, abs=0.01)


def test_sifted_rates_are_the_counts_to_expect_in_a_second() -> None:
    receiver = detection.Receiver(
        efficiency=0.2, noise=1e-5, misalignment=0.02, afterpulsing=0.03, dead_time_s=1e-6
    )
    loss = np.array([1.0, 0.1, 0.01])
    rates = detection.sifted(SOURCE, 1e8, loss, receiver)
    expected = expectation.counts(SOURCE, receiver, transmittance=loss, pulses_hz=1e8, seconds=1.0)
    key = np.asarray(expected.key).sum(axis=-1)
    assert np.allclose(rates.key_bps, key, rtol=1e-12)
    assert np.allclose(rates.check_bps, np.asarray(expected.check).sum(axis=-1), rtol=1e-12)
    assert np.allclose(rates.qber, np.asarray(expected.key_errors) / key, rtol=1e-12)
    assert (rates.live[:-1] < rates.live[1:]).all()


def test_steps_of_a_pass_add_up_to_one_block() -> None:
    steps = expectation.counts(
        SOURCE, CLEAN, transmittance=np.full(10, 0.01), pulses_hz=1e8, seconds=np.full(10, 0.1)
    )
    block = expectation.added(steps)
    whole = expectation.counts(SOURCE, CLEAN, transmittance=0.01, pulses_hz=1e8, seconds=1.0)
    assert np.allclose(block.key, whole.key)
    assert np.allclose(block.check_errors, whole.check_errors)
    assert np.allclose(block.key_errors, whole.key_errors)


def test_noise_of_a_gate() -> None:
    assert float(detection.noise_per_gate(1000.0, 1e-9)) == pytest.approx(1e-6, rel=1e-6)
    assert float(detection.noise_per_gate(1e12, 1.0)) == 1.0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: detection.gains([0.5], 20.0, CLEAN), "of a loss in dB"),
        (lambda: detection.gains([0.5], -0.1, CLEAN), "transmittance is -0.1"),
        (lambda: detection.gains([0.5], math.nan, CLEAN), "transmittance is nan"),
        (lambda: detection.gains([-0.5], 0.1, CLEAN), "intensity is -0.5, and must be at least 0"),
        (lambda: detection.Receiver(efficiency=50, noise=0, misalignment=0), "efficiency is 50"),
        (lambda: detection.Receiver(efficiency=1, noise=-1, misalignment=0), "noise counts per gate"),
        (lambda: detection.Receiver(efficiency=1, noise=0, misalignment=0.6), "misalignment is 0.6"),
        (
            lambda: detection.Receiver(efficiency=1, noise=0, misalignment=0, dead_time_s=-1),
            "dead time in seconds is -1",
        ),
        (lambda: detection.noise_per_gate(-1.0, 1e-9), "noise counts per second is -1"),
        (lambda: detection.yields(-1, 0.1, CLEAN), "photons is -1"),
    ],
)
def test_what_no_link_can_be_is_refused(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(InvalidQuantity, match=reason):
        wrong()

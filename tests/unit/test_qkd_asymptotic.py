"""Endless blocks: above every finite one, approached by them, and never above the bound of the channel."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import (
    bb84_asymptotic,
    bb84_finite,
    decoys,
    detection,
    expectation,
    plob,
    reconciliation,
)

SOURCE = decoys.Source(intensities=(0.5, 0.15, 0.001), probabilities=(0.7, 0.2, 0.1), key_basis=0.9)
VARIANTS: tuple[bb84_finite.Variant, ...] = ("as printed", "capped")
receivers = st.builds(
    detection.Receiver,
    efficiency=st.floats(0.05, 1.0),
    noise=st.floats(0.0, 1e-3),
    misalignment=st.floats(0.0, 0.1),
    afterpulsing=st.floats(0.0, 0.1),
)
transmittances = st.floats(1e-6, 1.0)


def both(
    receiver: detection.Receiver, transmittance: float, pulses: float, variant: bb84_finite.Variant
) -> tuple[float, float]:
    """Bits per pulse of a block, and of the same without fluctuations."""
    counts = expectation.counts(SOURCE, receiver, transmittance=transmittance, pulses_hz=pulses, seconds=1.0)
    leak = reconciliation.leak_bits(np.sum(counts.key), counts.key_errors)
    key = bb84_finite.length(counts, SOURCE, leak_bits=leak, variant=variant)
    endless = bb84_asymptotic.length(counts, SOURCE, leak_bits=leak)
    return float(key.bits) / pulses, float(endless) / pulses


@given(receivers, transmittances, st.floats(1e4, 1e14), st.sampled_from(VARIANTS))
def test_a_block_gives_at_most_what_endless_ones_do(
    receiver: detection.Receiver, transmittance: float, pulses: float, variant: bb84_finite.Variant
) -> None:
    finite, endless = both(receiver, transmittance, pulses, variant)
    assert finite <= endless * (1 + 1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_larger_blocks_approach_endless_ones(variant: bb84_finite.Variant) -> None:
    receiver = detection.Receiver(efficiency=0.2, noise=1e-6, misalignment=0.01)
    pulses = 10.0 ** np.arange(8, 21, 2)
    short = [1.0 - finite / endless for finite, endless in (both(receiver, 0.01, n, variant) for n in pulses)]
    assert short == sorted(short, reverse=True)
    assert 0.0 < short[-1] < 1e-4


@given(receivers.map(lambda one: dataclasses.replace(one, afterpulsing=0.0)), transmittances)
def test_three_intensities_give_at_most_what_endless_decoys_do(
    receiver: detection.Receiver, transmittance: float
) -> None:
    counts = expectation.counts(SOURCE, receiver, transmittance=transmittance, pulses_hz=1.0, seconds=1.0)
    leak = reconciliation.leak_bits(np.sum(counts.key), counts.key_errors)
    known = float(bb84_asymptotic.length(counts, SOURCE, leak_bits=leak))
    mu = np.asarray(SOURCE.intensities)
    # Afterpulses are left out: counted gains hold them, the yields of endless decoys do not.
    # Endless decoys see each intensity's photons apart; mixing them reconciles at a common error rate.
    ideal = bb84_asymptotic.ideal_rate(mu, np.full(3, transmittance), receiver)
    seen = detection.gains(mu, transmittance, receiver)
    apart = reconciliation.leak_bits(seen.gain, seen.gain * seen.error)
    weights = np.asarray(SOURCE.probabilities)
    most = 0.81 * float((weights * (ideal + apart)).sum()) - float(leak)
    assert known <= max(most, 0.0) * (1 + 1e-9) + 1e-15


@given(receivers, st.floats(0.01, 1.5), transmittances)
def test_no_rate_is_above_the_bound_of_the_channel(
    receiver: detection.Receiver, intensity: float, transmittance: float
) -> None:
    rate = float(bb84_asymptotic.ideal_rate(intensity, transmittance, receiver))
    assert rate <= float(plob.bits_per_use(transmittance))


def test_counts_without_a_photon_are_secret_too() -> None:
    receiver = detection.Receiver(efficiency=0.045, noise=1.7e-6, misalignment=0.033)
    with_them = bb84_asymptotic.ideal_rate(0.48, 1e-3, receiver)
    without = bb84_asymptotic.ideal_rate(0.48, 1e-3, receiver, vacuum=False)
    assert float(with_them - without) == pytest.approx(1.7e-6 * np.exp(-0.48))


def test_the_bound_of_a_channel_has_no_end_without_loss_and_refuses_a_loss_in_db() -> None:
    assert float(plob.bits_per_use(1.0)) == np.inf
    assert float(plob.bits_per_use(0.0)) == 0.0
    with pytest.raises(InvalidQuantity, match="10 \\*\\* \\(-loss_db / 10\\)"):
        plob.bits_per_use(20.0)

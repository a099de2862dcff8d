"""Entangled pairs: coincidences against sums over the number of pairs, and the key of BBM92."""

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, bbm92, detection, pairs, plob, reconciliation

QUIET = detection.Receiver(efficiency=0.3, noise=1e-6, misalignment=0.01)
efficiencies = st.floats(0.001, 0.999)
noises = st.floats(0.0, 0.1)


def summed(half: float, eta_a: float, eta_b: float, noise_a: float, noise_b: float) -> tuple[float, float]:
    """Q and E Q by the yields of Ma, Fung, Lo 2007, over up to 120 pairs, for e_d = 0.02."""
    n = np.arange(120)
    emitted = (n + 1) * np.exp(n * math.log(half) - (n + 2) * math.log1p(half))
    counted = (1 - (1 - noise_a) * (1 - eta_a) ** n) * (1 - (1 - noise_b) * (1 - eta_b) ** n)
    a, b = 1 - eta_a, 1 - eta_b
    # The two fractions in their e_n are geometric sums, which know no division by eta_b - eta_a.
    first = np.cumsum((a * b) ** n)
    second = [1.0]
    for m in n[1:]:
        second.append(a * second[-1] + b**m)
    wrong = 0.5 * counted - 2.0 * (0.5 - 0.02) / (n + 1) * (first - np.array(second))
    return float((emitted * counted).sum()), float((emitted * wrong).sum())


@given(st.floats(0.001, 0.5), efficiencies, efficiencies, noises, noises)
def test_coincidences_are_the_sums_over_numbers_of_pairs(
    half: float, eta_a: float, eta_b: float, noise_a: float, noise_b: float
) -> None:
    alice = detection.Receiver(efficiency=eta_a, noise=noise_a, misalignment=0.02)
    bob = detection.Receiver(efficiency=eta_b, noise=noise_b, misalignment=0.0)
    seen = pairs.coincidences(2.0 * half, pairs.Arms(1.0, 1.0), alice, bob)
    gain, wrong = summed(half, eta_a, eta_b, noise_a, noise_b)
    assert float(seen.gain) == pytest.approx(gain, rel=1e-9)
    assert float(seen.gain * seen.error) == pytest.approx(wrong, rel=1e-6, abs=1e-12)


def test_a_hundred_decibels_leave_the_gain_right() -> None:
    silent = detection.Receiver(efficiency=1.0, noise=0.0, misalignment=0.0)
    seen = pairs.coincidences(0.1, pairs.split(1e-10, place=0.5), silent, silent)
    # One pair or more per pulse, each photon seen with 1e-5: Q = 2 λ η² (1 + 3 λ) to first order in η.
    assert float(seen.gain) == pytest.approx(2 * 0.05 * 1e-10 * (1 + 3 * 0.05), rel=1e-4)


def test_the_source_may_stand_anywhere() -> None:
    middle = pairs.split(0.01, place=0.5)
    assert [float(arm) for arm in astuple(middle)] == pytest.approx([0.1, 0.1])
    assert [float(arm) for arm in astuple(pairs.split(0.01, place=0.0))] == [1.0, 0.01]
    there = pairs.coincidences(0.1, pairs.split(0.01, place=0.2), QUIET, QUIET)
    back = pairs.coincidences(0.1, pairs.split(0.01, place=0.8), QUIET, QUIET)
    assert float(there.gain) == pytest.approx(float(back.gain), rel=1e-12)


def test_afterpulses_of_a_side_are_noise_of_that_side() -> None:
    often = detection.Receiver(efficiency=0.3, noise=1e-6, misalignment=0.01, afterpulsing=0.1)
    plain = pairs.coincidences(0.1, pairs.split(0.01, place=0.5), QUIET, QUIET)
    after = pairs.coincidences(0.1, pairs.split(0.01, place=0.5), often, QUIET)
    assert float(after.alice) == pytest.approx(1.1 * float(plain.alice), rel=0.01)
    assert float(after.error) > float(plain.error)
    assert float(after.bob) == float(plain.bob)


@given(st.floats(1e-4, 1.0), st.floats(1e-4, 1.0), st.floats(0.0, 1.0))
def test_no_rate_is_above_the_bound_of_the_channel(brightness: float, through: float, place: float) -> None:
    perfect = detection.Receiver(efficiency=1.0, noise=0.0, misalignment=0.0)
    seen = pairs.coincidences(brightness, pairs.split(through, place=place), perfect, perfect)
    assert float(bbm92.asymptotic_rate(seen, efficiency=1.0)) <= float(plob.bits_per_use(through))


def test_sifting_loses_what_the_bases_and_the_dead_times_do() -> None:
    slow = detection.Receiver(efficiency=0.3, noise=1e-6, misalignment=0.01, dead_time_s=1e-6)
    seen = pairs.coincidences(0.1, pairs.split(0.1, place=0.5), slow, QUIET)
    free = bbm92.sifted(seen, 1e8, QUIET, QUIET, key_basis=0.9)
    held = bbm92.sifted(seen, 1e8, slow, QUIET, key_basis=0.9)
    assert float(free.key_bps) == pytest.approx(float(seen.gain) * 1e8 * 0.81)
    assert float(free.check_bps) == pytest.approx(float(seen.gain) * 1e8 * 0.01)
    assert float(held.live) == pytest.approx(1.0 / (1.0 + float(seen.alice) * 100.0))


def key(n: float, k: float, error: float, secrecy: float = 1e-9) -> bbm92.Key:
    leak = reconciliation.leak_bits(n, n * error)
    return bbm92.length(n, k, error, leak_bits=leak, security=bb84_finite.Security(secrecy=secrecy))


@given(st.floats(0.0, 1e12), st.floats(0.0, 1e12), st.floats(0.0, 1.0))
def test_a_key_is_never_longer_than_what_was_sifted(n: float, k: float, error: float) -> None:
    found = key(n, k, error)
    assert 0.0 <= float(found.bits) <= n
    assert 0.0 <= float(found.phase_error) <= 0.5


def test_more_errors_smaller_samples_and_smaller_epsilons_give_less() -> None:
    for lengths in (
        [float(key(1e6, 1e5, error).bits) for error in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2)],
        [float(key(1e6, k, 0.02).bits) for k in (1e7, 1e6, 1e5, 1e4, 1e3, 0.0)],
        [float(key(1e6, 1e5, 0.02, secrecy).bits) for secrecy in (1e-3, 1e-6, 1e-9, 1e-12)],
    ):
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] > lengths[-1]


def test_larger_blocks_approach_endless_ones() -> None:
    seen = pairs.Coincidences(*(np.asarray(value) for value in (1.0, 0.02, 1.0, 1.0)))
    endless = float(bbm92.asymptotic_rate(seen))
    short = [1.0 - float(key(n, n, 0.02).bits) / n / endless for n in (1e5, 1e7, 1e9, 1e11, 1e13)]
    assert short == sorted(short, reverse=True)
    assert 0.0 < short[-1] < 1e-4


@pytest.mark.parametrize(("n", "k", "secrecy"), [(400, 100, 1e-2), (300, 300, 1e-3), (200, 800, 1e-3)])
def test_the_deviation_against_the_exact_chance_of_a_worse_key(n: int, k: int, secrecy: float) -> None:
    allowed = float(bbm92.deviation(n, k, secrecy))
    whole = math.comb(n + k, k)
    worst = 0.0
    for errors in range(0, (n + k) // 2, 5):
        missed = 0
        for found in range(max(0, errors - n), min(errors, k) + 1):
            if (errors - found) / n >= found / k + allowed:
                missed += math.comb(errors, found) * math.comb(n + k - errors, k - found)
        worst = max(worst, missed / whole)
    assert 0.0 < worst <= (secrecy / 4.0) ** 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: pairs.Arms(0.1, 3.0), "transmittance is 3"),
        (lambda: pairs.split(0.1, place=1.5), "the place of the source is 1.5"),
        (lambda: pairs.coincidences(-1, pairs.split(0.1, place=0.5), QUIET, QUIET), "pairs per pulse is -1"),
        (lambda: bbm92.length(-1, 1, 0.1, leak_bits=0), "sifted bits is -1"),
        (lambda: bbm92.length(1, -1, 0.1, leak_bits=0), "compared bits is -1"),
        (lambda: bbm92.length(1, 1, 1.1, leak_bits=0), "error rate is 1.1"),
        (lambda: bbm92.length(1, 1, 0.1, leak_bits=-5), "bits revealed by reconciliation is -5"),
        (lambda: bbm92.length(1, 1, math.nan, leak_bits=0), "error rate is nan"),
    ],
)
def test_what_no_exchange_can_be_is_refused(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(InvalidQuantity, match=reason):
        wrong()

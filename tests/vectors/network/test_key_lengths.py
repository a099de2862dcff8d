"""Secret keys that were published, each a row of the table in docs/quantum-network.md."""

from collections.abc import Callable

import numpy as np
import pytest

from qfleet_wire.qkd import (
    bb84_asymptotic,
    bb84_finite,
    bbm92,
    both_bases,
    decoy_bounds,
    decoys,
    detection,
    expectation,
    links,
    optimum,
    pairs,
    plob,
    quantities,
    reconciliation,
)

COUNTS = decoys.Counts(
    key=(11563352, 581332, 37),
    check=(1139286, 57276, 4),
    key_errors=18448,
    check_errors=(1731, 87, 0),
)
SOURCE = decoys.Source(intensities=(0.7921, 0.1707, 0.0), probabilities=(0.7501, 0.1749, 0.075))
EXACT = np.zeros(())

# Gobby, Yuan, Shields, APL 84, 3762 (2004), as in table 1 of Ma et al., PRA 72, 012326 (2005).
GYS = detection.Receiver(efficiency=0.045, noise=1.7e-6, misalignment=0.033)
GYS_F = 1.22
GYS_DB_PER_KM = 0.21

# Lim et al., PRA 89, 022307 (2014), section IV; Y_0 counts both detectors.
LIM = detection.Receiver(efficiency=0.1, noise=1.2e-6, misalignment=5e-3, afterpulsing=4e-2)


def fibre(km: float, *, db_per_km: float) -> float:
    return float(10.0 ** (-db_per_km * km / 10.0))


def crossing(rate: Callable[[float], float], low: float, high: float) -> float:
    """Where a rate falls through 0, by halves."""
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if rate(middle) > 0.0 else (low, middle)
    return low


def finite(variant: bb84_finite.Variant) -> bb84_finite.Key:
    leak = reconciliation.leak_bits(np.sum(COUNTS.key), COUNTS.key_errors, efficiency=1.16)
    return bb84_finite.length(COUNTS, SOURCE, leak_bits=leak, variant=variant)


@pytest.mark.parametrize(("variant", "bits"), [("as printed", 3_766_439), ("capped", 4_160_156)])
def test_the_bound_of_lim_2014_to_the_bit(variant: bb84_finite.Variant, bits: int) -> None:
    key = finite(variant)
    assert key.variant == variant
    assert float(key.bits) == bits


def test_the_ingredients_of_that_bound() -> None:
    key = finite("as printed")
    assert float(key.key.vacuum) == 0.0
    assert float(key.key.single) == pytest.approx(4_653_782.5, abs=0.1)
    assert float(key.check_single) == pytest.approx(343_369.1, abs=0.1)
    assert float(key.check_single_errors) == pytest.approx(6113.852, abs=1e-3)
    assert float(key.phase_error) == pytest.approx(0.0199099, abs=1e-7)
    assert float(finite("capped").check_single_errors) == 1731 + 87


def test_endless_decoys_reach_142_km_of_the_gys_fibre() -> None:
    def rate(km: float) -> float:
        eta = fibre(km, db_per_km=GYS_DB_PER_KM)
        return float(bb84_asymptotic.ideal_rate(0.48, eta, GYS, efficiency=GYS_F, vacuum=False))

    assert crossing(rate, 50.0, 250.0) == pytest.approx(142.05, abs=0.1)


def estimated(km: float, weak: float) -> tuple[float, float]:
    """Y_1 and e_1 as vacuum and one weak decoy bound them, for exact gains."""
    source = decoys.Source(intensities=(0.48, weak, 0.0), probabilities=(0.8, 0.1, 0.1))
    counts = expectation.counts(
        source, GYS, transmittance=fibre(km, db_per_km=GYS_DB_PER_KM), pulses_hz=1.0, seconds=1.0
    )
    check = decoy_bounds.events(np.asarray(counts.check), source, EXACT)
    wrong = decoy_bounds.single_errors(np.asarray(counts.check_errors), source, EXACT)
    sent = np.asarray(source.probabilities) * np.asarray(source.intensities)
    ones = float((sent * np.exp(-np.asarray(source.intensities))).sum()) / 4.0
    return float(check.single) / ones, float(wrong / check.single)


def test_vacuum_and_weak_decoy_reach_140_km_of_the_gys_fibre() -> None:
    def rate(km: float) -> float:
        single, error = estimated(km, 0.05)
        seen = detection.gains([0.48], fibre(km, db_per_km=GYS_DB_PER_KM), GYS)
        kept = single * 0.48 * np.exp(-0.48) * (1.0 - quantities.binary_entropy(error))
        leak = GYS_F * seen.gain[0] * quantities.binary_entropy(seen.error[0])
        return float(kept - leak)

    assert crossing(rate, 50.0, 250.0) == pytest.approx(140.55, abs=0.1)


def test_what_a_weak_decoy_costs_at_40_km() -> None:
    single, error = estimated(40.0, 0.25 * 0.48)
    eta = fibre(40.0, db_per_km=GYS_DB_PER_KM)
    assert 1.0 - single / float(detection.yields(1.0, eta, GYS)) == pytest.approx(0.035, abs=5e-4)
    assert error / float(detection.photon_errors(1.0, eta, GYS)) - 1.0 == pytest.approx(0.168, abs=5e-4)


@pytest.mark.parametrize(("efficiency", "best"), [(1.22, 0.48), (1.0, 0.54)])
def test_the_best_intensity_of_the_gys_fibre(efficiency: float, best: float) -> None:
    link = links.Link(
        transmittance=[fibre(40.0, db_per_km=GYS_DB_PER_KM)],
        receiver=GYS,
        pulses_hz=1e6,
        efficiency=efficiency,
    )
    found, _ = optimum.intensity(link)
    assert float(found[0]) == pytest.approx(best, abs=5e-3)


def lim_2014(km: list[float], sifted: float) -> optimum.Best:
    """The optimum of Fig. 1, whose secrecy is 10^-15 for each bit of the key, found in turns with it."""
    secrecy = np.full(len(km), 1e-10)
    for _ in range(4):
        link = links.Link(
            transmittance=[fibre(each, db_per_km=0.2) for each in km],
            receiver=LIM,
            pulses_hz=1.0,
            vacuum=2e-4,
            security=bb84_finite.Security(secrecy=secrecy),
            variant="as printed",
        )
        best = optimum.filling(link, sifted=sifted)
        secrecy = 1e-15 * np.maximum(best.key.bits, 1.0)
    return best


def test_a_block_of_10_9_bits_against_one_of_10_7_at_100_km() -> None:
    large, small = lim_2014([100.0], 1e9), lim_2014([100.0], 1e7)
    ratio = large.key.bits / large.seconds / (small.key.bits / small.seconds)
    assert float(ratio[0]) == pytest.approx(1.75, abs=0.05)


def test_blocks_of_10_4_bits_reach_some_135_km() -> None:
    reach = lim_2014([115.0, 120.0, 125.0, 130.0, 135.0, 140.0], 1e4).key.bits
    assert (reach[:3] > 0.0).all()
    assert (reach[5:] == 0.0).all()


def test_the_key_of_the_pass_of_micius_of_2016_12_19() -> None:
    """Liao et al., Nature 549, 43 (2017): as printed, with a constant loss for the gains, which are not."""
    source = decoys.Source(intensities=(0.8, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25), key_basis=0.5)
    sifted_bits, qber, contrast = 1_671_072, 0.011, 280.0

    def counted(loss_db: float, noise: float) -> decoys.Counts:
        receiver = detection.Receiver(efficiency=1.0, noise=noise, misalignment=1.0 / (1.0 + contrast))
        return expectation.counts(
            source, receiver, transmittance=10.0 ** (-loss_db / 10.0), pulses_hz=1e8, seconds=273.0
        )

    def loss(noise: float) -> float:
        return crossing(lambda db: 2.0 * float(np.sum(counted(db, noise).key)) - sifted_bits, 20.0, 60.0)

    def clean(noise: float) -> float:
        counts = counted(loss(noise), noise)
        return qber - float(counts.key_errors / np.sum(counts.key))

    noise = crossing(clean, 0.0, 1e-5)
    counts = counted(loss(noise), noise)
    leak = reconciliation.leak_bits(np.sum(counts.key), counts.key_errors)
    # Both bases are sent alike, so that the counts of the one are those of the other.
    found = both_bases.decoyed(counts, counts, source, leaks=both_bases.Leaks(key=leak, check=leak))
    assert float(found.bits) == pytest.approx(300_939, rel=0.1)
    assert float(found.bits) == pytest.approx(324_176, rel=1e-4)


def test_single_photons_stand_11_percent_of_errors() -> None:
    def bbm92_rate(error: float) -> float:
        seen = pairs.Coincidences(*(np.asarray(value) for value in (1.0, error, 1.0, 1.0)))
        return float(bbm92.asymptotic_rate(seen, efficiency=1.0))

    assert crossing(bbm92_rate, 0.0, 0.5) == pytest.approx(0.1100, abs=5e-5)


def test_the_bound_of_plob() -> None:
    assert float(plob.bits_per_use(0.5)) == 1.0
    assert float(plob.bits_per_use(1e-6)) == pytest.approx(1.44e-6, rel=5e-3)
    assert float(plob.bits_per_use(fibre(50.0, db_per_km=0.2))) == pytest.approx(0.152, abs=5e-4)

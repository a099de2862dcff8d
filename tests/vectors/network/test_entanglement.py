"""Published figures of purification, swapping and repeaters; they stand in docs/quantum-network.md."""

import pytest

from qfleet_controlplane.network.entanglement import bell, chain, links, operations, purification


def test_purifying_two_werner_pairs_of_70_percent() -> None:
    # Bennett et al., PRL 76, 722 (1996), eq. 7: 0.5/0.68.
    done = purification.purified(bell.werner(0.7), bell.werner(0.7), "bbpssw")
    assert done.success == pytest.approx(0.68, abs=1e-12)
    assert done.pair.fidelity == pytest.approx(0.735294, abs=5e-7)


def test_bbpssw_gains_above_one_half_and_stands_still_there() -> None:
    # Bennett et al. 1996: F' > F for 1/2 < F < 1; fixed at 1/4, 1/2 and 1.
    for fidelity in (0.3, 0.4, 0.49, 0.51, 0.7, 0.99):
        after = purification.purified(bell.werner(fidelity), bell.werner(fidelity), "bbpssw").pair.fidelity
        assert (after > fidelity) is (fidelity > 0.5)
    for fixed in (0.25, 0.5, 1.0):
        still = purification.purified(bell.werner(fixed), bell.werner(fixed), "bbpssw").pair.fidelity
        assert still == pytest.approx(fixed, abs=1e-12)


def test_dejmps_is_the_map_of_deutsch_et_al() -> None:
    # PRL 77, 2818 (1996), eq. 4.
    a, b, c, d = 0.6, 0.2, 0.15, 0.05
    norm = (a + b) ** 2 + (c + d) ** 2
    expected = [(a * a + b * b) / norm, 2 * c * d / norm, (c * c + d * d) / norm, 2 * a * b / norm]
    done = purification.purified(bell.pair(a, b, c, d), bell.pair(a, b, c, d), "dejmps")
    assert done.success == pytest.approx(norm)
    assert done.pair == pytest.approx(expected)


@pytest.mark.parametrize("others", [(0.49, 0.0, 0.0), (0.0, 0.49, 0.0), (0.0, 0.0, 0.49), (0.2, 0.19, 0.1)])
def test_dejmps_leads_every_pair_above_one_half_to_a_pure_one(others: tuple[float, float, float]) -> None:
    # Deutsch et al. 1996: whenever one eigenvalue exceeds one half.
    start = bell.pair(0.51, *others)
    assert purification.recurrence(start, 20, "dejmps").pair.fidelity == pytest.approx(1.0, abs=1e-6)


def test_dejmps_needs_fewer_rounds_than_bbpssw() -> None:
    # Deutsch et al. 1996, the point of their figure 2.
    start = bell.werner(0.7)
    quick = purification.rounds_to(start, 0.99, "dejmps")
    slow = purification.rounds_to(start, 0.99, "bbpssw")
    assert quick.rounds < slow.rounds
    assert quick.pairs < slow.pairs / 10


def test_hashing_begins_to_pay_at_81_07_percent() -> None:
    # Bennett, DiVincenzo, Smolin, Wootters, PRA 54, 3824 (1996).
    low, high = 0.5, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if bell.hashing_yield(bell.werner(middle)) > 0.0 else (middle, high)
    assert high == pytest.approx(0.8107, abs=5e-5)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_connected_pairs_have_the_fidelity_of_briegel_et_al(count: int) -> None:
    # PRL 81, 5932 (1998), eq. 1.
    p1, p2, eta, fidelity = 0.99, 0.98, 0.97, 0.95
    link = links.Link(success=1.0, attempt_s=1.0, pair=bell.werner(fidelity))
    noise = operations.Operations(one_qubit=p1, two_qubit=p2, readout=eta)
    step = p1 * p2 * (4 * eta**2 - 1) / 3
    expected = 0.25 + 0.75 * step ** (count - 1) * ((4 * fidelity - 1) / 3) ** count
    state = link.pair
    for _ in range(count - 1):
        # Their connection is of Werner pairs: each result is twirled.
        state = bell.twirled(operations.swapped(state, link.pair, noise))
    assert state.fidelity == pytest.approx(expected)
    ideal = chain.delivered([link] * count).pair.fidelity
    assert ideal == pytest.approx(0.25 + 0.75 * ((4 * fidelity - 1) / 3) ** count)


def test_swapping_two_werner_pairs_of_95_percent() -> None:
    # F² + (1-F)²/3.
    assert operations.swapped(bell.werner(0.95), bell.werner(0.95)).fidelity == pytest.approx(
        0.903333, abs=5e-7
    )


@pytest.mark.parametrize("fidelity", [0.6, 0.8, 0.95])
def test_imperfect_purification_is_that_of_briegel_et_al(fidelity: float) -> None:
    # PRL 81, 5932 (1998), eq. 2, for the controlled-nots and the readouts.
    p2, eta, rest = 0.97, 0.98, (1 - fidelity) / 3
    right, wrong = eta**2 + (1 - eta) ** 2, 2 * eta * (1 - eta)
    noise = (1 - p2**2) / (8 * p2**2)
    top = (fidelity**2 + rest**2) * right + (fidelity * rest + rest**2) * wrong + noise
    bottom = (
        (fidelity**2 + 2 * fidelity * rest + 5 * rest**2) * right
        + (fidelity * rest + rest**2) * 4 * wrong
        + 4 * noise
    )
    pair, made = bell.werner(fidelity), operations.Operations(two_qubit=p2, readout=eta)
    done = purification.purified(pair, pair, "bbpssw", made)
    assert done.pair.fidelity == pytest.approx(top / bottom)
    assert done.success == pytest.approx(bottom * p2**2)


def test_two_rare_links_wait_half_as_long_again_as_one() -> None:
    # Sangouard, Simon, de Riedmatten, Gisin, RMP 83, 33 (2011): the factor 3/2 of each nesting level.
    assert chain.waiting_steps([1e-6] * 2) * 1e-6 == pytest.approx(1.5, rel=1e-5)


def test_a_photon_passes_1000_km_of_fibre_once_in_300_years() -> None:
    # The same, introduction: 10 GHz and 1,000 km give 1e-10 Hz, a photon in 300 years.
    rate_hz = 1e10 * links.transmission(1_000.0)
    assert rate_hz == pytest.approx(1e-10)
    assert 1.0 / rate_hz / (365.25 * 86_400.0) == pytest.approx(300.0, rel=0.06)

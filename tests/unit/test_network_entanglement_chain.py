"""Rates and states of repeater chains against formulas of their own and a seeded simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell, chain, links, operations

chances = st.floats(0.01, 1.0)
RUNS = 20_000
SIGMAS = 6.5  # of a mean of so many runs: about 1e-10


def _link(success: float, attempt_s: float = 1.0, fidelity: float = 1.0) -> links.Link:
    return links.Link(success=success, attempt_s=attempt_s, pair=bell.werner(fidelity))


@given(st.lists(chances, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_waiting_is_the_alternating_sum_over_sets_of_links(successes: list[float]) -> None:
    expected = 0.0
    for size in range(1, len(successes) + 1):
        for some in itertools.combinations(successes, size):
            expected -= (-1) ** size / (1.0 - math.prod(1.0 - each for each in some))
    assert chain.waiting_steps(successes) == pytest.approx(expected, rel=1e-9)


@given(chances)
def test_two_links_wait_as_published(success: float) -> None:
    # Collins, Jenkins, Kuzmich, Kennedy, PRL 98, 060502 (2007).
    assert chain.waiting_steps([success] * 2) == pytest.approx((3 - 2 * success) / ((2 - success) * success))


def test_many_rare_links_wait_as_the_harmonic_number_says() -> None:
    harmonic = sum(1 / number for number in range(1, 33))
    assert chain.waiting_steps([1e-7] * 32) * 1e-7 == pytest.approx(harmonic, rel=1e-5)


@pytest.mark.parametrize("successes", [(0.3, 0.3, 0.3), (0.5, 0.1), (0.2, 0.7, 0.05, 0.2), (1.0, 0.25)])
def test_chains_deliver_what_a_simulation_delivers(successes: tuple[float, ...]) -> None:
    memory = operations.Memory(depolarising_s=40.0, dephasing_s=15.0)
    noise = operations.Operations(two_qubit=0.98, readout=0.97, swap_success=0.6)
    pair = bell.pair(0.9, 0.02, 0.03, 0.05)
    parts = [links.Link(success=each, attempt_s=0.5, pair=pair) for each in successes]
    expected = chain.delivered(parts, noise, memory)
    generator = np.random.default_rng(7)
    ready = np.stack([generator.geometric(each, RUNS) for each in successes])
    steps = ready.max(axis=0)
    fidelities = []
    for waits in ((steps - ready) * 0.5).T.tolist():
        state = operations.decayed(pair, waits[0], memory)
        for wait in waits[1:]:
            state = operations.swapped(state, operations.decayed(pair, wait, memory), noise)
        fidelities.append(state.fidelity)
    # Failed swaps begin anew: each end-to-end pair takes a geometric number of such rounds.
    rounds = generator.geometric(0.6 ** (len(successes) - 1), RUNS)
    _agree(np.array(fidelities), expected.pair.fidelity)
    _agree(steps.astype(float), expected.steps)
    _agree(rounds.astype(float), 1.0 / expected.rate_hz / (expected.steps * 0.5))


def _agree(found: np.ndarray, expected: float) -> None:
    assert abs(found.mean() - expected) < SIGMAS * found.std() / math.sqrt(len(found)) + 1e-12


@given(chances, st.integers(1, 6), st.floats(0.5, 1.0))
@settings(max_examples=40, deadline=None)
def test_equal_links_give_the_same_whether_grouped_or_not(
    success: float, count: int, fidelity: float
) -> None:
    memory = operations.Memory(depolarising_s=10.0)
    same = chain.delivered([_link(success, fidelity=fidelity)] * count, memory=memory)
    apart = [_link(success * (1.0 - 1e-13 * index), fidelity=fidelity) for index in range(count)]
    other = chain.delivered(apart, memory=memory)
    assert other.pair == pytest.approx(same.pair, abs=1e-9)
    assert other.rate_hz == pytest.approx(same.rate_hz, rel=1e-9)


def test_the_slowest_link_sets_the_step() -> None:
    assert chain.delivered([_link(1.0, 0.1), _link(1.0, 0.4)]).rate_hz == pytest.approx(2.5)


def test_without_decay_rare_links_keep_their_fidelity_to_the_last_digit() -> None:
    assert chain.delivered([_link(1e-8)] * 4).pair.fidelity == pytest.approx(1.0, abs=1e-12)


def test_ten_different_links_are_averaged_exactly_and_twenty_refused() -> None:
    different = [0.1 + 0.01 * index for index in range(20)]
    assert chain.waiting_steps(different[:8]) < 8 / 0.1
    with pytest.raises(chain.InvalidChain, match="20 links with 20 different success probabilities"):
        chain.waiting_steps(different)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: chain.delivered([]), "at least one link"),
        (lambda: _link(0.0), "probability 0 makes no link"),
        (lambda: _link(0.5, 0.0), "cannot last 0 s"),
        (lambda: links.heralded(links.Fibre(length_km=-1.0), bell.werner(0.9)), "no fibre is -1 km long"),
        (
            lambda: links.heralded(links.Fibre(length_km=1.0, efficiency=0.0), bell.werner(0.9)),
            "efficiency of 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: object, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        make()  # type: ignore[operator] # one table for all


def test_heralded_links_by_hand() -> None:
    middle = links.heralded(
        links.Fibre(length_km=100.0, efficiency=0.5, preparation_s=1e-5), bell.werner(0.95)
    )
    assert middle.success == pytest.approx(0.5 * 0.25 * 0.01)
    assert middle.attempt_s == pytest.approx(5.1e-4)
    far = links.heralded(links.Fibre(length_km=100.0, efficiency=0.5, scheme="far end"), bell.werner(0.95))
    assert (far.success, far.attempt_s) == pytest.approx((0.005, 1e-3))
    assert far.rate_hz == pytest.approx(5.0)

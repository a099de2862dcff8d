"""The best settings: against a search that draws at random, alone and together, and for passes."""

from collections.abc import Callable

import numpy as np
import pytest

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, detection, links, optimum, optimum_pairs, plob, search
from qfleet_wire.qkd.quantities import Floats

RECEIVER = detection.Receiver(efficiency=0.1, noise=1.2e-6, misalignment=5e-3, afterpulsing=4e-2)
LOSSES_DB = np.array([0.0, 10.0, 20.0, 24.0])


def link(losses_db: Floats = LOSSES_DB, variant: bb84_finite.Variant = "capped") -> links.Link:
    return links.Link(
        transmittance=10.0 ** (-losses_db / 10.0), receiver=RECEIVER, pulses_hz=1e9, variant=variant
    )


@pytest.mark.parametrize("variant", ["as printed", "capped"])
def test_no_settings_drawn_at_random_are_better(variant: bb84_finite.Variant) -> None:
    """Differential evolution, 6,000 settings for each link, ends at most 0.1 % higher."""
    evolution = pytest.importorskip("scipy.optimize").differential_evolution
    best = optimum.lasting(link(variant=variant), seconds=10.0)
    for row, loss_db in list(enumerate(LOSSES_DB))[1::2]:
        one = link(np.array([loss_db]), variant)
        wide = one.widened()

        def missing(points: Floats, one: links.Link = one, wide: links.Link = wide) -> Floats:
            source = optimum._source(points.T[None], one)
            return np.asarray(-optimum._key(source, wide, np.full((1, 1), 10.0)).balance[0])

        drawn = evolution(
            missing, [(0, 1)] * 5, vectorized=True, updating="deferred", maxiter=100, popsize=12, rng=1
        )
        assert float(best.key.balance[row]) >= -drawn.fun * (1 - 1e-3 * np.sign(-drawn.fun))


def test_links_together_are_each_link_alone() -> None:
    together = optimum.lasting(link(), seconds=10.0)
    for row, loss_db in enumerate(LOSSES_DB):
        alone = optimum.lasting(link(np.array([loss_db])), seconds=10.0)
        assert float(together.key.bits[row]) == pytest.approx(float(alone.key.bits[0]), rel=1e-6)


def test_a_channel_without_light_and_one_without_loss_have_settings_too() -> None:
    ends = links.Link(transmittance=[0.0, 1.0], receiver=RECEIVER, pulses_hz=1e9)
    assert (optimum.lasting(ends, seconds=10.0).key.bits > 0.0).tolist() == [False, True]
    assert (optimum.filling(ends, sifted=1e6).key.bits > 0.0).tolist() == [False, True]
    assert (optimum.intensity(ends)[1] > 0.0).tolist() == [False, True]


def test_what_is_computed_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = optimum.lasting(link(), seconds=10.0)
    monkeypatch.setattr(search, "_AT_ONCE", 1000)
    assert np.array_equal(optimum.lasting(link(), seconds=10.0).key.bits, whole.key.bits)


def test_the_same_links_have_the_same_optima() -> None:
    first, second = (optimum.lasting(link(), seconds=10.0) for _ in range(2))
    assert np.array_equal(np.asarray(first.source.intensities), np.asarray(second.source.intensities))
    assert np.array_equal(first.key.bits, second.key.bits)


def test_more_loss_gives_less_key_and_less_than_the_channel_can() -> None:
    losses = np.linspace(0.0, 30.0, 16)
    best = optimum.lasting(link(losses), seconds=10.0)
    assert (np.diff(best.key.bits) <= 0.0).all()
    assert best.key.bits[0] > 0.0
    assert best.key.bits[-1] == 0.0
    assert (best.key.bits / 1e10 < plob.bits_per_use(10.0 ** (-losses / 10.0))).all()


def test_a_pass_shares_one_setting_and_its_block() -> None:
    steps = 10.0 ** (-np.array([[20.0, 16.0, 14.0, 16.0, 20.0], [30.0, 28.0, 27.0, 28.0, 30.0]]) / 10.0)
    passes = links.Link(transmittance=steps, receiver=RECEIVER, pulses_hz=1e9, steps=True)
    best = optimum.lasting(passes, seconds=2.0)
    assert np.shape(best.source.intensities) == (2, 3)
    assert np.array_equal(best.seconds, [10.0, 10.0])
    # Five blocks of their own, each with settings of its own, give less than the one block of the pass.
    apart = optimum.lasting(links.Link(transmittance=steps[0], receiver=RECEIVER, pulses_hz=1e9), seconds=2.0)
    assert float(best.key.bits[0]) > float(apart.key.bits.sum()) > 0.0


def test_a_block_of_given_size_ends_when_it_is_full() -> None:
    best = optimum.filling(link(), sifted=1e6)
    rates = detection.sifted(best.source, 1e9, 10.0 ** (-LOSSES_DB / 10.0), RECEIVER)
    assert np.allclose(rates.key_bps * best.seconds, 1e6)
    given = optimum.lasting(link(), seconds=best.seconds)
    assert (given.key.balance >= best.key.balance * (1 - 1e-6)).all()


def test_the_best_intensity_and_the_best_pairs_are_tops() -> None:
    mu, rate = optimum.intensity(link())
    assert ((mu > 0.3) & (mu < 1.2)).all()
    assert (rate <= plob.bits_per_use(10.0 ** (-LOSSES_DB / 10.0))).all()
    brightness, pair_rate = optimum_pairs.brightness(link(), RECEIVER)
    assert ((brightness > 0.01) & (brightness < 0.5)).all()
    assert (np.diff(pair_rate) < 0.0).all()


def test_a_source_of_pairs_in_the_middle_reaches_further_than_at_one_end() -> None:
    losses = np.array([30.0, 50.0])
    middle = optimum_pairs.lasting(link(losses), RECEIVER, seconds=1e5)
    end = optimum_pairs.lasting(link(losses), RECEIVER, seconds=1e5, place=0.0)
    assert middle.key.bits[1] > 0.0
    assert end.key.bits[1] == 0.0
    assert ((middle.key_basis > 0.5) & (middle.key_basis < 1.0)).all()


def test_a_search_finds_the_tops_of_many_functions_at_once() -> None:
    tops = np.array([[0.2, 0.9, 0.5], [0.7, 0.1, 0.3]])

    def ridge(points: Floats) -> Floats:
        away = points - tops[:, None]
        kink = np.abs(away[..., 0] - away[..., 1])
        smooth: Floats = -10.0 * kink - (away**2).sum(axis=-1)
        return smooth

    found, value = search.maximise(ridge, links=2, dimensions=3)
    assert np.allclose(found, tops, atol=1e-3)
    assert (value > -1e-3).all()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: optimum.lasting(link(), seconds=-1.0), "seconds is -1"),
        (lambda: optimum.filling(link(), sifted=0.0), "sifted bits of a block is 0"),
        (lambda: links.Link(transmittance=0.1, receiver=RECEIVER, pulses_hz=1e9), "has 0 axes"),
        (lambda: links.Link(transmittance=[], receiver=RECEIVER, pulses_hz=1e9), "transmittance is empty"),
        (
            lambda: links.Link(transmittance=[0.1], receiver=RECEIVER, pulses_hz=1e9, steps=True),
            "must have those of links and steps",
        ),
        (lambda: links.Link(transmittance=[0.1], receiver=RECEIVER, pulses_hz=0.0), "pulses per second is 0"),
        (
            lambda: links.Link(transmittance=[0.1], receiver=RECEIVER, pulses_hz=1.0, vacuum=0.1),
            "the weakest intensity is 0.1",
        ),
        (
            lambda: optimum.filling(
                links.Link(transmittance=[[0.1]], receiver=RECEIVER, pulses_hz=1.0, steps=True), sifted=10
            ),
            "only a block of a given duration may have steps",
        ),
    ],
)
def test_what_no_link_can_be_is_refused(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(InvalidQuantity, match=reason):
        wrong()

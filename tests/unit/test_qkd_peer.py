"""Key rates against those of tno-quantum-communication-qkd-key-rate, where the bench group is installed."""

import numpy as np
import pytest

pytest.importorskip(
    "tno.quantum.communication.qkd_key_rate",
    reason="tno-quantum-communication-qkd-key-rate is in the dependency group 'bench'",
)

from benchmarks import keyrate, keyrate_model
from tno.quantum.communication.qkd_key_rate.quantum import bb84, bbm92, standard_detector

from qfleet_wire.qkd import bbm92 as ours_bbm92
from qfleet_wire.qkd import links, optimum, optimum_pairs, pairs

LOSSES_DB = np.array([1.0, 5.0, 10.0, 20.0])

# What the peer's search found for 10^10 pulses, in 8 to 180 seconds each; the rates are computed anew.
PEERS = keyrate_model.Settings(
    np.array(
        [
            [0.704299140008003, 0.10571039315967595, 5.38539379367036e-05],
            [0.675510335575537, 0.11713417424761038, 0.00014054140193740748],
            [0.6493141697945541, 0.14004936221543912, 0.00032747167555721176],
            [0.5969316195844306, 0.20915897822663912, 0.0004110461207902953],
        ]
    ),
    np.array(
        [
            [0.9323422350911563, 0.039287972183210076, 0.028196509159396366],
            [0.9163306177756697, 0.04945387124665511, 0.033773861668733945],
            [0.891338931575759, 0.06617110756970097, 0.04103354917722649],
            [0.7621785294651892, 0.13242237797994562, 0.05603620345614691],
        ]
    ),
    np.array(
        [
            [9.168669825520038e-06, 6.422220390676435e-05, 9.989269250497341e-05],
            [2.5923274041880126e-05, 0.0001697579832674444, 0.00024596805163203974],
            [0.00010451530480794921, 0.0005782580414451785, 0.0007736383310605129],
            [0.04904600886231462, 0.00015989050483510375, 0.00015698773356852472],
        ]
    ),
)


def link(losses_db: list[float], *, of_pairs: bool = False) -> links.Link:
    return keyrate._link(np.array(losses_db), keyrate.PAIR_RECEIVER if of_pairs else keyrate.RECEIVER)


@pytest.mark.parametrize("loss_db", [1.0, 10.0, 20.0, 30.0])
def test_endless_blocks_of_bb84(loss_db: float) -> None:
    peer = bb84.BB84FullyAsymptoticKeyRateEstimate(detector=standard_detector)
    settings, rate = peer.optimize_rate(attenuation=loss_db)
    intensity, value = optimum.intensity(link([loss_db]))
    assert float(value[0]) == pytest.approx(rate, rel=1e-3)
    assert float(intensity[0]) == pytest.approx(float(settings["mu"][0]), abs=0.01)


@pytest.mark.parametrize("loss_db", [1.0, 10.0, 30.0, 60.0])
def test_coincidences_and_endless_blocks_of_bbm92(loss_db: float) -> None:
    gain, error = bbm92.compute_gain_and_error_rate(
        standard_detector, standard_detector, loss_db / 2, loss_db / 2, 0.05
    )
    arms = pairs.split(10.0 ** (-loss_db / 10.0), place=0.5)
    seen = pairs.coincidences(0.1, arms, keyrate.PAIR_RECEIVER, keyrate.PAIR_RECEIVER)
    assert float(seen.gain) == pytest.approx(float(gain), rel=1e-6)
    assert float(seen.error) == pytest.approx(float(error), rel=1e-6)
    peer = bbm92.BBM92AsymptoticKeyRateEstimate(detector=standard_detector)
    theirs = peer.compute_rate(mu=0.1, attenuation=loss_db)
    assert float(ours_bbm92.asymptotic_rate(seen, efficiency=1.0)) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("loss_db", [1.0, 10.0, 20.0, 30.0])
def test_the_best_pairs_of_bbm92(loss_db: float) -> None:
    peer = bbm92.BBM92AsymptoticKeyRateEstimate(detector=standard_detector)
    _, rate = peer.optimize_rate(attenuation=loss_db)
    brightness, value = optimum_pairs.brightness(link([loss_db], of_pairs=True), keyrate.PAIR_RECEIVER)
    assert float(value[0]) >= rate * (1 - 1e-6)
    again = peer.compute_rate(mu=float(brightness[0]), attenuation=loss_db)
    assert float(value[0]) == pytest.approx(again, rel=1e-5)


def test_the_peers_finite_model_in_closed_form_is_the_peers() -> None:
    through = 10.0 ** (-LOSSES_DB / 10.0)[:, None]
    closed = keyrate_model.rate(PEERS, keyrate.DETECTOR, through, keyrate.PULSES)
    for row, loss_db in enumerate(LOSSES_DB):
        assert float(closed[row]) == pytest.approx(keyrate.valued(PEERS, row, float(loss_db)), rel=1e-3)


def test_our_search_climbs_the_peers_finite_model_at_least_as_high() -> None:
    chosen = keyrate_model.best(keyrate.DETECTOR, LOSSES_DB, keyrate.PULSES)
    for row, loss_db in enumerate(LOSSES_DB):
        ours = keyrate.valued(chosen, row, float(loss_db))
        assert ours >= 0.999 * keyrate.valued(PEERS, row, float(loss_db)) > 0.0

"""The best settings of QKD links, against the peer that searches for them: its values, and how long it takes.

Peer: tno-quantum-communication-qkd-key-rate 2, with its standard detector. For a finite block of BB84 our
search climbs the peer's own model (``keyrate_model``), and the peer's ``compute_rate`` values what it found;
beside it stands what the planner computes of the same link, the bound of Lim et al. 2014. For endless blocks
both sides have the same formulas. The peer takes minutes for each finite point and is measured once.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from benchmarks import keyrate_model
from benchmarks.figures import Figure, number, spread
from tno.quantum.communication.qkd_key_rate.quantum import bb84, bbm92, standard_detector

from qfleet_wire.qkd import detection, links, optimum, optimum_pairs
from qfleet_wire.qkd.quantities import Floats

LOSSES_DB = (5.0, 10.0, 20.0, 30.0)
PULSES = 10**10
PULSES_HZ = 10**7
BATCH = 100
REPEATS = 5
GOAL = 100.0
_WITHIN = 0.01
Found = TypeVar("Found")

DETECTOR = keyrate_model.Detector(
    dark=float(standard_detector.dark_count_rate),
    efficiency=float(standard_detector.efficiency_party),
    drift=float(standard_detector.polarization_drift),
)
RECEIVER = detection.Receiver(
    efficiency=DETECTOR.efficiency,
    noise=1.0 - (1.0 - DETECTOR.dark) ** 2,
    misalignment=np.sin(DETECTOR.drift) ** 2,
)
PAIR_RECEIVER = detection.Receiver(efficiency=DETECTOR.efficiency, noise=DETECTOR.dark, misalignment=0.0)


def run() -> list[Figure]:
    """Measure finite blocks at four losses, then endless ones."""
    rows = [_finite(loss_db) for loss_db in LOSSES_DB]
    rows += [_planned()]
    rows += [_endless(loss_db) for loss_db in LOSSES_DB]
    return rows + [_pairs(loss_db) for loss_db in LOSSES_DB]


def valued(chosen: keyrate_model.Settings, row: int, loss_db: float) -> float:
    """What the peer says a link gives per pulse with such settings."""
    peer = bb84.BB84FiniteKeyRateEstimate(detector=standard_detector, number_of_pulses=PULSES)
    rate = peer.compute_rate(
        mu=chosen.intensities[row],
        attenuation=loss_db,
        probability_basis_X=chosen.key[row],
        probability_basis_Z=chosen.check[row],
    )
    return float(np.asarray(rate).item())


def _finite(loss_db: float) -> Figure:
    losses = np.array([loss_db])
    chosen, ours = _timed(lambda: keyrate_model.best(DETECTOR, losses, PULSES))
    peer = bb84.BB84FiniteKeyRateEstimate(detector=standard_detector, number_of_pulses=PULSES)
    begun = time.perf_counter()
    _, rate = peer.optimize_rate(attenuation=loss_db)
    seconds = time.perf_counter() - begun
    return _row(f"BB84, 10^10 pulses, {loss_db:g} dB", (valued(chosen, 0, loss_db), ours), (rate, [seconds]))


def _planned() -> Figure:
    """The planner's own bound, one link alone and a hundred together."""
    alone, one = _timed(lambda: optimum.lasting(_link(np.array([10.0])), seconds=PULSES / PULSES_HZ))
    many = _link(np.linspace(0.0, 25.0, BATCH))
    _, together = _timed(lambda: optimum.lasting(many, seconds=PULSES / PULSES_HZ))
    each = spread([1e3 * seconds / BATCH for seconds in together])
    bits = float(alone.key.bits[0])
    return Figure(
        what="BB84, 10^10 pulses, the planner's bound (Lim et al. 2014)",
        ours=f"{spread([1e3 * seconds for seconds in one]).text('ms')} alone, {each.text('ms')} of {BATCH}; "
        f"10 dB: {number(bits)} bits",
    )


def _endless(loss_db: float) -> Figure:
    losses = np.array([loss_db])
    (_, value), ours = _timed(lambda: optimum.intensity(_link(losses)))
    peer = bb84.BB84FullyAsymptoticKeyRateEstimate(detector=standard_detector)
    (_, rate), theirs = _timed(lambda: peer.optimize_rate(attenuation=loss_db))
    return _row(f"BB84, endless blocks, {loss_db:g} dB", (float(value[0]), ours), (rate, theirs))


def _pairs(loss_db: float) -> Figure:
    link = _link(np.array([loss_db]), PAIR_RECEIVER)
    (_, value), ours = _timed(lambda: optimum_pairs.brightness(link, PAIR_RECEIVER))
    peer = bbm92.BBM92AsymptoticKeyRateEstimate(detector=standard_detector)
    (_, rate), theirs = _timed(lambda: peer.optimize_rate(attenuation=loss_db))
    return _row(f"BBM92, endless blocks, {loss_db:g} dB", (float(value[0]), ours), (rate, theirs))


def _link(losses_db: Floats, receiver: detection.Receiver = RECEIVER) -> links.Link:
    return links.Link(
        transmittance=10.0 ** (-losses_db / 10.0), receiver=receiver, pulses_hz=PULSES_HZ, efficiency=1.0
    )


def _timed(search: Callable[[], Found]) -> tuple[Found, list[float]]:
    found = search()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        found = search()
        times.append(time.perf_counter() - begun)
    return found, times


def _row(what: str, ours: tuple[float, list[float]], theirs: tuple[float, list[float]]) -> Figure:
    """One comparison; the goal is for finite blocks, the only ones that take the peer long."""
    faster = spread(theirs[1]).median / spread(ours[1]).median
    better = ours[0] / theirs[0] - 1.0
    finite = "10^10" in what
    return Figure(
        what=what,
        ours=f"{spread([1e3 * seconds for seconds in ours[1]]).text('ms')}; {ours[0]:.5g} per pulse",
        peer=f"{spread(theirs[1]).text('s')}; {theirs[0]:.5g} per pulse",
        ratio=f"{number(faster)} × as fast; {better:+.2%}",
        goal=f"≥ {GOAL:g} ×, ≥ -1 %" if finite else "",
        met=faster >= GOAL and better >= -_WITHIN if finite else None,
    )

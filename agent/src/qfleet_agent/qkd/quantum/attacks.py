"""What an eavesdropper on the quantum channel makes of the law of a line.

Each function gives a law for ``simulated.SimulatedDevice``, at both ends. What she learns follows from her
way and is said with it; what she disturbs shows in the counts, which ``qkd.watch`` looks at.
"""

from dataclasses import replace

import numpy as np

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum import laws
from qfleet_wire.qkd import detection, quantities
from qfleet_wire.qkd.quantities import Floats

_PHOTONS = 60
_HALVINGS = 60


def intercept_resend(
    law: laws.PulseLaw | laws.PairLaw, share: float, *, key_basis: float = 0.5
) -> laws.PulseLaw | laws.PairLaw:
    """She measures a ``share`` of the pulses on their way to Bob and sends on what she saw.

    She measures in the key basis with the probability ``key_basis``. Of the bits of the key she then knows
    ``share`` × ``key_basis``; where her basis is the other one, Bob's bit is random. In random bases the
    error rate rises by a quarter of the share (Bennett and Brassard 1984).

    Raises:
        InvalidQuantity: Where a share is no probability.
    """
    part = float(quantities.probability("the share of pulses intercepted", share))
    basis = float(quantities.probability("her probability of the key basis", key_basis))
    spoilt = part * np.array([1.0 - basis, basis])
    return replace(law, error=law.error * (1.0 - spoilt) + detection.NOISE_ERROR * spoilt)


def photon_number_splitting(
    protocol: plan.WeakPulses, line: plan.Line, *, blocked: float = 1.0
) -> laws.PulseLaw:
    """She blocks a share of the single photons and keeps one photon of each pulse that has more.

    What is left of those goes to Bob over a channel of hers, which loses as much as keeps the signal's gain
    where it can (Brassard, Lütkenhaus, Mor, Sanders, PRL 85, 1330 (2000)). Once the bases are told she knows
    every bit that came of more than one photon, and no error is made.

    Raises:
        InvalidQuantity: Where the share is no probability.
    """
    part = float(quantities.probability("the share of single photons blocked", blocked))
    aim = float(laws.of_pulses(protocol, line).gain[0, 0])
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        reached = float(_split(protocol, line, part, middle).gain[0, 0])
        low, high = (middle, high) if reached < aim else (low, middle)
    return _split(protocol, line, part, high)


def blinding(
    protocol: plan.WeakPulses,
    line: plan.Line,
    *,
    efficiency: float = 1.0,
    share: float | None = None,
) -> laws.PulseLaw:
    """She blinds Bob's detectors and makes them count what she measured before the line, in random bases.

    They count only where his basis is hers, and never without her (Lydersen et al., Nature Photonics 4, 686
    (2010)). She knows every bit and makes no error. ``efficiency`` is that of her detectors, ``share`` how
    many of her own counts she has Bob count: as many as he expects to, where not given and where she can.

    Raises:
        ExchangeMisused: Where the share is not a probability.
    """
    light = -np.expm1(-np.array(protocol.intensities) * efficiency)
    weights = np.array(protocol.probabilities)
    if share is None:
        usual = float(weights @ laws.of_pulses(protocol, line).gain[:, 0])
        share = min(2.0 * usual / max(float(weights @ light), np.finfo(np.float64).tiny), 1.0)
    if not 0.0 <= share <= 1.0:
        raise ExchangeMisused(f"the share of counts that she forges is {share:g}, and must be from 0 to 1")
    gain = np.repeat((0.5 * share * light)[:, None], 2, axis=1)
    return laws.PulseLaw(gain, np.zeros_like(gain))


def blinding_pairs(law: laws.PairLaw, *, share: float = 1.0) -> laws.PairLaw:
    """The same on Bob's arm of a source of pairs: half of a ``share`` of his counts are left, without errors.

    Raises:
        InvalidQuantity: Where the share is not from 0 to 2: she may have better detectors than he.
    """
    left = 0.5 * float(quantities.within("the share of counts", share, low=0.0, high=2.0))
    return laws.PairLaw(
        law.both * left,
        law.alice_alone + law.both * (1.0 - left),
        law.bob_alone * left,
        np.zeros_like(law.error),
    )


def _split(protocol: plan.WeakPulses, line: plan.Line, blocked: float, through: float) -> laws.PulseLaw:
    """The law where what is left of a pulse of several photons passes with the transmittance ``through``."""
    bob = plan.receiver_model(line.bob)
    photons = np.arange(_PHOTONS)
    passed = np.where(photons > 1, photons - 1, 0)
    yields = detection.yields(passed, through, bob)
    wrong = yields * detection.photon_errors(passed, through, bob)
    single, none = detection.yields([1, 0], line.transmittance, bob)
    errors = detection.photon_errors([1, 0], line.transmittance, bob)
    yields[1] = (1.0 - blocked) * single + blocked * none
    wrong[1] = (1.0 - blocked) * single * errors[0] + blocked * none * errors[1]
    chances = _poisson(np.array(protocol.intensities))
    gain, missed = chances @ yields, chances @ wrong
    return laws.PulseLaw(
        np.repeat(gain[:, None], 2, axis=1),
        np.repeat(detection.error_rate(missed, gain)[:, None], 2, axis=1),
    )


def _poisson(means: Floats) -> Floats:
    """The chances of 0, 1, 2 … photons, (K, n)."""
    steps = means[:, None] / np.arange(1, _PHOTONS)
    rising = np.cumprod(np.concatenate([np.ones((len(means), 1)), steps], axis=1), axis=1)
    chances: Floats = np.exp(-means)[:, None] * rising
    return chances

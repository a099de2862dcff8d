"""Signs of an eavesdropper in what was counted: each with the figures that were seen and those expected.

A session is given up where a count lies outside what the plan expects by more than chance: a tail bound
P ≤ exp(-n D(k / n ‖ p)) (Chernoff, Ann. Math. Stat. 23, 493 (1952); Hoeffding, JASA 58, 13 (1963)) at the
plan's chance of a false alarm, shared among all questions asked. The loss of the line may be off by the
plan's tolerance: an expectation is a span, and only what lies outside the whole span counts. A dead time
makes counts more regular than the bound supposes, which makes an alarm rarer.

Which sign belongs to which attack: intercept and resend raises the error rate (by a quarter where all
pulses are measured in random bases: Bennett and Brassard 1984). Splitting photon numbers needs pulses of
one photon to be blocked, which changes what the intensities count relative to each other (Hwang, PRL 91,
057901 (2003)). Blinded detectors count what they are told: no dark counts, and no counts where the bases of
forger and receiver differ (Lydersen et al., Nature Photonics 4, 686 (2010)).
"""

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.quantum import laws
from qfleet_agent.qkd.sifting import Tally
from qfleet_wire.qkd import detection
from qfleet_wire.qkd.quantities import Floats

Reason: TypeAlias = Literal[
    "error-rate",
    "count-rate",
    "decoy-yields",
    "dark-counts",
    "verification",
    "authentication",
    "transcript",
    "protocol",
]

_QUESTIONS = 10
"""Two sides of one total and of three shares for pulses, of two totals for pairs; and the dark counts."""


class Sign(msgspec.Struct, frozen=True):
    """One reason to give a session up, and what was seen, in words with numbers."""

    reason: Reason
    seen: str


def signs(session: plan.Plan, tally: Tally) -> list[Sign]:
    """All signs of an eavesdropper in the tally of a whole session; none, where it is as expected."""
    found = _error_rate(session, tally)
    match session.protocol:
        case plan.WeakPulses():
            return found + _pulses(session, session.protocol, tally)
        case plan.Pairs():
            return found + _pairs(session, session.protocol, tally)


def key_errors(session: plan.Plan, bits: int, errors: int) -> list[Sign]:
    """The sign of too many errors in the key basis, once the reconciliation has counted them."""
    bound = session.bounds.error_rate
    if errors <= bound * bits:
        return []
    seen = f"QBER {errors / bits:.2%} of {bits:,} bits of the key basis, above the bound of {bound:.2%}"
    return [Sign("error-rate", seen)]


def tail(count: float, trials: float, span: tuple[float, float]) -> float:
    """The most that a count this far out, or farther, has a probability of; 1 within the span of means.

    Args:
        count: What was counted. trials: Of how many. span: The least and the highest chance of each.
    """
    low, high = sorted(span)
    share = count / trials if trials else low
    if low <= share <= high:
        return 1.0
    chance = low if share < low else high
    if not 0.0 < chance < 1.0:
        return 0.0
    # n D = k ln(x / p) + (n - k) ln((1 - x) / (1 - p)), for x = k / n.
    some = count * np.log(share / chance) if count else 0.0
    rest = (trials - count) * np.log1p((chance - share) / (1.0 - chance)) if count < trials else 0.0
    return float(np.exp(-max(some + rest, 0.0)))


def _error_rate(session: plan.Plan, tally: Tally) -> list[Sign]:
    compared, bound = int(tally.check.sum()), session.bounds.error_rate
    if compared == 0 or tally.error_rate <= bound:
        return []
    seen = (
        f"QBER {tally.error_rate:.2%} of {compared:,} bits of the check basis, above the bound of {bound:.2%}"
    )
    return [Sign("error-rate", seen)]


def _pulses(session: plan.Plan, protocol: plan.WeakPulses, tally: Tally) -> list[Sign]:
    weights = np.array(protocol.probabilities)
    gains = [laws.of_pulses(protocol, line).gain[:, 0] for line in lines(session)]
    counted = [weights * gain for gain in gains]
    alive = [
        float(detection.live(each.sum(), line.pulses_hz, plan.receiver_model(line.bob)))
        for each, line in zip(counted, lines(session), strict=True)
    ]
    totals = [float(each.sum()) * live for each, live in zip(counted, alive, strict=True)]
    found = _rate(session, "counts", tally.counted, (totals[0], totals[1]))
    shares = [each / each.sum() for each in counted]
    found += _decoys(session, protocol, tally, np.sort(np.array(shares), axis=0))
    dark = [float(each[2]) * live for each, live in zip(counted, alive, strict=True)]
    return found + _dark(session, protocol, int(tally.known[2]), (min(dark), max(dark)))


def _decoys(session: plan.Plan, protocol: plan.WeakPulses, tally: Tally, shares: Floats) -> list[Sign]:
    """Shares (2, 3) of the counts that each intensity may have, against those that it has."""
    total = int(tally.known.sum())
    found = []
    for k, count in enumerate(tally.known.tolist()):
        span = float(shares[0, k]), float(shares[1, k])
        chance = tail(count, total, span)
        if chance <= session.bounds.false_alarm / _QUESTIONS:
            found.append(
                f"intensity {protocol.intensities[k]:g} has {count / total:.3%} of {total:,} counts, "
                f"expected {span[0]:.3%} to {span[1]:.3%} ({_chance(chance)})"
            )
    if not found:
        return []
    return [Sign("decoy-yields", "; ".join([*found, _single_yield(session, protocol, tally)]))]


def _single_yield(session: plan.Plan, protocol: plan.WeakPulses, tally: Tally) -> str:
    """Y_1 ≤ Q_2 e^μ2 / μ2: what the weak decoy leaves of single photons, beside what the line would count."""
    mu, share = protocol.intensities[1], protocol.probabilities[1]
    most = int(tally.known[1]) / (session.pulses * share) * np.exp(mu) / mu
    expected = float(detection.yields(1.0, session.line.transmittance, plan.receiver_model(session.line.bob)))
    return f"single photons have a yield of no more than {most:.2e}, expected {expected:.2e}"


def _dark(session: plan.Plan, protocol: plan.WeakPulses, count: int, span: tuple[float, float]) -> list[Sign]:
    """Too few counts without light: detectors that wait to be told."""
    chance = tail(count, session.pulses, span)
    if count >= span[0] * session.pulses or chance > session.bounds.false_alarm / _QUESTIONS:
        return []
    seen = (
        f"{count:,} counts of pulses of intensity {protocol.intensities[2]:g}, expected at least "
        f"{span[0] * session.pulses:,.0f} ({_chance(chance)}): detectors without dark counts may be blinded"
    )
    return [Sign("dark-counts", seen)]


def _pairs(session: plan.Plan, protocol: plan.Pairs, tally: Tally) -> list[Sign]:
    both, bob = [], []
    for line in lines(session):
        law = laws.of_pairs(protocol, line)
        seen = law.both + law.bob_alone
        alive = float(detection.live(seen, line.pulses_hz, plan.receiver_model(line.bob)))
        other = law.both + law.alice_alone
        either = alive * float(detection.live(other, line.pulses_hz, plan.receiver_model(protocol.alice)))
        bob.append(seen * alive)
        both.append(law.both * either)
    found = _rate(session, "counts", tally.counted, (bob[0], bob[1]))
    return found + _rate(session, "coincidences", int(tally.known.sum()), (both[0], both[1]))


def _rate(session: plan.Plan, what: str, count: int, span: tuple[float, float]) -> list[Sign]:
    chance = tail(count, session.pulses, span)
    if chance > session.bounds.false_alarm / _QUESTIONS:
        return []
    low, high = (share * session.pulses for share in span)
    expected = f"expected {low:,.0f} to {high:,.0f} ({_chance(chance)})"
    seen = f"{count:,} {what} of {session.pulses:,} pulses, {expected}"
    return [Sign("count-rate", seen)]


def _chance(tail_: float) -> str:
    """A bound on a probability in words; one that underflows is still none of 0."""
    return f"p ≤ {max(tail_, 1e-300):.0e}"


def lines(session: plan.Plan) -> tuple[plan.Line, plan.Line]:
    """The line with the most and the least loss that the tolerance allows."""
    factor = 10.0 ** (session.bounds.tolerance_db / 10.0)
    line = session.line
    return (
        msgspec.structs.replace(line, transmittance=line.transmittance / factor),
        msgspec.structs.replace(line, transmittance=min(line.transmittance * factor, 1.0)),
    )

"""What somebody on the line does to a link: more errors, a shorter key, and at last none."""

import math

INTERCEPT_ERROR = 0.25
"""Error rate when every pulse of BB84 is measured in a random basis and sent on (Bennett and Brassard)."""
_EFFICIENCY = 1.16
"""Of error correction, as in Lim et al., Phys. Rev. A 89, 022307 (2014)."""


def qber_with(qber: float, share: float) -> float:
    """Return the error rate when ``share`` of the pulses is intercepted: those are wrong one time in four."""
    return qber * (1.0 - share) + INTERCEPT_ERROR * share


def shortening(before: float, now: float) -> float:
    """By what factor the key shortens when the error rate rises from ``before`` to ``now``; 0: no key.

    Ratio of asymptotic rates 1 - h(e) - f h(e) (Shor and Preskill, Phys. Rev. Lett. 85, 441 (2000), with
    the efficiency f of error correction); the finite-key bound falls at least as fast.
    """
    full = _rate(before)
    return 0.0 if full <= 0.0 else max(0.0, _rate(now)) / full


def _rate(qber: float) -> float:
    return 1.0 - (1.0 + _EFFICIENCY) * _entropy(qber)


def _entropy(share: float) -> float:
    if share <= 0.0:
        return 0.0
    if share >= 0.5:
        return 1.0
    return -share * math.log2(share) - (1.0 - share) * math.log2(1.0 - share)

"""What both studies of answers count by: differences that matter, and intervals of shares."""

import math

COUNTS = 1.0
"""Differences below twice this do not count, of AIC by Burnham and Anderson, Model Selection, 2nd ed., 2002,
and of BIC by Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995)."""
_SIDE = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""


def wilson(yes: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, J. Am. Stat. Assoc. 22, 209 (1927)."""
    share, squared = yes / of, _SIDE * _SIDE
    middle = (share + squared / (2 * of)) / (1 + squared / of)
    reach = _SIDE / (1 + squared / of) * math.sqrt(share * (1 - share) / of + squared / (4 * of * of))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def pooled_z(yes: tuple[int, int], of: tuple[int, int]) -> float:
    """The score of a difference of two shares, the first less the second, with their pooled variance.

    0 where all said the same.
    """
    pooled = sum(yes) / sum(of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of[0] + 1 / of[1]))
    return (yes[0] / of[0] - yes[1] / of[1]) / error if error else 0.0

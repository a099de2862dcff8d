"""What a probe finds."""

import math
from typing import NamedTuple


class Fault(NamedTuple):
    """What is wrong with an answer; ``exact`` where no chance could explain it."""

    text: str
    exact: bool


def hits_differ(hits: int, shots: int, chance: float, level: float) -> str | None:
    """Say that so many hits are not to be expected; None where chance explains them, at a level.

    The probability of so many or more, and of so few or fewer, is at most exp(-shots D(hits/shots ‖ chance)),
    with the relative entropy D (Chernoff, Ann. Math. Stat. 23, 493, 1952): no approximation, however rare.
    """
    share = hits / shots
    if not 0.0 < chance < 1.0:
        return None if share == chance else f"{hits} of {shots} where all or none are to be expected"
    entropy = sum(a * math.log(a / b) for a, b in ((share, chance), (1.0 - share, 1.0 - chance)) if a > 0.0)
    bound = 2.0 * math.exp(-shots * max(0.0, entropy))
    if bound >= level:
        return None
    return f"{hits} of {shots} where {shots * chance:.1f} are to be expected (p < {bound:.0e})"

"""Which variant of Cascade a link gets: the one that reveals least, among those that are done in time.

A round trip costs twice the one-way delay whatever it carries, so a long link wants few of them and a short
one wants few revealed bits. The numbers were measured with 100 frames of 10,000 bits together, at most points
with 1,000 frames in all (``python -m benchmarks reconciliation``; docs/reconciliation.md).
"""

import msgspec
import numpy as np

from qfleet_agent.errors import ReconciliationUnusable
from qfleet_agent.qkd.reconciliation.variants import HIGHEST_RATE, Name

_RATES = (0.01, 0.02, 0.03, 0.05)
WITHIN_S = 60.0
"""How long reconciliation may take on the way, by default."""


class Cost(msgspec.Struct, frozen=True):
    """What a variant costs: revealed bits over the Shannon limit, and round trips, at some error rates."""

    name: Name
    efficiency: tuple[float, ...]
    rounds: tuple[int, ...]


COSTS = (
    Cost("thrifty", (1.071, 1.059, 1.059, 1.059), (318, 428, 746, 712)),
    Cost("option4", (1.106, 1.095, 1.085, 1.102), (118, 114, 114, 107)),
    Cost("original", (1.140, 1.156, 1.171, 1.181), (69, 72, 71, 62)),
)
"""From the fewest revealed bits to the fewest round trips."""


class Choice(msgspec.Struct, frozen=True):
    """A variant, what it will probably reveal, and how long it will be on the way."""

    name: Name
    efficiency: float
    rounds: int
    on_the_way_s: float


def chosen(rate: float, delay_s: float, *, within_s: float = WITHIN_S) -> Choice:
    """Choose for an error rate and a one-way delay; with none done in time, take the fewest round trips.

    Raises:
        ReconciliationUnusable: The rate or a time is out of range.
    """
    if not 0.0 <= rate <= HIGHEST_RATE or not 0.0 <= delay_s < np.inf or not within_s >= 0.0:
        raise ReconciliationUnusable(f"no variant for an error rate of {rate} and a delay of {delay_s} s")
    choices = [_expected(cost, rate, delay_s) for cost in COSTS]
    in_time = [choice for choice in choices if choice.on_the_way_s <= within_s]
    return (
        min(in_time, key=lambda one: one.efficiency) if in_time else min(choices, key=lambda one: one.rounds)
    )


def _expected(cost: Cost, rate: float, delay_s: float) -> Choice:
    rounds = round(float(np.interp(rate, _RATES, cost.rounds)))
    efficiency = float(np.interp(rate, _RATES, cost.efficiency))
    return Choice(cost.name, efficiency, rounds, 2.0 * delay_s * rounds)

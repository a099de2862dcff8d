"""Which method a link gets: the one that reveals least, among those that are done in time.

A round trip costs twice the one-way delay whatever it carries, so a long link wants few of them and a short
one wants few revealed bits. The numbers were measured with 100 frames of 10,000 bits together, at most points
with 1,000 frames in all (``python -m benchmarks reconciliation``; docs/reconciliation.md).
"""

from typing import Literal

import msgspec
import numpy as np

from qfleet_agent.errors import ReconciliationUnusable
from qfleet_agent.qkd.reconciliation.ldpc.plan import RATES
from qfleet_agent.qkd.reconciliation.variants import HIGHEST_RATE, Name

Method = Name | Literal["one-way"]
"""A variant of Cascade, or the codes of ``ldpc``."""
_RATES = (0.01, 0.02, 0.03, 0.05)
WITHIN_S = 60.0
"""How long reconciliation may take on the way, by default."""


class Cost(msgspec.Struct, frozen=True):
    """What a variant costs: revealed bits over the Shannon limit, and round trips, at some error rates."""

    name: Method
    efficiency: tuple[float, ...]
    rounds: tuple[int, ...]


COSTS = (
    Cost("thrifty", (1.083, 1.066, 1.064, 1.063), (318, 428, 746, 712)),
    Cost("option4", (1.118, 1.102, 1.090, 1.105), (118, 114, 114, 107)),
    Cost("original", (1.153, 1.164, 1.176, 1.184), (69, 72, 71, 62)),
)
"""From the fewest revealed bits to the fewest round trips, with the bits of confirming."""
ONE_WAY = Cost("one-way", (1.349, 1.257, 1.198, 1.157), (3, 3, 3, 2))
"""LDPC codes: messages of the sender for 64 frames in place of round trips; the first needs no question."""


class Choice(msgspec.Struct, frozen=True):
    """A variant, what it will probably reveal, and how long it will be on the way."""

    name: Method
    efficiency: float
    rounds: int
    on_the_way_s: float


def chosen(rate: float, delay_s: float, *, within_s: float = WITHIN_S, one_way: bool = False) -> Choice:
    """Choose for an error rate and a one-way delay; with none done in time, take the fewest round trips.

    Args:
        rate: error rate of the sifted bits.
        delay_s: how long a message takes one way.
        within_s: how long all messages may be on the way.
        one_way: whether LDPC codes may be taken; they have codes for the rates of ``ldpc.plan.RATES`` only.

    Raises:
        ReconciliationUnusable: The rate or a time is out of range.
    """
    if not 0.0 <= rate <= HIGHEST_RATE or not 0.0 <= delay_s < np.inf or not within_s >= 0.0:
        raise ReconciliationUnusable(f"no variant for an error rate of {rate} and a delay of {delay_s} s")
    choices = [_expected(cost, rate, delay_s) for cost in COSTS]
    if one_way and RATES[0] <= rate <= RATES[1]:
        choices.append(_expected(ONE_WAY, rate, delay_s))
    in_time = [choice for choice in choices if choice.on_the_way_s <= within_s]
    return (
        min(in_time, key=lambda one: one.efficiency) if in_time else min(choices, key=lambda one: one.rounds)
    )


def _expected(cost: Cost, rate: float, delay_s: float) -> Choice:
    rounds = round(float(np.interp(rate, _RATES, cost.rounds)))
    efficiency = float(np.interp(rate, _RATES, cost.efficiency))
    ways = 2 * rounds - (cost is ONE_WAY)
    return Choice(cost.name, efficiency, rounds, delay_s * ways)

"""The method that a link gets: by the delay of its plan, the estimated error rate and the length of the key.

Both ends know all three, so both choose the same; Alice names her choice, and Bob gives the session up where
it is not his.
"""

from qfleet_agent.qkd.exchange import oneway
from qfleet_agent.qkd.exchange.cascade import Cascade
from qfleet_agent.qkd.exchange.oneway import OneWay
from qfleet_agent.qkd.exchange.reconciling import Answerer, Corrector, Method
from qfleet_agent.qkd.quantum.apparatus import Bits
from qfleet_agent.qkd.reconciliation import choice
from qfleet_agent.qkd.reconciliation.variants import HIGHEST_RATE

LEAST_FRAMES = 4
"""Shorter keys stay with Cascade: the syndrome of a last frame that is nearly all padding is told in full."""


class ByDelay:
    """A ``reconciling.Method`` that takes the one of ``choice.chosen``.

    Args:
        delay_s: One-way delay of the plan.
        within_s: How long reconciliation may be on its way.
    """

    def __init__(self, delay_s: float, *, within_s: float = choice.WITHIN_S) -> None:
        self._delay_s = delay_s
        self._within_s = within_s

    def named(self, bits: int, error_rate: float) -> str:
        """The name of what is chosen for a key."""
        return self._of(bits, error_rate).named(bits, error_rate)

    def corrector(self, key: Bits, error_rate: float, seed: bytes) -> Corrector:
        """Bob's side."""
        return self._of(len(key), error_rate).corrector(key, error_rate, seed)

    def answerer(self, key: Bits, error_rate: float, secret: bytes) -> Answerer:
        """Alice's side."""
        return self._of(len(key), error_rate).answerer(key, error_rate, secret)

    def _of(self, bits: int, error_rate: float) -> Method:
        rate = min(error_rate, HIGHEST_RATE)
        frames = bits // oneway.laid_out(bits, rate).bits
        found = choice.chosen(rate, self._delay_s, within_s=self._within_s, one_way=frames >= LEAST_FRAMES)
        return OneWay() if found.name == "one-way" else Cascade(found.name)

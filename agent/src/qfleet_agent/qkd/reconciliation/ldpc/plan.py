"""How a one-way reconciliation is laid out for an error rate: the code, and how many of its bits are made up.

Made-up bits (punctured) stand in columns that carry no key: the sender fills them at random and the receiver
knows nothing of them, so each takes one bit off what the syndrome reveals. Where decoding fails, the sender
tells some of them, which adds one bit each: rate-compatible reconciliation (Elkouss, Martinez-Mateo, Lancho
and Martin, ITW 2010) and blind reconciliation (Martinez-Mateo, Elkouss and Martin, Quantum Inf. Comput. 12,
791 (2012)).
"""

import math

import msgspec

from qfleet_agent.errors import ReconciliationUnusable
from qfleet_agent.qkd.reconciliation.ldpc import codes

RATES = 0.005, 0.11
FRAMES = 1, 1024
STEPS = 5
"""In how many further messages all made-up bits are told."""
_FIRST = 1.10, 0.015
"""Revealed bits of the first message over the Shannon limit: a + b / h, since codes of few rows are worse."""
_LAST = 1.45, 0.025
"""The same with every made-up bit told."""


class OneWayPlan(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What both ends agree on: how many frames, and the error rate that the code is chosen for."""

    frames: int
    rate: float

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ReconciliationUnusable: It says which value, and which are possible.
        """
        if not FRAMES[0] <= self.frames <= FRAMES[1]:
            raise ReconciliationUnusable(f"{self.frames} frames: there may be {FRAMES[0]} to {FRAMES[1]}")
        if not RATES[0] <= self.rate <= RATES[1]:
            raise ReconciliationUnusable(
                f"no code for an error rate of {self.rate}: {RATES[0]} to {RATES[1]}"
            )

    @property
    def entropy(self) -> float:
        """Shannon's h of the error rate."""
        return -self.rate * math.log2(self.rate) - (1 - self.rate) * math.log2(1 - self.rate)

    @property
    def rows(self) -> int:
        """Base rows of the code."""
        # With p made-up columns: rows - p = first (COLUMNS - p) and rows = last (COLUMNS - p).
        first, last = self._revealed(_FIRST), self._revealed(_LAST)
        return math.ceil(last * codes.COLUMNS / (1.0 + last - first))

    @property
    def made_up(self) -> int:
        """How many columns carry no key."""
        first = self._revealed(_FIRST)
        wanted = (self.rows - first * codes.COLUMNS) / (1.0 - first)
        return max(1, min(round(wanted), len(codes.code(self.rows).punctured)))

    def _revealed(self, over: tuple[float, float]) -> float:
        """Revealed bits for each bit of key."""
        return over[0] * self.entropy + over[1]

    @property
    def bits(self) -> int:
        """Bits of key in a frame."""
        return (codes.COLUMNS - self.made_up) * codes.LIFT

    def told(self, step: int) -> int:
        """How many made-up columns are told after so many further messages."""
        return -(-self.made_up * step // min(STEPS, self.made_up))

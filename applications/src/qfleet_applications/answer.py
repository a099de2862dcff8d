"""A quantum answer beside its classical baseline, and one sentence that says who did better.

Every pack ends in an ``Answer``. The verdict is computed from the numbers and takes no side.
"""

import math
from dataclasses import dataclass
from typing import Literal

_SIGNIFICANT = 2.0
"""Differences below so many standard errors are called no difference."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one method found: ``value`` ± ``standard_error`` (0 if exact) in ``seconds`` of wall clock."""

    method: str
    value: float
    standard_error: float
    seconds: float

    def __str__(self) -> str:
        error = f" ± {self.standard_error:.2g}" if self.standard_error else ""
        return f"{self.value:.6g}{error} by {self.method} in {duration(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Both answers to one problem; ``goal`` says which values are better.

    The quantum states were simulated, so ``quantum.seconds`` says nothing about quantum hardware.
    """

    problem: str
    goal: Literal["higher", "lower"]
    quantum: Estimate
    classical: Estimate

    @property
    def advantage(self) -> float:
        """How much better the quantum value is, in the units of the values; negative when it is worse."""
        difference = self.quantum.value - self.classical.value
        return difference if self.goal == "higher" else -difference

    @property
    def significant(self) -> bool:
        """Whether the values differ by more than two standard errors and rounding."""
        error = math.hypot(self.quantum.standard_error, self.classical.standard_error)
        scale = max(abs(self.quantum.value), abs(self.classical.value), 1.0)
        return abs(self.advantage) > max(_SIGNIFICANT * error, _ROUNDING * scale)

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        ratio = self.quantum.seconds / self.classical.seconds if self.classical.seconds > 0 else math.inf
        pace = f"{ratio:.3g} times as long" if ratio >= 1 else f"{ratio:.2g} of the time"
        told = f"{self.quantum}; {self.classical}; the quantum method, simulated, took {pace}"
        if not self.significant:
            return f"{self.problem}: no difference in value ({told})."
        if self.advantage > 0:
            return f"{self.problem}: the quantum method did better by {self.advantage:.4g} ({told})."
        return f"{self.problem}: the classical method did better by {-self.advantage:.4g} ({told})."


def duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"

"""What work costs: the units of estimates, and which of a device's measured coefficients count.

The model itself stands in ``qfleet_wire.costs``, for devices measure by it. Estimates order and bound; they
never refuse work.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from qfleet_wire import payloads

DEFAULT = payloads.Calibration(engine="default", amplitude_ns=2.0, gate_us=2.0, shot_us=20.0)
"""A slow small board: assumed of a device that has measured nothing yet."""

SETUP_MS = 0.2
"""Decoding a work and building what it computes, per item, where that was not measured."""
TASK_MS = 5.0
"""What a task costs beside its work: journal, two messages, a worker's attention."""
BASE_BYTES = 48 * 1024 * 1024
"""What a task uses beside its states: gates, counts, the allocator's slack."""
STATE_BYTES = 16
"""An amplitude: a complex double."""


class Rates(NamedTuple):
    """Milliseconds per item, per shot of an item, and once per task."""

    item_ms: float
    shot_ms: float
    task_ms: float = 0.0

    def cost_ms(self, items: float, shots: float) -> float:
        """Time of a task of ``items`` items of ``shots`` shots each."""
        return self.task_ms + items * self.each_ms(shots)

    def each_ms(self, shots: float) -> float:
        """Time of an item of ``shots`` shots."""
        return self.item_ms + shots * self.shot_ms


class Measured(Protocol):
    """A device, or a class of devices alike, whose engines were measured."""

    @property
    def engines(self) -> tuple[payloads.Engine, ...]:
        """Engines and the kinds that they run."""

    @property
    def calibrations(self) -> tuple[payloads.Calibration, ...]:
        """What was measured, by engine."""


def calibration_of(announcement: Measured | None, kind: str) -> payloads.Calibration:
    """Return the calibration of the engine that would run ``kind``, or the default."""
    if announcement is None or not announcement.calibrations:
        return DEFAULT
    engines = {engine.name for engine in announcement.engines if kind in engine.kinds}
    measured = [entry for entry in announcement.calibrations if entry.engine in engines]
    own = [entry for entry in measured if kind in entry.kinds]
    return min(own or [entry for entry in measured if not entry.kinds], key=_speed, default=DEFAULT)


def median(weighed: Iterable[tuple[Rates, int]]) -> Rates:
    """Medians of rates that count as often as their weights say; at least one, weights above 0."""
    entries = list(weighed)
    return Rates(
        _weighted_median([(rate.item_ms, weight) for rate, weight in entries]),
        _weighted_median([(rate.shot_ms, weight) for rate, weight in entries]),
        _weighted_median([(rate.task_ms, weight) for rate, weight in entries]),
    )


def _weighted_median(entries: list[tuple[float, int]]) -> float:
    entries.sort()
    left = sum(weight for _, weight in entries) / 2.0
    for value, weight in entries:
        left -= weight
        if left <= 0.0:
            return value
    return entries[-1][0]


def _speed(calibration: payloads.Calibration) -> tuple[float, float]:
    return (calibration.amplitude_ns, calibration.gate_us)


def in_words(milliseconds: float) -> str:
    """Spell a duration for people: ``0.4 ms``, ``35 ms``, ``2.1 s``, ``12 min``."""
    for limit, divisor, unit in _UNITS.values():
        if milliseconds < limit:
            value = milliseconds / divisor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{milliseconds / 3_600_000:.1f} h"


_UNITS: Mapping[str, tuple[float, float, str]] = {
    "ms": (1_000.0, 1.0, "ms"),
    "s": (120_000.0, 1_000.0, "s"),
    "min": (7_200_000.0, 60_000.0, "min"),
}

"""How long work takes: what it does, counted (``Load``), times what a device measured (``Calibration``).

Both sides need the same words: an agent counts its samples to find its coefficients, the control plane
counts a job's tasks to predict them, so that what the counting leaves out stands in the
coefficients. With ``N`` the numbers that a step touches (2^n amplitudes of n qubits) the model is

    t = items·item + parts·part + steps·gate + passes·pass(N) + turns·turn + histories·history + draws·draw

where ``pass(N)`` is a measured curve, interpolated on logarithmic scales: caches and threads make it bend.
Estimates order and bound; they never refuse work.
"""

import itertools
import math
from collections.abc import Sequence

import msgspec

from qfleet_wire.payloads import Calibration

_LEAST = 1e-9


class Load(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a piece of work does, counted."""

    items: float = 0.0
    """Parameter points or problems that are begun."""
    parts: float = 0.0
    """Gates or terms that are prepared, at no cost in the size of the state."""
    steps: float = 0.0
    """Operations on the state, at their cost on the smallest one."""
    passes: float = 0.0
    """The same in units of a dense gate on one qubit, at their cost in the size of the state."""
    turns: float = 0.0
    """Measurements and branches that are decided, for each group of shots that decides."""
    histories: float = 0.0
    """Different histories that shots of a dynamic program end in."""
    draws: float = 0.0
    """Looks into a distribution."""

    def __add__(self, other: "Load") -> "Load":
        return Load(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def __mul__(self, factor: float) -> "Load":
        return Load(**{name: getattr(self, name) * factor for name in self.__struct_fields__})


NOTHING = Load()


def milliseconds(load: Load, elements: float, calibration: Calibration) -> float:
    """Predict a work's time on a device with this calibration; ``elements`` are the model's ``N``."""
    measured = calibration if calibration.curve else _assumed(calibration)
    return 1e-3 * (
        load.items * measured.item_us
        + load.parts * measured.part_us
        + load.steps * measured.gate_us
        + (load.passes * pass_us(measured.curve, elements) if load.passes else 0.0)
        + load.turns * measured.turn_us
        + load.histories * measured.history_us
        + load.draws * measured.draw_us
    )


def pass_us(curve: Sequence[tuple[float, float]], elements: float) -> float:
    """Microseconds of a pass over so many numbers.

    Between two measured sizes the exponent of the power law is theirs; outside of them time goes with size.
    """
    if elements <= curve[0][0]:
        return curve[0][1] * elements / curve[0][0]
    for (small, low), (large, high) in itertools.pairwise(curve):
        if elements <= large:
            share = math.log(elements / small) / math.log(large / small)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    return curve[-1][1] * elements / curve[-1][0]


def point(elements: float, microseconds: float) -> tuple[float, float]:
    """A point of a curve: never 0, so that it has a logarithm."""
    return (float(elements), max(microseconds, _LEAST * elements))


def _assumed(calibration: Calibration) -> Calibration:
    """What is taken for the rest by a device that has measured three coefficients only, or none.

    The ratios to a shot's time are those of an x86-64 machine with qulacs.
    """
    return msgspec.structs.replace(
        calibration,
        curve=(point(1.0, calibration.amplitude_ns * 1e-3),),
        item_us=10.0 * calibration.shot_us,
        part_us=calibration.shot_us,
        turn_us=calibration.shot_us,
        history_us=5.0 * calibration.shot_us,
        draw_us=0.5 * calibration.shot_us,
    )

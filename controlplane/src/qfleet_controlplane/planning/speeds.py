"""Measured speeds made coarse, so that devices of one make count as alike and their classes stay small."""

import math
from collections.abc import Sequence

from qfleet_wire import costs, payloads

MOST_POINTS = 4
"""Points of a curve that a class keeps."""
_BEND = 0.2
"""A point is kept beyond the ends when leaving it out would be wrong by so much, as a logarithm."""
_ALIKE = 1.6
"""Speeds within this factor are those of devices alike …"""
_SMALL_US = 5.0
"""… and so are times too small to matter."""
_SIZES = (2.0**8, 2.0**14, 2.0**20)
_COEFFICIENTS = ("gate_us", "item_us", "part_us", "turn_us", "history_us", "draw_us")


def rounded(calibration: payloads.Calibration, ratio: float) -> payloads.Calibration:
    """Round all coefficients to powers of ``ratio`` and thin the curve; by steps above 2 it goes."""
    curve = thinned(calibration.curve) if ratio < 2.0 else ()
    rounded_ones = {name: _step(getattr(calibration, name), ratio) for name in _COEFFICIENTS if curve}
    return payloads.Calibration(
        calibration.engine,
        _step(calibration.amplitude_ns, ratio),
        _step(calibration.gate_us, ratio),
        _step(calibration.shot_us, ratio),
        curve=tuple((size, _step(time_us, ratio)) for size, time_us in curve),
        kinds=calibration.kinds,
        **{name: value for name, value in rounded_ones.items() if name != "gate_us"},
    )


def thinned(curve: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Leave out what interpolation tells about as well, the least loss first."""
    kept = list(curve)
    while len(kept) > 2:
        losses = [
            (abs(math.log(costs.pass_us((before, after), here[0]) / here[1])), index)
            for index, (before, here, after) in enumerate(
                zip(kept, kept[1:], kept[2:], strict=False), start=1
            )
        ]
        loss, index = min(losses)
        if loss > _BEND and len(kept) <= MOST_POINTS:
            break
        del kept[index]
    return tuple(kept)


def alike(ours: Sequence[payloads.Calibration], theirs: Sequence[payloads.Calibration]) -> bool:
    """Whether two devices are about as fast with all their engines."""
    return len(ours) == len(theirs) and all(
        (mine.engine, mine.kinds, bool(mine.curve)) == (other.engine, other.kinds, bool(other.curve))
        and all(map(_near, _profile(mine), _profile(other)))
        for mine, other in zip(ours, theirs, strict=True)
    )


def _profile(calibration: payloads.Calibration) -> list[float]:
    sizes = [costs.pass_us(calibration.curve, size) for size in _SIZES] if calibration.curve else []
    found = [getattr(calibration, name) for name in _COEFFICIENTS]
    # Amplitudes and gates are told apart by their own units where there is no curve.
    return [*sizes, *found] if sizes else [1e6 * calibration.amplitude_ns, *found, calibration.shot_us]


def _near(one: float, other: float) -> bool:
    less, more = sorted((one, other))
    return more <= max(_ALIKE * less, _SMALL_US)


def _step(value: float, ratio: float) -> float:
    """Round to the nearest power of ``ratio``, three digits."""
    if not value > 0.0 or math.isinf(value):
        return 0.0
    return float(f"{ratio ** round(math.log(value, ratio)):.3g}")

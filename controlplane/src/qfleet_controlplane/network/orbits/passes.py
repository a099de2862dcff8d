"""Passes: when satellites stand above the masks of stations.

Satellites are propagated once on a grid of times, some at a time so that memory stays bounded, and compared
with all stations by two matrix products. Between grid points the orbit is the cubic through positions and
velocities (error h⁴/384 · |r⁗|: below 1 m at 10 s), by which rises, sets and culminations are refined;
SGP4 is not called again. A pass shorter than the step may be missed: at 10 s and a mask of 10° one that
culminates within about 0.02° of it, at masks near the zenith within more.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from qfleet_controlplane.network.orbits.arrays import Bools, Floats, Indices
from qfleet_controlplane.network.orbits.frames import Look, Stations, look, turned
from qfleet_controlplane.network.orbits.propagation import Orbits

STEP_S = 10.0
_AT_ONCE = 4_000_000
"""Satellite, station and time together: how many are compared at once, which takes about 60 MB."""
_FALSE_POSITIONS = 6
"""Elevation is nearly straight over a step: this many leave less than 1 ms."""
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
_SECTIONS = 13
"""A pass of ten minutes is narrowed to about a second, longer ones need more; a parabola does the rest."""
_NARROW_S = 1.0
_APART_S = 2.0


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes in order of rise, arrays of one length. Times are seconds since the epoch.

    A pass that is under way when the span begins or ends is cut there.
    """

    satellite: Indices
    station: Indices
    rise_s: Floats
    culmination_s: Floats
    set_s: Floats
    elevation_rad: Floats
    azimuth_rad: Floats
    range_km: Floats

    def __len__(self) -> int:
        return len(self.rise_s)

    def some(self, numbers: Indices) -> "Passes":
        """Return the passes of these numbers, in their sequence."""
        return Passes(**{each.name: getattr(self, each.name)[numbers] for each in fields(self)})

    def part(self, number: int, from_s: float, until_s: float) -> "Passes":
        """Return one pass alone, as if it rose and set at these times; its culmination stays."""
        one = {each.name: getattr(self, each.name)[number : number + 1] for each in fields(self)}
        return replace(Passes(**one), rise_s=np.array([from_s]), set_s=np.array([until_s]))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Some satellites on the grid, in TEME."""

    first: int
    at_s: Floats
    position: Floats
    velocity: Floats
    angle: Floats


def find(
    orbits: Orbits, stations: Stations, masks_rad: Floats, *, span_s: float, step_s: float = STEP_S
) -> Passes:
    """Find all passes between the epoch and ``span_s``; ``masks_rad`` (S,) are the least elevations.

    Raises:
        OrbitFailed: a satellite cannot be propagated.
    """
    at_s = np.append(np.arange(0.0, span_s, step_s), span_s)
    found = [
        _refined(grid, stations, masks_rad, _above(grid, stations, masks_rad))
        for grid in _grids(orbits, len(stations.up), at_s)
    ]
    return _joined(found)


def _grids(orbits: Orbits, stations: int, at_s: Floats) -> Iterator[_Grid]:
    each = max(1, _AT_ONCE // (len(at_s) * max(1, stations)))
    angle = orbits.epoch.sidereal_rad(at_s)
    for first in range(0, len(orbits.records), each):
        position, velocity = orbits.states(slice(first, first + each), at_s)
        yield _Grid(first, at_s, position, velocity, angle)


class _Coarse(NamedTuple):
    """Passes as the grid sees them: the first and the last point above the mask."""

    satellite: Indices
    station: Indices
    begins: Indices
    ends: Indices


def _above(grid: _Grid, stations: Stations, masks_rad: Floats) -> _Coarse:
    # Each satellite and station is one row of times, which begins and ends below the mask: in it a rise and
    # a set follow each other.
    above = _is_above(grid, stations, masks_rad)
    edges = np.flatnonzero(above[..., 1:] != above[..., :-1])
    row, place = np.divmod(edges, above.shape[-1] - 1)
    satellite, station = np.divmod(row[::2], len(stations.up))
    return _Coarse(satellite, station, place[::2], place[1::2] - 1)


def _is_above(grid: _Grid, stations: Stations, masks_rad: Floats) -> Bools:
    """Whether satellites stand above masks: (N, S, 1 + T + 1), false before the first time and past the last.

    In single precision, as the refinement is exact. The height over the horizon and the square of the range
    are linear in the position, its square and one, so that one product each gives them for all stations.
    """
    earth = turned(grid.position, grid.angle[None, :]).astype(np.float32)
    square = np.sum(earth * earth, axis=-1, keepdims=True)
    terms = np.concatenate([earth, square, np.ones_like(square)], axis=-1).transpose(0, 2, 1)
    places, none = stations.position_km, np.zeros((len(stations.up), 1))
    height = np.hstack([stations.up, none, -np.sum(places * stations.up, axis=1, keepdims=True)])
    away = np.hstack([-2.0 * places, none + 1.0, np.sum(places * places, axis=1, keepdims=True)])
    above = np.zeros((len(earth), len(places), len(grid.at_s) + 2), dtype=np.bool_)
    sine = np.sin(masks_rad).astype(np.float32)[:, None]
    for number, seen in enumerate(terms):
        distance = away.astype(np.float32) @ seen
        np.sqrt(np.maximum(distance, 0.0, out=distance), out=distance)
        distance *= sine
        np.greater(height.astype(np.float32) @ seen, distance, out=above[number, :, 1:-1])
    return above


def _refined(grid: _Grid, stations: Stations, masks_rad: Floats, coarse: _Coarse) -> Passes:
    seen = _Seen(grid, coarse.satellite, stations.at(coarse.station))
    last = len(grid.at_s) - 1
    mask = masks_rad[coarse.station]
    rise = np.where(coarse.begins == 0, grid.at_s[0], seen.crossing(np.maximum(coarse.begins - 1, 0), mask))
    fall = np.where(
        coarse.ends == last, grid.at_s[-1], seen.crossing(np.minimum(coarse.ends, last - 1), mask)
    )
    top = seen.culmination(rise, fall)
    how = seen.look(top)
    return Passes(
        satellite=coarse.satellite + grid.first,
        station=coarse.station,
        rise_s=rise,
        culmination_s=top,
        set_s=fall,
        elevation_rad=how.elevation_rad,
        azimuth_rad=how.azimuth_rad,
        range_km=how.range_km,
    )


class _Seen:
    """Satellites seen from stations, one of each for every pass, at any times between grid points."""

    def __init__(self, grid: _Grid, satellite: Indices, stations: Stations) -> None:
        self._grid, self._satellite, self._stations = grid, satellite, stations

    def look(self, at_s: Floats) -> Look:
        """How the satellites are seen, each at its time."""
        grid = self._grid
        place = np.clip(np.searchsorted(grid.at_s, at_s, side="right") - 1, 0, len(grid.at_s) - 2)
        step = grid.at_s[place + 1] - grid.at_s[place]
        share = ((at_s - grid.at_s[place]) / step)[:, None]
        before, after = (grid.position[self._satellite, place + each] for each in (0, 1))
        leaving, coming = (grid.velocity[self._satellite, place + each] * step[:, None] for each in (0, 1))
        position = (
            (1 + 2 * share) * (1 - share) ** 2 * before
            + share * (1 - share) ** 2 * leaving
            + share**2 * (3 - 2 * share) * after
            - share**2 * (1 - share) * coming
        )
        turn = grid.angle[place + 1] - grid.angle[place]
        angle = grid.angle[place] + share[:, 0] * np.mod(turn, 2.0 * np.pi)
        return look(self._stations, turned(position, angle))

    def crossing(self, place: Indices, mask_rad: Floats) -> Floats:
        """When the elevation crosses the mask between grid points ``place`` and the next.

        By false position in the variant of Illinois (Dowell and Jarratt, BIT 11, 168 (1971)).
        """
        low, high = self._grid.at_s[place].copy(), self._grid.at_s[place + 1].copy()
        at_low, at_high = (self.look(at).elevation_rad - mask_rad for at in (low, high))
        middle = low
        for _ in range(_FALSE_POSITIONS):
            slope = at_high - at_low
            flat = slope == 0.0
            middle = np.where(
                flat, 0.5 * (low + high), high - at_high * (high - low) / np.where(flat, 1.0, slope)
            )
            middle = np.clip(middle, np.minimum(low, high), np.maximum(low, high))
            found = self.look(middle).elevation_rad - mask_rad
            other_side = found * at_high < 0.0
            low, at_low = np.where(other_side, high, low), np.where(other_side, at_high, 0.5 * at_low)
            high, at_high = middle, found
        return middle

    def culmination(self, rise_s: Floats, set_s: Floats) -> Floats:
        """When the elevation is highest, by golden section: over a pass it rises and then falls."""
        low, high = rise_s.copy(), set_s.copy()
        longest = float((high - low).max(initial=_NARROW_S))
        sections = max(_SECTIONS, math.ceil(math.log(longest / _NARROW_S) / -math.log(_GOLDEN)))
        for _ in range(sections):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            falls = self.look(left).elevation_rad > self.look(right).elevation_rad
            low, high = np.where(falls, low, left), np.where(falls, right, high)
        return self._top(0.5 * (low + high), rise_s, set_s)

    def _top(self, near_s: Floats, rise_s: Floats, set_s: Floats) -> Floats:
        """The top of the parabola through the elevations around a time."""
        before, at, after = (self.look(near_s + apart).elevation_rad for apart in (-_APART_S, 0.0, _APART_S))
        bend = before - 2.0 * at + after
        shift = np.where(bend < 0.0, 0.5 * _APART_S * (before - after) / np.where(bend < 0.0, bend, 1.0), 0.0)
        top: Floats = np.clip(near_s + np.clip(shift, -_APART_S, _APART_S), rise_s, set_s)
        return top


def _joined(found: list[Passes]) -> Passes:
    if not found:
        none, nothing = np.empty(0, np.int64), np.empty(0)
        return Passes(none, none, *([nothing] * 6))
    fields = [np.concatenate([getattr(one, name) for one in found]) for name in Passes.__slots__]
    order = np.lexsort((fields[1], fields[0], fields[2]))
    return Passes(*(one[order] for one in fields))

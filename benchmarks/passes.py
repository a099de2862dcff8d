"""How long a day's passes take, in how much memory, and how they compare with skyfield's ``find_events``.

Each search runs alone in a process with one thread. Processor time is what the goal is measured in: the clock
also counts whatever else the machine does.
"""

import datetime as dt
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
from benchmarks import passes_sky
from benchmarks.figures import Figure, number, spread
from skyfield.api import EarthSatellite, Timescale, load, wgs84

from qfleet_controlplane.network.orbits.passes import Passes

REPEATS = 3
SMALL_GOAL_S, LARGE_GOAL_S, LARGE_GOAL_MB = 3.0, 60.0, 2048.0
DIFFERENCE_GOAL_S = 1.0
CLOSE_DEG = 0.1
"""A pass that culminates so near to the mask may be seen by one and not by the other."""
PAIRS = 24
_SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def run() -> list[Figure]:
    """The searches, and a sample of their pairs by skyfield."""
    small = [_searched("constellation") for _ in range(REPEATS)]
    large = _searched("large")
    return [
        Figure(
            what=f"a day's passes of 96 satellites over 24 stations ({small[0].passes:,}), one core",
            ours=f"{spread([each.processor_s for each in small]).text('s')} of the processor, "
            f"{number(max(each.peak_mb for each in small))} MB at the peak",
            goal=f"≤ {SMALL_GOAL_S:.0f} s",
            met=max(each.processor_s for each in small) <= SMALL_GOAL_S,
        ),
        Figure(
            what=f"a day's passes of 1,000 satellites over 100 stations ({large.passes:,}), one core",
            ours=f"{number(large.processor_s)} s of the processor ({number(large.wall_s)} s by the clock), "
            f"{number(large.peak_mb)} MB at the peak",
            goal=f"≤ {LARGE_GOAL_S:.0f} s, ≤ {LARGE_GOAL_MB / 1024:.0f} GB",
            met=large.processor_s <= LARGE_GOAL_S and large.peak_mb <= LARGE_GOAL_MB,
        ),
        *_compared(passes_sky.constellation(), min(each.processor_s for each in small)),
    ]


def _searched(name: str) -> passes_sky.Cost:
    command = [sys.executable, "-m", "benchmarks.passes_sky", name]
    said = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **_SINGLE}).stdout
    return msgspec.json.decode(said, type=passes_sky.Cost)


@dataclass(slots=True)
class _Sample:
    """Differences of rise and set in seconds, and passes that only one of both has."""

    differences_s: list[float] = field(default_factory=list)
    alone: int = 0
    processor_s: float = 0.0


def _compared(sky: passes_sky.Sky, ours_s: float) -> list[Figure]:
    found, timescale, sample = sky.find(), load.timescale(builtin=True), _Sample()
    for pair in range(PAIRS):
        # A different satellite over each station.
        _compare(sky, found, (pair * 5 % len(sky.orbits.names), pair % len(sky.sites)), sample, timescale)
    per_pair = ours_s / (len(sky.orbits.names) * len(sky.sites))
    theirs = sample.processor_s / PAIRS
    most, middle = max(sample.differences_s), float(np.median(sample.differences_s))
    return [
        Figure(
            what=f"one pair of satellite and station of it (skyfield: the mean of {PAIRS})",
            ours=f"{number(per_pair * 1e3)} ms",
            peer=f"skyfield find_events: {number(theirs * 1e3)} ms",
            ratio=f"{number(per_pair / theirs)} ×",
        ),
        Figure(
            what=f"{len(sample.differences_s):,} rises and sets of {PAIRS} pairs against skyfield, passes "
            f"that culminate within {CLOSE_DEG:g}° of the mask apart",
            ours=f"at most {number(most)} s apart, median {number(middle)} s; {sample.alone} passes that "
            "only one of both has",
            goal=f"≤ {DIFFERENCE_GOAL_S:.0f} s",
            met=most <= DIFFERENCE_GOAL_S and not sample.alone,
        ),
    ]


def _compare(
    sky: passes_sky.Sky, found: Passes, pair: tuple[int, int], sample: _Sample, timescale: Timescale
) -> None:
    """Add one pair's differences to the sample."""
    satellite, station = pair
    started = time.process_time()
    theirs = _by_skyfield(sky, satellite, station, timescale)
    sample.processor_s += time.process_time() - started
    mine = np.flatnonzero((found.satellite == satellite) & (found.station == station))
    whole = (found.rise_s[mine] > 0.0) & (found.set_s[mine] < passes_sky.DAY_S)
    clear = whole & (np.degrees(found.elevation_rad[mine]) >= passes_sky.MASK_DEG + CLOSE_DEG)
    matched = 0
    for which in mine[clear]:
        near = [one for one in theirs if one[0] < found.set_s[which] and one[1] > found.rise_s[which]]
        sample.alone += not near
        matched += bool(near)
        for rise, fall, _ in near:
            sample.differences_s += [abs(rise - found.rise_s[which]), abs(fall - found.set_s[which])]
    sample.alone += sum(top >= passes_sky.MASK_DEG + CLOSE_DEG for _, _, top in theirs) - matched


def _by_skyfield(
    sky: passes_sky.Sky, satellite: int, station: int, timescale: Timescale
) -> list[tuple[float, float, float]]:
    """Rise, set and greatest elevation of each whole pass; skyfield reports no event at a span's ends."""
    site, epoch = sky.sites[station], sky.orbits.epoch
    start = dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(
        days=float(epoch.days_since_j2000(np.zeros(1))[0])
    )
    ends = (timescale.from_datetime(start + dt.timedelta(seconds=each)) for each in (0.0, passes_sky.DAY_S))
    body = EarthSatellite.from_satrec(sky.orbits.records[satellite], timescale)
    place = wgs84.latlon(site.latitude_deg, site.longitude_deg, site.altitude_m)
    times, kinds = body.find_events(place, *ends, altitude_degrees=passes_sky.MASK_DEG)
    at = [(each.utc_datetime() - start).total_seconds() for each in times]
    tops = (body - place).at(times).altaz()[0].degrees
    return [
        (at[first], at[first + 2], float(tops[first + 1]))
        for first in range(len(at) - 2)
        if list(kinds[first : first + 3]) == [0, 1, 2]
    ]

"""Round trip of one task, from submission to result through the SDK, against Dask distributed.

Both run one no-op at a time, in turns of a hundred; the first turn of each is thrown away.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import dask_peer
from benchmarks.figures import Figure, ratios, spread
from tests.system import fleet as fleets

from qfleet import Fleet, JobRequest

TURN = 100
TURNS = 5
WORKERS = 2
GOAL_MS = 6.0
GOAL_RATIO = 0.5


def run() -> list[Figure]:
    """Measure both in turns; p50 and p95 of each turn, medians over the turns."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder), agents=WORKERS) as site,
        site.connect() as fleet,
        dask_peer.cluster(WORKERS) as client,
    ):
        ours, theirs = [], []
        for _ in range(TURNS + 1):
            ours.append(_turn(lambda _: _ours(fleet)))
            theirs.append(_turn(lambda number: dask_peer.run_one(client, number)))
    return [_figure(f"p{quantile}", quantile, ours[1:], theirs[1:]) for quantile in (50, 95)]


def _figure(name: str, quantile: int, ours: list[list[float]], theirs: list[list[float]]) -> Figure:
    mine = [_quantile(turn, quantile) for turn in ours]
    other = [_quantile(turn, quantile) for turn in theirs]
    ratio = ratios(mine, other)
    has_goal = quantile == 50
    return Figure(
        what=f"round trip of one task, {name}",
        ours=spread(mine).text("ms"),
        peer=f"Dask distributed: {spread(other).text('ms')}",
        ratio=ratio.text("×"),
        goal=f"≤ {GOAL_MS:g} ms, ≤ {GOAL_RATIO} ×" if has_goal else "",
        met=statistics.median(mine) <= GOAL_MS and ratio.median <= GOAL_RATIO if has_goal else None,
    )


def _ours(fleet: Fleet) -> None:
    fleet.run(JobRequest(kind="probe.echo", items=1), timeout_s=60)


def _turn(work: Callable[[int], None]) -> list[float]:
    """Milliseconds of each round trip of one turn."""
    durations = []
    for number in range(TURN):
        started = time.perf_counter()
        work(number)
        durations.append((time.perf_counter() - started) * 1000)
    return durations


def _quantile(durations: list[float], percent: int) -> float:
    return statistics.quantiles(durations, n=100, method="inclusive")[percent - 1]

"""Round trip of one task, from submission to result through the SDK, against Dask distributed.

Both run one no-op at a time, in turns, each warm and alone on the machine.
"""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import dask_peer
from benchmarks.figures import Figure, ratios, spread
from tests.system import fleet as fleets

from qfleet import Fleet, JobRequest

TURN = 200
TURNS = 5
WORKERS = dask_peer.WORKERS
GOAL_MS = 6.0
GOAL_RATIO = 0.5


def run() -> list[Figure]:
    """Measure both in turns; p50 and p95 of each turn, medians over the turns."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder), agents=WORKERS) as site,
        site.connect() as fleet,
    ):
        ours, theirs = [], []
        for _ in range(TURNS):
            ours.append(_turn(fleet))
            theirs.append(dask_peer.one_by_one(TURN))
    return [_figure(f"p{quantile}", quantile, ours, theirs) for quantile in (50, 95)]


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


def _turn(fleet: Fleet) -> list[float]:
    """Seconds of each round trip of one turn."""
    durations = []
    for _ in range(dask_peer.WARM_UP + TURN):
        started = time.perf_counter()
        fleet.run(JobRequest(kind="probe.echo", items=1), timeout_s=60)
        durations.append(time.perf_counter() - started)
    return durations[dask_peer.WARM_UP :]


def _quantile(durations: list[float], percent: int) -> float:
    """Milliseconds that so many per cent of the durations, given in seconds, stay below."""
    return 1000 * statistics.quantiles(durations, n=100, method="inclusive")[percent - 1]

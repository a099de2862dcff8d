"""No-op tasks per second through the whole path, sealed and durable, against Dask distributed.

One job of 2,000 echoes with two agents: HTTP API, store, plan, seal, broker, open, journal, worker,
outbox and back, until the control plane has stored every result and told the client. The peer
maps 2,000 no-ops over two worker processes and gathers them; it keeps nothing on disk and seals nothing.
"""

import tempfile
import time
from pathlib import Path

from benchmarks import dask_peer
from benchmarks.figures import Figure, number, ratios, spread
from tests.system import fleet as fleets

from qfleet import EchoResultView, Fleet, JobRequest

TASKS = 2000
WORKERS = dask_peer.WORKERS
REPEATS = 7
GOAL = 3.0


def run() -> list[Figure]:
    """Measure both in turns, each warm and alone on the machine."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder), agents=WORKERS) as site,
        site.connect() as fleet,
    ):
        _ours(fleet)
        ours, theirs = [], []
        for _ in range(REPEATS):
            started = time.perf_counter()
            _ours(fleet)
            ours.append(TASKS / (time.perf_counter() - started))
            theirs.append(TASKS / dask_peer.many(TASKS))
    ratio = ratios(ours, theirs)
    return [
        Figure(
            what=f"{TASKS:,} no-op tasks, {WORKERS} agents, all acknowledged",
            ours=spread(ours).text("tasks/s"),
            peer=f"Dask distributed, {WORKERS} processes: {spread(theirs).text('tasks/s')}",
            ratio=f"{ratio.text('×')}",
            goal=f"≥ {number(GOAL)} ×",
            met=ratio.median >= GOAL,
        )
    ]


def _ours(fleet: Fleet) -> None:
    result = fleet.run(JobRequest(kind="probe.echo", items=TASKS), timeout_s=120)
    assert isinstance(result, EchoResultView)
    assert result.items == TASKS
    assert sum(source.tasks for source in result.sources) == TASKS

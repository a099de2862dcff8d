"""Solves the items of a work and puts their means, or sums of blocks of trajectories, in order."""

import math
from collections.abc import Callable
from typing import Any

from qfleet_agent.engines.dynamics import solvers
from qfleet_agent.engines.dynamics.generator import Matrices
from qfleet_wire import workload
from qfleet_wire.workload import TRAJECTORIES_PER_BLOCK, ExpectItem, ExpectValues, Moments


def solve(
    work: workload.DynamicsSolve, *, budget: int, report: Callable[[float], None]
) -> workload.DynamicsResult:
    """Solve each item.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        ProgramFailed: a coefficient has no finite value, a rate is negative, or the solver gives up.
    """
    matrices = Matrices(work.system, budget)
    count = len(work.items)
    found = []
    for number, item in enumerate(work.items):

        def share(part: float, before: int = number) -> None:
            report((before + part) / count)

        found.append(
            _sampled(work, item, matrices, share) if item.shots else _exact(work, item, matrices, share)
        )
    return workload.DynamicsResult(tuple(found))


def _exact(
    work: workload.DynamicsSolve, item: ExpectItem, matrices: Matrices, report: Callable[[float], None]
) -> ExpectValues:
    curves = solvers.Deterministic(work.system, matrices).curves(item.parameters, report)
    return ExpectValues(item.index, (Moments(0, 0, _row(curves)),))


def _sampled(
    work: workload.DynamicsSolve, item: ExpectItem, matrices: Matrices, report: Callable[[float], None]
) -> ExpectValues:
    trajectories = solvers.Trajectories(work.system, matrices, item.parameters)
    moments = []
    for first in range(0, item.shots, TRAJECTORIES_PER_BLOCK):
        size = min(TRAJECTORIES_PER_BLOCK, item.shots - first)
        block = item.first_block + first // TRAJECTORIES_PER_BLOCK
        rows = []
        for done, seed in enumerate(
            solvers.seeds(workload.block_seed(work.seed, item.index, block), size), 1
        ):
            rows.append(_row(trajectories.curves(seed)))
            report((first + done) / item.shots)
        moments.append(_moments(block, rows))
    return ExpectValues(item.index, tuple(moments))


def _moments(block: int, rows: list[tuple[float, ...]]) -> Moments:
    """Exact sums, rounded once: they do not depend on the order of trajectories."""
    columns = list(zip(*rows, strict=True))
    return Moments(
        block,
        len(rows),
        tuple(math.fsum(column) for column in columns),
        tuple(math.fsum(value * value for value in column) for column in columns),
    )


def _row(curves: Any) -> tuple[float, ...]:
    return tuple(curves.ravel().tolist())

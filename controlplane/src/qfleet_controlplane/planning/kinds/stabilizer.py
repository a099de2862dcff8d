"""Clifford programs on a stabilizer tableau: what they cost, and how they split."""

import itertools
import math

from qfleet_controlplane.planning import cost, plan
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import costs, payloads, tableau_load
from qfleet_wire.workload import SHOTS_PER_BLOCK

ASSUMED = payloads.Calibration(
    "stim", 0.0, 0.0, 0.0, curve=((1.0, 4e-5),), item_us=500.0, part_us=20.0, draw_us=16.0
)
"""A slow small board that has measured nothing: twice what stim 1.16 takes on a core of an x86-64 server."""
_ENGINE_BYTES = 64 * 1024 * 1024
"""Stim and numpy, which are loaded by the first task."""
_TABLEAU_BITS = 16
_ROW_COPIES = 6
_ROW_BYTES = 64
_TASK_ROWS = 1 << 18
"""Distinct outcomes that a task counts at most; more shots become more tasks."""


def rates(job: Specification, calibration: payloads.Calibration) -> cost.Rates:
    """Rates of a job; a device's measured speed at state vectors says nothing of it."""
    measured = calibration if calibration.engine == ASSUMED.engine and calibration.curve else ASSUMED
    size = tableau_load.elements(job.qubits)
    item = tableau_load.of_item(job.gates, job.terms if job.observables else job.bits)
    shot = costs.NOTHING if job.observables else tableau_load.drawing(1.0, job.gates, job.bits)
    return cost.Rates(costs.milliseconds(item, size, measured), costs.milliseconds(shot, size, measured))


def memory_bytes(job: Specification) -> int:
    """Return the engine, its tableaus, and the distinct outcomes of a task."""
    tableau = _TABLEAU_BITS * job.qubits**2 // 8
    rows = min(job.items * _rows(job), _TASK_ROWS) * (_ROW_COPIES * (job.bits // 8 + 1) + _ROW_BYTES)
    return cost.BASE_BYTES + _ENGINE_BYTES + tableau + rows + 4 * len(job.program)


def split(job: Specification, fleet: Fleet, unit: str) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by points, and a point's shots by blocks where that gains time or keeps a task small.

    Every piece brings its own tableau to the end, so there are no more than leave that the smaller part.
    """
    each_ms = fleet.rates.cost_ms(1, job.shots)
    blocks = max(1, math.ceil(job.shots / SHOTS_PER_BLOCK))
    gaining = max(1, int(job.shots * fleet.rates.shot_ms / max(fleet.rates.item_ms, 1e-6)))
    number = min(plan.worth(job.items * each_ms, job.items * blocks, fleet), job.items * gaining)
    number = max(number, math.ceil(job.items * _rows(job) / _TASK_ROWS))
    if number <= job.items:
        slices = tuple(Slice(first, count, 0, job.shots) for first, count in plan.groups(job.items, number))
        grouped = [plan.grouping(job.items, unit, number, each_ms)] if job.items > 1 else []
        return slices, [measure(job, fleet), *grouped]
    pieces = min(blocks, math.ceil(number / job.items))
    each = f" for each {unit}" if job.items > 1 else ""
    slices = tuple(
        Slice(item, 1, first, min(count * SHOTS_PER_BLOCK, job.shots - first * SHOTS_PER_BLOCK))
        for item, (first, count) in itertools.product(range(job.items), plan.groups(blocks, pieces))
    )
    told = (
        f"Its {job.shots:,} shots are drawn apart, by blocks of {SHOTS_PER_BLOCK:,}: "
        f"{plan.many(pieces, 'piece')}{each}, {plan.many(len(slices), 'task')} in all."
    )
    return slices, [measure(job, fleet), told]


def _rows(job: Specification) -> int:
    """Most distinct outcomes of an item."""
    return 0 if job.observables else min(job.shots, 1 << min(job.bits, 62))


def measure(job: Specification, fleet: Fleet) -> str:
    """Say how large a program is, and how long it takes."""
    shots = f", {plan.many(job.shots, 'shot')}" if job.shots else ""
    values = f", {plan.many(len(job.observables), 'observable')}" if job.observables else ""
    return (
        f"Clifford program of {plan.many(job.qubits, 'qubit')} and {plan.many(job.gates, 'gate')}"
        f"{shots}{values}: about {cost.in_words(fleet.rates.cost_ms(1, job.shots))} for a parameter point."
    )

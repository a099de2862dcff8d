"""How a job splits into tasks, and why, in sentences.

Fixed blocks of shots and whole parameter points are the pieces; a plan only groups them, so that no
answer depends on it. It never splits where splitting costs more than it saves: a task costs
``cost.TASK_MS`` beside its work, and an ideal program would be evolved again for every piece.
"""

import itertools
import math
from typing import NamedTuple

import msgspec

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.planning import cost
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire.workload import SHOTS_PER_BLOCK

WORTH = 10
"""A task's work is at least so many times its overhead, or it is not split off."""
PIECES = 4
"""Tasks per worker, so that a slow device does not hold up the rest."""
LONGEST_MS = 60_000.0
"""Work is split further when a task would run longer: what a lost device loses."""
MOST_TASKS = 100_000
"""Tasks of one job; the books of a job stand in memory while it runs."""


class PlanRefused(InvalidRequest):
    """The job cannot be planned."""

    def __init__(self, message: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """What one task computes: items from ``first_item``, for each the same range of shots."""

    first_item: int
    items: int
    first_block: int
    shots: int


class Plan(msgspec.Struct, frozen=True):
    """The slices in order of items and blocks, and the sentences that explain them."""

    slices: tuple[Slice, ...]
    sentences: tuple[str, ...]
    items: int
    memory_bytes: int


class Fleet(NamedTuple):
    """The devices that can run the job now: how many, their workers, and the job's rates there."""

    devices: int
    workers: int
    rates: cost.Rates


def plan(job: Specification, fleet: Fleet) -> Plan:
    """Split a job over the workers of a fleet; an empty fleet counts as four workers."""
    if job.kind == "probe.echo":
        slices, sentences = _echoes(job)
    elif job.dynamic:
        slices, sentences = _by_blocks(job, fleet)
    else:
        slices, sentences = _by_items(job, fleet)
    return Plan(slices, (*sentences, _capacity(fleet)), job.items, cost.memory_bytes(job))


def _echoes(job: Specification) -> tuple[tuple[Slice, ...], list[str]]:
    if job.items > MOST_TASKS:
        raise PlanRefused(f"{job.items:,} echoes are over the limit of {MOST_TASKS:,} tasks in one job")
    slices = tuple(Slice(index, 1, 0, 0) for index in range(job.items))
    return slices, [f"{_many(job.items, 'echo', 'echoes')}: one task each."]


def _by_items(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """An ideal program: by parameter point only."""
    each_ms = fleet.rates.cost_ms(1, job.shots)
    tasks = _tasks(job.items * each_ms, job.items, fleet)
    slices = tuple(Slice(first, count, 0, job.shots) for first, count in _groups(job.items, tasks))
    sentences = [_measure(job, each_ms)]
    if job.kind == "circuit.sample" and job.shots > 0:
        sentences.append(
            f"An ideal program is not split by shots: every piece would evolve the state again "
            f"({cost.in_words(fleet.rates.item_ms)}) to save a share of "
            f"{cost.in_words(job.shots * fleet.rates.shot_ms)} of drawing."
        )
    if job.items > 1:
        sentences.append(_grouping(job.items, "parameter point", len(slices), each_ms))
    return slices, sentences


def _by_blocks(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """A program with mid-circuit control: by point, and a point's shots by blocks."""
    blocks = math.ceil(job.shots / SHOTS_PER_BLOCK)
    each_ms = fleet.rates.cost_ms(1, job.shots)
    tasks = _tasks(job.items * each_ms, job.items * blocks, fleet)
    sentences = [_measure(job, each_ms)]
    if tasks <= job.items:
        slices = tuple(Slice(first, count, 0, job.shots) for first, count in _groups(job.items, tasks))
        if blocks > 1:
            sentences.append("Its shots are not split further: that would cost more than it saves.")
        sentences.append(_grouping(job.items, "parameter point", len(slices), each_ms))
        return slices, sentences
    pieces = min(blocks, math.ceil(tasks / job.items))
    slices = tuple(
        Slice(item, 1, first, min(count * SHOTS_PER_BLOCK, job.shots - first * SHOTS_PER_BLOCK))
        for item, (first, count) in itertools.product(range(job.items), _groups(blocks, pieces))
    )
    sentences.append(
        f"The program decides by its own outcomes and runs once per shot: its {job.shots:,} shots are "
        f"split by blocks of {SHOTS_PER_BLOCK:,} into {_many(pieces, 'piece')}"
        f"{' for each parameter point' if job.items > 1 else ''}, {_many(len(slices), 'task')} in all."
    )
    return slices, sentences


def _tasks(total_ms: float, units: int, fleet: Fleet) -> int:
    """Number of tasks that ``units`` indivisible units of work are worth."""
    workers = fleet.workers or 4
    wanted = max(workers * PIECES if workers > 1 else 1, math.ceil(total_ms / LONGEST_MS))
    worth = int(total_ms / (WORTH * cost.TASK_MS))
    return max(1, min(units, wanted, worth, MOST_TASKS))


def _groups(units: int, groups: int) -> list[tuple[int, int]]:
    """``groups`` runs (first, count) of nearly equal size that cover ``range(units)``."""
    bounds = [units * index // groups for index in range(groups + 1)]
    return [(first, after - first) for first, after in itertools.pairwise(bounds)]


def _measure(job: Specification, each_ms: float) -> str:
    nature = "Program with mid-circuit control" if job.dynamic else "Ideal program"
    shots = f", {_many(job.shots, 'shot')}" if job.shots else ""
    values = f", {_many(len(job.observables), 'observable')}" if job.observables else ""
    return (
        f"{nature} of {_many(job.qubits, 'qubit')} and {_many(job.gates, 'gate')}{shots}{values}: "
        f"about {cost.in_words(each_ms)} for a parameter point on a typical device."
    )


def _grouping(units: int, what: str, tasks: int, each_ms: float) -> str:
    if tasks == 1 and units > 1:
        return (
            f"{_many(units, what)} of about {cost.in_words(each_ms)} stay together: a task of its own costs "
            f"about {cost.in_words(cost.TASK_MS)}, so splitting would cost more than it saves."
        )
    return f"{_many(units, what)}: {_many(tasks, 'task')} of up to {math.ceil(units / tasks)}."


def _capacity(fleet: Fleet) -> str:
    if fleet.devices == 0:
        return "No device that can run it is online: the tasks wait for one."
    return f"{_many(fleet.devices, 'device')} with {_many(fleet.workers, 'worker')} can run it now."


def _many(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"

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

    def __init__(
        self, message: str | None = None, hint: str = "", where: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.where = where
        """Line and column of the program that is to blame, both from 1."""


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


def worth(total_ms: float, units: int, fleet: Fleet) -> int:
    """Number of tasks that ``units`` indivisible units of work are worth."""
    workers = fleet.workers or 4
    wanted = max(workers * PIECES if workers > 1 else 1, math.ceil(total_ms / LONGEST_MS))
    gain = int(total_ms / (WORTH * (cost.TASK_MS + fleet.rates.task_ms)))
    return max(1, min(units, wanted, gain, MOST_TASKS))


def groups(units: int, number: int) -> list[tuple[int, int]]:
    """``number`` runs (first, count) of nearly equal size that cover ``range(units)``."""
    bounds = [units * index // number for index in range(number + 1)]
    return [(first, after - first) for first, after in itertools.pairwise(bounds)]


def by_items(job: Specification, fleet: Fleet, unit: str) -> tuple[tuple[Slice, ...], list[str]]:
    """Split a job by whole items only, each a ``unit`` to people."""
    each_ms = fleet.rates.each_ms(job.shots)
    number = worth(job.items * each_ms, job.items, fleet)
    slices = tuple(Slice(first, count, 0, job.shots) for first, count in groups(job.items, number))
    return slices, [grouping(job.items, unit, len(slices), each_ms)] if job.items > 1 else []


def by_blocks(job: Specification, fleet: Fleet, size: int) -> tuple[Slice, ...] | None:
    """Split each item's shots by blocks of ``size``; None when whole items are small enough."""
    blocks = math.ceil(job.shots / size)
    number = worth(job.items * fleet.rates.each_ms(job.shots), job.items * blocks, fleet)
    if number <= job.items:
        return None
    pieces = min(blocks, math.ceil(number / job.items))
    return tuple(
        Slice(item, 1, first, min(count * size, job.shots - first * size))
        for item, (first, count) in itertools.product(range(job.items), groups(blocks, pieces))
    )


def grouping(units: int, unit: str, number: int, each_ms: float) -> str:
    """Say how units were put together into so many tasks."""
    if number == 1 and units > 1:
        return (
            f"{many(units, unit)} of about {cost.in_words(each_ms)} stay together: a task of its own costs "
            f"about {cost.in_words(cost.TASK_MS)}, so splitting would cost more than it saves."
        )
    if units == number > 1:
        return f"{many(units, unit)}: a task each."
    size = f" of up to {math.ceil(units / number)}" if number > 1 else ""
    return f"{many(units, unit)}: {many(number, 'task')}{size}."


def capacity(fleet: Fleet) -> str:
    """Say who can run a job now."""
    if fleet.devices == 0:
        return "No device that can run it is online: the tasks wait for one."
    return f"{many(fleet.devices, 'device')} with {many(fleet.workers, 'worker')} can run it now."


def many(count: int, noun: str, plural: str | None = None) -> str:
    """Spell a number of things."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"

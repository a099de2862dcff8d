"""By when all that waits can be done, so that no device takes a task that would be done later there.

A slow device that is free is no help when a fast one, busy as it is, would still be the earlier. The horizon
is the least time by which the devices, each with its speed and its backlog, can have done all the
pending work if it could be divided at will. A device that would overrun it, and is not the earliest
for the task either, leaves the task pending for a faster one.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SLACK = 1.05
"""A task may end so much after the horizon: whole tasks never fit exactly."""
URGENT = 0.2
"""A task that fills so much of the time to the horizon goes first: later it would overrun it."""
WORTH_MS = 100.0
"""Tasks that are shorter everywhere are handed out without looking ahead."""


class Hands(NamedTuple):
    """A device: when a worker of it is free, how many it has, and its speed relative to the fastest."""

    wait_ms: float
    workers: int
    speed: float


def horizon_ms(hands: Iterable[Hands], work_ms: float) -> float:
    """Time by which ``work_ms`` of the fastest device's worker are done; infinite without any device."""
    rate = started = 0.0
    ordered = sorted(each for each in hands if each.speed > 0.0)
    for index, each in enumerate(ordered):
        rate += each.workers * each.speed
        started += each.workers * each.speed * each.wait_ms
        end = (work_ms + started) / rate
        if index + 1 == len(ordered) or end <= ordered[index + 1].wait_ms:
            return end
    return math.inf


def relative_speed(
    costs_ms: Sequence[float | None], least_ms: Sequence[float], counts: Sequence[int]
) -> float:
    """Speed of a device over several jobs, by what each job's task costs there and at least anywhere.

    None stands for a job that cannot run there. Each job counts by its number of tasks.
    """
    here = best = 0.0
    for cost_ms, least, count in zip(costs_ms, least_ms, counts, strict=True):
        if cost_ms is not None:
            here += count * cost_ms
            best += count * least
    return best / here if here else 0.0

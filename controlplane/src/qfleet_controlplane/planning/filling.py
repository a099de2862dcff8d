"""How many equal tasks each of several crews takes, so that all are done as early as possible.

Water-filling: raise the time until all tasks fit under it. For equal tasks that is the least
makespan over all divisions, whatever the crews' numbers and speeds are.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

_STEPS = 100
"""Halvings of the search: beyond the precision of a double."""


class Crew(NamedTuple):
    """Workers that can begin ``start_ms`` from now: pairs of a number of them and their time for a task."""

    start_ms: float
    workers: tuple[tuple[int, float], ...]

    @property
    def hands(self) -> int:
        """Number of workers."""
        return sum(count for count, _ in self.workers)


def capacity(crew: Crew, by_ms: float) -> int:
    """Tasks that a crew finishes by a time."""
    left = by_ms - crew.start_ms
    if left <= 0.0:
        return 0
    return sum(count * math.floor(left / task_ms) for count, task_ms in crew.workers)


def finish_ms(crews: Sequence[Crew], tasks: int) -> float:
    """Earliest time by which the crews finish so many tasks together; infinite without any worker."""
    return _bracket(crews, tasks)[1]


def divide(crews: Sequence[Crew], tasks: int) -> list[int]:
    """Number of tasks per crew for the earliest finish; ties go to the crew that is named first.

    The numbers add up to ``tasks`` where any crew has workers, else to 0.
    """
    before_ms, after_ms = _bracket(crews, tasks)
    if not crews or math.isinf(after_ms):
        return [0] * len(crews)
    counts = [capacity(crew, before_ms) for crew in crews]
    left = tasks - sum(counts)
    for index, crew in enumerate(crews):
        more = min(left, capacity(crew, after_ms) - counts[index])
        counts[index] += more
        left -= more
    return counts


def _bracket(crews: Sequence[Crew], tasks: int) -> tuple[float, float]:
    """Two times next to each other: by the first not all tasks are done, by the second they are."""
    able = [crew for crew in crews if crew.hands]
    if not able or tasks == 0:
        return (0.0, 0.0 if tasks == 0 else math.inf)
    before_ms, after_ms = 0.0, min(_alone_ms(crew, tasks) for crew in able)
    for _ in range(_STEPS):
        middle_ms = (before_ms + after_ms) / 2.0
        if middle_ms in {before_ms, after_ms}:
            break
        if sum(capacity(crew, middle_ms) for crew in able) >= tasks:
            after_ms = middle_ms
        else:
            before_ms = middle_ms
    return (before_ms, after_ms)


def _alone_ms(crew: Crew, tasks: int) -> float:
    """A time by which one crew alone has finished all tasks for sure."""
    fastest = min(task_ms for count, task_ms in crew.workers if count)
    return (crew.start_ms + (tasks + 1) * fastest) * (1.0 + 1e-9)

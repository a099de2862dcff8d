"""Which worker may have a task ahead of its turn."""

from collections import deque
from types import SimpleNamespace
from typing import cast

import pytest

from qfleet_agent.workers import placement
from qfleet_agent.workers.worker import Assignment, Worker
from qfleet_wire import codec, workload

ECHO = codec.encode(workload.ProbeEcho(b"x"))


def task(number: int, *, light: bool = False) -> Assignment:
    return Assignment(number, ("t", number), b"work", 1, 1.0, 0, light)


def worker(*line: Assignment, recent_s: float = 0.0, done: int = 1) -> Worker:
    return cast("Worker", SimpleNamespace(line=deque(line), recent_s=recent_s, tasks_done=done))


@pytest.mark.parametrize(
    ("recent_s", "alone", "ahead"),
    [(0.01, False, True), (0.1, False, False), (0.1, True, True), (1.0, True, False)],
)
def test_one_task_is_sent_ahead_where_tasks_are_quick(*, recent_s: float, alone: bool, ahead: bool) -> None:
    busy = worker(task(1), recent_s=recent_s)
    assert placement.takes(busy, (), task(2), alone=alone) is ahead
    assert not placement.takes(busy, (task(2),), task(3), alone=alone), "and no second one"


def test_an_idle_worker_takes_anything_and_a_new_one_nothing_ahead() -> None:
    assert placement.takes(worker(recent_s=9.0, done=0), (), task(1))
    assert not placement.takes(worker(task(1), done=0), (), task(2), alone=True)


def test_light_work_lines_up_behind_light_work_only() -> None:
    assert placement.is_light(ECHO)
    line = [task(number, light=True) for number in range(placement.LINE)]
    assert placement.takes(worker(*line[:-1]), (), line[-1])
    assert not placement.takes(worker(*line), (), task(99, light=True))
    assert not placement.takes(worker(task(1)), (), task(2, light=True))

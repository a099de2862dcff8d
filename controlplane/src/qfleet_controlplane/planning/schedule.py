"""Which device gets which task.

Jobs of higher priority go first; jobs of the same priority take turns, the oldest first. Each
task goes to the device that would finish it earliest, among those that can run it, that have not
refused it, and that have room: about ``demand.BACKLOG_MS`` of estimated work in hand, at least
one task per worker. What finds no room stays pending, and so does what a device without room would
still finish earlier (``horizon``). The scheduler sees estimates and numbers only.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from qfleet_controlplane.planning import horizon
from qfleet_controlplane.planning.demand import Choice, Demand, Slot
from qfleet_controlplane.planning.queueing import MOST_COMPARED, Queue


def schedule(
    demands: Iterable[Demand],
    slots: Iterable[Slot],
    most: int | None = None,
    crowded: Callable[[], Sequence[Slot]] = tuple,
) -> list[Choice]:
    """Choose devices for as many pending tasks as there is room for, ``most`` at most.

    ``crowded`` names devices without room, if it matters: they get nothing, but a task that one of them
    would finish earlier may wait for it. The choices come in the order of the decisions.
    """
    roomy = [slot for slot in slots if not slot.full]
    choices: list[Choice] = []
    levels: dict[int, list[Demand]] = {}
    for demand in demands:
        levels.setdefault(demand.priority, []).append(demand)
    for _, level in sorted(levels.items(), reverse=True):
        level.sort(key=_age)
        roomy = [slot for slot in roomy if not slot.full]
        if not roomy:
            break
        left = None if most is None else most - len(choices)
        queues = [Queue(demand, roomy) for demand in level]
        choices.extend(itertools.islice(_level(_look_ahead(queues, roomy, crowded)), left))
    return choices


def _age(demand: Demand) -> tuple[int, str]:
    return demand.age


def _level(queues: list[Queue]) -> Iterator[Choice]:
    """Let the jobs of one priority take turns until none finds a device."""
    while queues:
        waiting: list[Queue] = []
        for queue in queues:
            choice = queue.next()
            if choice is not None:
                yield choice
                waiting.append(queue)
        queues = waiting


def _look_ahead(
    queues: list[Queue], roomy: Sequence[Slot], crowded: Callable[[], Sequence[Slot]]
) -> list[Queue]:
    """Tell the queues by when all their tasks can be done, where tasks or ways are long enough to care.

    Returns them in the order of their turns: those first whose tasks fill much of the time that is left.
    """
    far = any(slot.reach_ms > horizon.WORTH_MS for slot in roomy)
    looking = [queue for queue in queues if queue.left and (far or queue.longest_ms > horizon.WORTH_MS)]
    if not looking:
        return queues
    everyone = [*crowded(), *roomy]
    counts = [queue.left for queue in looking]
    costs = {id(slot.able): [queue.typical_ms(slot.able) for queue in looking] for slot in everyone}
    least = [
        min((each for each in across if each is not None), default=0.0)
        for across in zip(*costs.values(), strict=True)
    ]
    speeds = {key: horizon.relative_speed(each, least, counts) for key, each in costs.items()}
    work_ms = sum(count * each for count, each in zip(counts, least, strict=True))
    hands = [horizon.Hands(slot.wait_ms, slot.workers, speeds[id(slot.able)]) for slot in everyone]
    end_ms = horizon.horizon_ms(hands, work_ms)
    for queue in looking:
        queue.look_ahead(end_ms, everyone[:MOST_COMPARED])
    urgent = sorted((-each, index) for index, each in enumerate(least) if each > horizon.URGENT * end_ms)
    first = [looking[index] for _, index in urgent]
    return [*first, *(queue for queue in queues if queue not in first)]

"""One job's pending tasks, and the devices that are open to them."""

import heapq
import math
from collections.abc import Iterable, Sequence

from qfleet_controlplane.planning import cost, horizon, kinds
from qfleet_controlplane.planning.demand import Candidate, Choice, Demand, Known, Slot
from qfleet_controlplane.planning.needs import Worker, lacks

MOST_COMPARED = 256
"""Devices that a task is compared on."""
_MOST_DEFERRED = 16
"""Tasks of a job that are looked at in vain before the next job has its turn."""


class Queue:
    """One job's pending tasks and the devices open to them, soonest free first."""

    __slots__ = ("_compared", "_demand", "_end_ms", "_heap", "_known", "_tasks")

    def __init__(self, demand: Demand, slots: Iterable[Slot]) -> None:
        self._demand = demand
        self._tasks = iter(demand.pending)
        self._known: Known = {} if demand.known is None else demand.known
        self._heap: list[tuple[float, int, Slot]] = []
        self._end_ms = math.inf
        self._compared: Sequence[Slot] = ()
        for index, slot in enumerate(slots):
            if self._rates(slot.able) is not None:
                self._heap.append((self._finish(slot), index, slot))
        heapq.heapify(self._heap)

    @property
    def left(self) -> int:
        """Tasks that wait, as far as they want to be looked ahead for."""
        return self._demand.left

    @property
    def longest_ms(self) -> float:
        """Time of a usual task where that is longest."""
        sizes = self._demand.typical
        known = (rates for _, rates in self._known.values())
        return max((rates.cost_ms(*sizes) for rates in known if rates is not None), default=0.0)

    def typical_ms(self, able: Worker) -> float | None:
        """Time of a usual task on such a device; None where the job cannot run."""
        rates = self._rates(able)
        return None if rates is None else rates.cost_ms(*self._demand.typical)

    def look_ahead(self, end_ms: float, everyone: Sequence[Slot]) -> None:
        """Leave tasks that would end after ``end_ms`` to a device that is earlier, with room or without."""
        self._end_ms = end_ms * horizon.SLACK
        self._compared = [slot for slot in everyone if self._rates(slot.able) is not None]

    def next(self) -> Choice | None:
        """Choose for the next task that any device can take; None when no more can be placed."""
        deferred = 0
        while self._heap and deferred <= _MOST_DEFERRED:
            task = next(self._tasks, None)
            if task is None:
                return None
            choice = self._place(task)
            if choice is not None:
                return choice
            deferred += self._end_ms < math.inf
        return None

    def _rates(self, able: Worker) -> cost.Rates | None:
        """Rates on such a device; None where the job cannot run."""
        found = self._known.get(id(able))
        if found is None:
            wanted, job = self._demand.requirement, self._demand.specification
            fits = lacks(wanted, able) is None
            rates = kinds.rates(job, cost.calibration_of(able, wanted.kind)) if fits else None
            found = self._known[id(able)] = (able, rates)
        return found[1]

    def _place(self, task: Candidate) -> Choice | None:
        aside: list[tuple[float, int, Slot]] = []
        choice = None
        while self._heap:
            known, index, slot = self._heap[0]
            finish = self._finish(slot)
            if slot.full:
                heapq.heappop(self._heap)
            elif finish > known:
                heapq.heapreplace(self._heap, (finish, index, slot))
            elif slot.name in task.barred:
                aside.append(heapq.heappop(self._heap))
            else:
                cost_ms = self._cost_ms(slot, task)
                if self._earlier_elsewhere(task, slot.wait_ms + cost_ms):
                    break
                slot.take(cost_ms)
                heapq.heapreplace(self._heap, (self._finish(slot), index, slot))
                choice = Choice(task, slot.name, cost_ms)
                break
        for entry in aside:
            heapq.heappush(self._heap, entry)
        return choice

    def _earlier_elsewhere(self, task: Candidate, finish_ms: float) -> bool:
        """Whether a device without room now is the better one to wait for."""
        return finish_ms > self._end_ms and any(
            slot.wait_ms + self._cost_ms(slot, task) < finish_ms
            for slot in self._compared
            if slot.name not in task.barred
        )

    def _cost_ms(self, slot: Slot, task: Candidate) -> float:
        rates = self._rates(slot.able)
        assert rates is not None, "only devices that can run the job are looked at"
        return rates.cost_ms(*self._demand.size(task))

    def _finish(self, slot: Slot) -> float:
        """When the device would finish a usual task of this job, if it were given one now."""
        return slot.wait_ms + (self.typical_ms(slot.able) or 0.0)

"""Who would run which task of a plan, and how long that would take: predictions for people, not promises.

Each task goes to the device that would finish it earliest, as the scheduler would hand it out, were
nothing else submitted and every estimate right. That copies of a task go to different devices is left out.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from qfleet_controlplane.planning import cost, kinds, needs
from qfleet_controlplane.planning.plan import Plan, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api
from qfleet_wire.workload import SHOTS_PER_BLOCK


class Hand(NamedTuple):
    """A device with what it has in hand, or ``number`` devices alike; ``region`` is where it is."""

    device: str
    region: str
    able: needs.Worker
    wait_ms: float = 0.0
    number: int = 1


class Forecast(NamedTuple):
    """The part of some devices in a plan."""

    devices: tuple[api.PlannedDevice, ...]
    tasks: tuple[api.PlannedTask, ...]
    work_ms: float


def forecast(job: Specification, planned: Plan, positions: Iterable[int], hands: Sequence[Hand]) -> Forecast:
    """Hand the tasks at ``positions`` out to ``hands``; nobody able leaves them without a device."""
    needed = needs.requirement(job)
    found = [_Part(job, planned, hand) for hand in hands if needs.lacks(needed, hand.able) is None]
    without = [
        api.PlannedDevice(hand.device, hand.region, number=hand.number, lacks=reason)
        for hand in hands
        if (reason := needs.lacks(needed, hand.able)) is not None
    ]
    if not any(part.workers for part in found):
        return Forecast((*(part.view() for part in found), *without), (), 0.0)
    heap = [
        (part.wait_ms + part.usual_ms, index, worker, part.wait_ms)
        for index, part in enumerate(found)
        for worker in range(min(part.workers, len(planned.slices)))
    ]
    heapq.heapify(heap)
    tasks: list[api.PlannedTask] = []
    work_ms = 0.0
    for position in positions:
        _, index, worker, start_ms = heap[0]
        part, piece = found[index], planned.slices[position]
        run_ms, end_ms = part.take(piece, start_ms)
        heapq.heapreplace(heap, (end_ms + part.usual_ms, index, worker, end_ms))
        work_ms += run_ms
        if len(tasks) < api.MOST_PLANNED:
            tasks.append(_task(position, piece, part.hand.device, start_ms, run_ms))
    return Forecast((*(part.view() for part in found), *without), tuple(tasks), work_ms)


def view(
    job: Specification, planned: Plan, placement: Sequence[str], parts: Sequence[Forecast]
) -> api.PlanView:
    """Put the parts of all regions together."""
    devices = [device for part in parts for device in part.devices]
    tasks = sorted((task for part in parts for task in part.tasks), key=_position)
    busy = [device.finish_ms for device in devices if device.tasks]
    return api.PlanView(
        kind=job.kind,
        method=job.method,
        items=job.items,
        shots=job.shots,
        task_count=len(planned.slices),
        memory_bytes=planned.memory_bytes,
        result_bytes=sum(kinds.result_bytes(job, piece) for piece in planned.slices),
        work_ms=sum(part.work_ms for part in parts),
        finish_ms=max(busy, default=None),
        sentences=planned.sentences,
        placement=tuple(placement),
        devices=tuple(sorted(devices, key=_most)),
        tasks=tuple(tasks[: api.MOST_PLANNED]),
    )


class _Part:
    """What a device takes, while it is handed out."""

    def __init__(self, job: Specification, planned: Plan, hand: Hand) -> None:
        self.hand = hand
        self.workers = max(0, hand.able.workers) * hand.number
        self.wait_ms = hand.wait_ms
        self._calibration = cost.calibration_of(hand.able, job.capability)
        self._rates = kinds.rates(job, self._calibration)
        first = planned.slices[0]
        self.usual_ms = cost.TASK_MS + self._rates.cost_ms(first.items, first.shots)
        self._tasks = 0
        self._finish_ms = 0.0

    def take(self, piece: Slice, start_ms: float) -> tuple[float, float]:
        """Take a task; return how long it runs, and when it is back."""
        run_ms = self._rates.cost_ms(piece.items, piece.shots)
        end_ms = start_ms + cost.TASK_MS + run_ms
        self._tasks += 1
        self._finish_ms = max(self._finish_ms, end_ms)
        return run_ms, end_ms

    def view(self) -> api.PlannedDevice:
        """The part as people see it."""
        measured = self._calibration is not cost.DEFAULT
        return api.PlannedDevice(
            device=self.hand.device,
            region=self.hand.region,
            number=self.hand.number,
            workers=self.workers,
            tasks=self._tasks,
            task_ms=self.usual_ms - cost.TASK_MS,
            wait_ms=self.wait_ms,
            finish_ms=self._finish_ms,
            task_memory_bytes=self.hand.able.task_memory_bytes,
            engine=self._calibration.engine if measured else "",
            measured=measured,
        )


def _task(position: int, piece: Slice, device: str, start_ms: float, run_ms: float) -> api.PlannedTask:
    return api.PlannedTask(
        position=position,
        first_item=piece.first_item,
        items=piece.items,
        first_shot=piece.first_block * SHOTS_PER_BLOCK,
        shots=piece.shots,
        device=device,
        start_ms=start_ms,
        run_ms=run_ms,
    )


def _position(task: api.PlannedTask) -> int:
    return task.position


def _most(device: api.PlannedDevice) -> tuple[bool, int, str, str]:
    return (bool(device.lacks), -device.tasks, device.region, device.device)


def of_class(region: str, number: int, able: needs.Worker, wait_ms: float) -> Hand:
    """Devices alike of a region, which are known by number only."""
    return Hand(f"{number:,} alike" if number > 1 else "1 device", region, able, wait_ms, number)

"""What a job would become: its tasks, who would run them, and how long that is predicted to take."""

import msgspec

from qfleet_wire.api.jobs import JobKind

MOST_PLANNED = 1000
"""Tasks that a plan lists one by one."""


class PlannedTask(msgspec.Struct, frozen=True):
    """A task, where it would run if it were handed out now, and its prediction.

    ``start_ms`` counts from now; ``run_ms`` is the engine's time, without the way there and back.
    """

    position: int
    first_item: int
    items: int
    first_shot: int
    shots: int
    device: str
    start_ms: float
    run_ms: float


class PlannedDevice(msgspec.Struct, frozen=True):
    """A device, or ``number`` devices alike of a region that is led elsewhere, and its part of a plan.

    ``task_ms`` is predicted for a usual task there, ``wait_ms`` what is in hand before it, ``finish_ms``
    when its part is done. ``measured`` says that the engine's speed was measured there, not assumed.
    ``lacks`` says why it gets nothing.
    """

    device: str
    region: str
    number: int = 1
    workers: int = 0
    tasks: int = 0
    task_ms: float = 0.0
    wait_ms: float = 0.0
    finish_ms: float = 0.0
    task_memory_bytes: int = 0
    engine: str = ""
    measured: bool = False
    lacks: str = ""


class PlanView(msgspec.Struct, frozen=True):
    """A plan that nobody has submitted.

    ``sentences`` say how the job splits and why so, ``placement`` which regions get what. ``memory_bytes``
    is what each task needs, ``result_bytes`` what all results take at most. ``work_ms`` adds the tasks'
    times up, ``finish_ms`` is when the last one ends, None while no device could begin. ``tasks`` are the
    first ``MOST_PLANNED`` of ``task_count``.
    """

    kind: JobKind
    method: str
    items: int
    shots: int
    task_count: int
    memory_bytes: int
    result_bytes: int
    work_ms: float
    finish_ms: float | None
    sentences: tuple[str, ...]
    placement: tuple[str, ...]
    devices: tuple[PlannedDevice, ...]
    tasks: tuple[PlannedTask, ...]

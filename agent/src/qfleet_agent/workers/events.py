"""What the pool tells its owner about the tasks that were submitted to it."""

from typing import Literal, TypeAlias

import msgspec

TaskKey: TypeAlias = tuple[str, int]
"""(task, attempt)."""

FailureKind = Literal["error", "invalid", "engine", "memory", "time", "crash", "closed"]
"""``error``: the engine raised; ``invalid``: the work does not decode or breaks a rule;
``engine``: its engine is not installed; ``memory``: over its memory limit; ``time``: over its time
limit; ``crash``: the worker died otherwise; ``closed``: the pool was closed before it ended."""


class Started(msgspec.Struct, frozen=True):
    """A worker has begun the task. Not sent for tasks that end at once (``probe.echo``)."""

    key: TaskKey


class Progress(msgspec.Struct, frozen=True):
    """Share of the task that is done, 0 to 1."""

    key: TaskKey
    fraction: float


class Finished(msgspec.Struct, frozen=True):
    """The task ended well; ``body`` is an encoded ``workload.WorkResult``."""

    key: TaskKey
    body: bytes
    engine: str
    engine_version: str
    seed: int
    """The job's seed, 0 for work that draws no random numbers."""
    duration_ms: float


class Failed(msgspec.Struct, frozen=True):
    """The task ended without a result; ``reason`` says why, with the numbers."""

    key: TaskKey
    kind: FailureKind
    reason: str


class Cancelled(msgspec.Struct, frozen=True):
    """The task was cancelled before it ended; nothing of it runs any more."""

    key: TaskKey


Event: TypeAlias = Started | Progress | Finished | Failed | Cancelled
"""For each submitted key exactly one of ``Finished``, ``Failed`` and ``Cancelled`` comes, last."""

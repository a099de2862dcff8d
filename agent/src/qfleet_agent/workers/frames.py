"""The frames between the agent and a worker: a 4-byte big-endian length, then a MessagePack array.

One ordered stream socket; the agent may send the next task before it has read the last answer,
and a worker answers in order. It never holds a key or a name: a task is a number here.
"""

from typing import TypeAlias, TypeVar

import msgspec

from qfleet_agent import framing
from qfleet_agent.workers.errors import FrameInvalid
from qfleet_agent.workers.events import FailureKind

MAX_BYTES = 512 * 1024 * 1024
"""Longest frame: above the wire's largest artefact."""


class Task(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Agent to worker: run this encoded work. ``light`` work answers at once and is not announced."""

    number: int
    work: bytes
    memory_bytes: int
    light: bool


class Ready(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="r"):
    """Worker to agent: engines are imported, tasks may come."""


class Begun(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="b"):
    """The task runs from now on."""

    number: int


class Share(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="s"):
    """Share of the task that is done, 0 to 1."""

    number: int
    fraction: float


class Done(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="d"):
    """The task ended well; ``body`` is an encoded ``workload.WorkResult``."""

    number: int
    body: bytes
    engine: str
    version: str
    seed: int
    duration_ms: float


class Broken(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="x"):
    """The task ended without a result, and the worker lives on."""

    number: int
    kind: FailureKind
    reason: str


Answer: TypeAlias = Ready | Begun | Share | Done | Broken
T = TypeVar("T")

encode = framing.encode


class Splitter(framing.Splitter[T]):
    """Cuts a stream into frames of one kind, given as ``Task`` or ``Answer``."""

    def __init__(self, kind: type[T]) -> None:
        super().__init__(kind, MAX_BYTES, FrameInvalid)

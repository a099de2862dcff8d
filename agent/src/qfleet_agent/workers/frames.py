"""The frames between the agent and a worker: a 4-byte big-endian length, then a MessagePack array.

One ordered stream socket; the agent may send the next task before it has read the last answer,
and a worker answers in order. It never holds a key or a name: a task is a number here.
"""

from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar

import msgspec

from qfleet_agent.workers.errors import FrameInvalid
from qfleet_agent.workers.events import FailureKind

MAX_BYTES = 512 * 1024 * 1024
"""Longest frame: above the wire's largest artefact."""

_LENGTH = 4


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

_encoder = msgspec.msgpack.Encoder()


def encode(frame: msgspec.Struct) -> bytes:
    """Return a frame with its length in front."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH, "big") + body


class Splitter(Generic[T]):
    """Cuts a stream into frames of one kind, given as ``Task`` or ``Answer``."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._held = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> Iterator[T]:
        """Add bytes and yield the frames that are complete.

        Raises:
            FrameInvalid: the length is over the limit, or the body is no frame.
        """
        self._held += data
        while (frame := self._next()) is not None:
            yield frame
        if self._at:
            del self._held[: self._at]
            self._at = 0

    def _next(self) -> T | None:
        start = self._at + _LENGTH
        if len(self._held) < start:
            return None
        end = start + int.from_bytes(self._held[self._at : start], "big")
        if end - start > MAX_BYTES:
            raise FrameInvalid(f"frame of {end - start} bytes is over the limit of {MAX_BYTES}")
        if len(self._held) < end:
            return None
        body = bytes(memoryview(self._held)[start:end])
        self._at = end
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise FrameInvalid(f"not a frame: {error}") from error

"""Frames on a local stream: a 4-byte big-endian length, then a MessagePack array."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

_LENGTH = 4
_encoder = msgspec.msgpack.Encoder()


def encode(frame: msgspec.Struct) -> bytes:
    """Return a frame with its length in front."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH, "big") + body


class Splitter(Generic[T]):
    """Cuts a stream into frames of one kind, none longer than ``most`` bytes."""

    def __init__(self, kind: Any, most: int, error: type[Exception]) -> None:
        """``kind`` is a struct or a union of tagged ones; ``error`` is what wrong bytes raise."""
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._most = most
        self._error = error
        self._held = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> Iterator[T]:
        """Add bytes and yield the frames that are complete.

        Raises:
            Exception: of the kind that was given: the length is over the limit, or the body is no frame.
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
        if end - start > self._most:
            raise self._error(f"frame of {end - start} bytes is over the limit of {self._most}")
        if len(self._held) < end:
            return None
        body = bytes(memoryview(self._held)[start:end])
        self._at = end
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise self._error(f"not a frame: {error}") from error

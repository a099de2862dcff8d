"""The one codec: typed structs to MessagePack and back, within limits.

Decoding raises ``InvalidMessage`` or ``LimitExceeded`` and nothing else, whatever the bytes.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec

from qfleet_wire.errors import InvalidMessage, LimitExceeded
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Batch, Down, Unsupported, Up

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


class _Tagged(msgspec.Struct):
    type: str


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def encode(message: msgspec.Struct) -> bytes:
    """Encode one struct."""
    return _encoder.encode(message)


def decode(data: bytes | msgspec.Raw, kind: type[T], *, limit: int = LIMITS.frame_bytes) -> T:
    """Decode ``data`` as ``kind`` (a struct type or a union of tagged ones).

    Raises:
        LimitExceeded: more than ``limit`` bytes, or nested too deeply.
        InvalidMessage: anything else that is wrong with the bytes.
    """
    message: T = _decode(data, kind, limit)
    return message


def _decode(data: bytes | msgspec.Raw, kind: Any, limit: int = LIMITS.frame_bytes) -> Any:
    if memoryview(data).nbytes > limit:
        raise LimitExceeded(f"message of {memoryview(data).nbytes} bytes is over the limit of {limit}")
    try:
        return _decoder(kind).decode(data)
    except RecursionError as error:
        raise LimitExceeded("message is nested too deeply") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidMessage(f"not a valid {getattr(kind, '__name__', 'message')}: {error}") from error


def pack(items: Iterable[msgspec.Struct], *, epoch: int, sent: Millis) -> bytes:
    """Encode payloads as one batch, the plaintext of a sealed message."""
    return encode(Batch(epoch=epoch, sent=sent, items=tuple(msgspec.Raw(encode(item)) for item in items)))


def unpack_up(data: bytes) -> tuple[Batch, list[Up]]:
    """Decode a batch from a device; items that do not decode become ``Unsupported``."""
    batch = _batch(data)
    return batch, [_item(raw, Up) for raw in batch.items]


def unpack_down(data: bytes) -> tuple[Batch, list[Down]]:
    """Decode a batch from a controller; items that do not decode become ``Unsupported``."""
    batch = _batch(data)
    return batch, [_item(raw, Down) for raw in batch.items]


def _batch(data: bytes) -> Batch:
    batch = decode(data, Batch)
    if len(batch.items) > LIMITS.batch_items:
        raise LimitExceeded(f"batch of {len(batch.items)} items is over the limit of {LIMITS.batch_items}")
    return batch


def _item(raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return _decode(raw, kind)
    except (InvalidMessage, LimitExceeded):
        return Unsupported(kind=_kind_of(raw))


def _kind_of(raw: msgspec.Raw) -> str:
    try:
        return decode(raw, _Tagged).type[:64]
    except (InvalidMessage, LimitExceeded):
        return "?"

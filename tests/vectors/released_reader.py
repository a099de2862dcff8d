"""Reads messages of another version with the ``qfleet_wire`` that this interpreter has, and says what it saw.

Input: JSON with ``up`` and ``down``, each a batch in base64, and ``frames``: name to [topic, base64].
Output: JSON of the same keys; a payload as plain values with its kind, a frame as the door's verdict.
"""

import base64
import json
import sys
from typing import Any

import msgspec

from qfleet_wire import codec, door


def batch(unpack: Any, text: str) -> list[Any]:
    """The items of a batch, each as plain values."""
    _, items = unpack(base64.b64decode(text))
    return [json.loads(msgspec.json.encode(_plain(item))) for item in items]


def frame(topic: str, text: str) -> str:
    """What the door says of a frame."""
    got = door.read(topic, base64.b64decode(text))
    return type(got).__name__ if not isinstance(got, door.Rejected) else f"Rejected: {got.reason}"


def _plain(item: Any) -> Any:
    if isinstance(item, msgspec.Raw):
        return msgspec.msgpack.decode(item)
    if isinstance(item, msgspec.Struct):
        named = {name: _plain(getattr(item, name)) for name in item.__struct_fields__}
        return {**named, "type": item.__struct_config__.tag}
    if isinstance(item, tuple):
        return [_plain(one) for one in item]
    return item


if __name__ == "__main__":
    given = json.load(sys.stdin)
    seen = {
        "up": batch(codec.unpack_up, given["up"]),
        "down": batch(codec.unpack_down, given["down"]),
        "frames": {name: frame(*where) for name, where in given["frames"].items()},
    }
    json.dump(seen, sys.stdout)

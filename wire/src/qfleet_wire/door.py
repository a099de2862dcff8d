"""The one door through which bytes from the network come in.

Every MQTT message passes ``read``: limits first, then the topic, then the kind of frame that this
topic may carry, then its outer layer. It never raises, whatever the bytes; what it rejects is
counted and dropped. Nothing that comes out is verified yet: signatures, proofs and envelopes are
opened by ``channel`` from the raw ``payload``.
"""

from enum import StrEnum, unique
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from qfleet_wire.channel import frames, session
from qfleet_wire.channel.frames import Kind
from qfleet_wire.errors import InvalidTopic, Refused
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, Topic, parse_topic


@unique
class Reason(StrEnum):
    """Why a message was rejected, for counters."""

    TOPIC = "topic"
    """The topic is not one of qfleet's."""
    SIZE = "size"
    """Over the limit of its kind, or too short for it."""
    KIND = "kind"
    """No frame, or one that this topic does not carry."""
    CONTENT = "content"
    """The outer layer does not decode."""
    RESERVED = "reserved"
    """Device-to-device messages, which this version does not speak."""


class Rejected(NamedTuple):
    """A message that goes no further; ``text`` is for logs."""

    reason: Reason
    text: str


class Frame(NamedTuple):
    """A frame whose outer layer is well formed, and the topic it came on. Unverified."""

    kind: Kind
    topic: DeviceTopic
    payload: bytes

    @property
    def region(self) -> RegionName:
        """Region of the topic."""
        return self.topic.region

    @property
    def device(self) -> DeviceName:
        """Device of the topic."""
        return self.topic.device


class Presence(NamedTuple):
    """A last will or its opposite: a hint, never a proof."""

    topic: DeviceTopic
    online: bool


class Record(NamedTuple):
    """A retained authority record; ``authority.read_record`` checks it against a hash."""

    topic: AuthorityTopic
    payload: bytes


Received: TypeAlias = Frame | Presence | Record | Rejected

_CARRIES: Final[dict[Channel, frozenset[Kind]]] = {
    Channel.ENROL: frozenset({Kind.ENROL_REQUEST, Kind.ENROL_ANSWER, Kind.REFUSAL}),
    Channel.HELLO: frozenset({Kind.HELLO, Kind.RESUME}),
    Channel.UP: frozenset({Kind.SEALED}),
    Channel.DOWN: frozenset({Kind.ANSWER, Kind.RESUME_ANSWER, Kind.CALL, Kind.REFUSAL, Kind.SEALED}),
}
_SEALED: Final = int(Kind.SEALED)
_topic = lru_cache(maxsize=4096)(parse_topic)


def read(topic: str, payload: bytes) -> Received:
    """Turn a message from the broker into something typed, or say why not. Never raises."""
    if len(payload) > LIMITS.frame_bytes:
        return Rejected(Reason.SIZE, f"payload of {len(payload)} bytes")
    try:
        parsed: Topic = _topic(topic)
    except InvalidTopic as error:
        return Rejected(Reason.TOPIC, str(error))
    if isinstance(parsed, AuthorityTopic):
        return _record(parsed, payload)
    if parsed.channel is Channel.PRESENCE:
        return _presence(parsed, payload)
    if parsed.channel is Channel.PEER:
        return Rejected(Reason.RESERVED, "device-to-device messages are not spoken yet")
    return _frame(parsed, payload)


def _frame(topic: DeviceTopic, payload: bytes) -> Frame | Rejected:
    first = payload[0] if payload else None
    if first not in _CARRIES[topic.channel]:
        return Rejected(Reason.KIND, f"frame kind {first} on topic {topic.channel}")
    if first == _SEALED:
        if len(payload) < session.OVERHEAD:
            return Rejected(Reason.SIZE, f"envelope of {len(payload)} bytes")
        return Frame(Kind.SEALED, topic, payload)
    if len(payload) > LIMITS.hello_bytes:
        return Rejected(Reason.SIZE, f"unsealed frame of {len(payload)} bytes")
    kind = Kind(first)
    try:
        frames.read(payload, frames.TYPES[kind])
    except Refused as error:
        return Rejected(Reason.CONTENT, str(error))
    return Frame(kind, topic, payload)


def _presence(topic: DeviceTopic, payload: bytes) -> Presence | Rejected:
    if len(payload) > LIMITS.presence_bytes:
        return Rejected(Reason.SIZE, f"presence of {len(payload)} bytes")
    return Presence(topic, online=payload == b"online")


def _record(topic: AuthorityTopic, payload: bytes) -> Record | Rejected:
    if not 0 < len(payload) <= LIMITS.hello_bytes:
        return Rejected(Reason.SIZE, f"authority record of {len(payload)} bytes")
    return Record(topic, payload)

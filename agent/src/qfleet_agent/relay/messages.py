"""What the devices of a relay say to each other, each over the sealed path between two of them.

Any may come twice, late, or never.
"""

from typing import Annotated, TypeAlias

import msgspec

from qfleet_agent.relay.errors import RelayMisused, RelayRefused
from qfleet_agent.relay.route import MOST_BYTES, Plan
from qfleet_wire.channel import xwing

_MOST_MESSAGE_BYTES = MOST_BYTES + 8192

Relay = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Pad = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class Opening(msgspec.Struct, frozen=True, tag="opening"):
    """Source to target: the relay, and the source's public key for it."""

    plan: Plan
    public: Annotated[
        bytes, msgspec.Meta(min_length=xwing.PUBLIC_KEY_BYTES, max_length=xwing.PUBLIC_KEY_BYTES)
    ]


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """Target to source: it waits for what comes along the route. No pad is used up before."""

    relay: Relay


class Hop(msgspec.Struct, frozen=True, tag="hop"):
    """Node ``at`` of the route to the next: the secret under the pad of that name."""

    plan: Plan
    at: Annotated[int, msgspec.Meta(ge=0, le=31)]
    pad: Pad
    covered: bytes
    tag: bytes


class Arrived(msgspec.Struct, frozen=True, tag="arrived"):
    """Target to source: the key is durable here, made with this ciphertext; a proof that it is right."""

    relay: Relay
    ciphertext: Annotated[
        bytes, msgspec.Meta(min_length=xwing.CIPHERTEXT_BYTES, max_length=xwing.CIPHERTEXT_BYTES)
    ]
    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """Source to target: the key is durable here, too, and may be used."""

    relay: Relay


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """This end has no key of the relay, and never will."""

    relay: Relay
    why: Annotated[str, msgspec.Meta(max_length=200)]


Message: TypeAlias = Opening | Opened | Hop | Arrived | Settled | Gone

_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(
    Opening | Opened | Hop | Arrived | Settled | Gone
)


def encode(message: Message) -> bytes:
    """Write a message."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes) -> Message:
    """Read a message. Raises ``RelayRefused``."""
    if len(data) > _MOST_MESSAGE_BYTES:
        raise RelayRefused(f"a message of a relay has {len(data)} bytes")
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RelayMisused, RecursionError) as error:
        raise RelayRefused(f"a message of a relay does not decode: {error}") from error


def relay_of(message: Message) -> bytes:
    """Return the relay that a message belongs to."""
    return message.plan.relay if isinstance(message, Opening | Hop) else message.relay

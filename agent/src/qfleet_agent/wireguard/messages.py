"""What the two rotators of a tunnel say to each other: key IDs, never keys.

The leader asks, the follower answers. Each question may be asked again, and gets an answer that holds.
"""

from typing import Annotated, TypeAlias

import msgspec

from qfleet_agent.errors import RotationRefused

MOST_BYTES = 1024
"""Of one message with its line feed."""

KeyId = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]


class Offer(msgspec.Struct, frozen=True, tag="offer"):
    """The leader has a key of this ID: does the follower get it, too?"""

    key_id: KeyId


class Use(msgspec.Struct, frozen=True, tag="use"):
    """The leader's interface has the key: the follower's shall have it, too."""

    key_id: KeyId


class Have(msgspec.Struct, frozen=True, tag="have"):
    """The follower has the key, or its interface has it already."""

    key_id: KeyId


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The follower's interface has the key."""

    key_id: KeyId


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """The follower does not have the key and will not get it: another one is needed."""

    key_id: KeyId


class Later(msgspec.Struct, frozen=True, tag="later"):
    """The follower could not do it now: ask again."""

    key_id: KeyId


Question: TypeAlias = Offer | Use
Answer: TypeAlias = Have | Done | Lost | Later

_QUESTIONS: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Offer | Use)
_ANSWERS: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Have | Done | Lost | Later)


def line(message: Question | Answer) -> bytes:
    """Write a message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"


def question(text: bytes) -> Question:
    """Read a question. Raises ``RotationRefused``."""
    try:
        return _QUESTIONS.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RotationRefused(f"the leader asked what is no question: {error}") from error


def answer(text: bytes, key_id: str) -> Answer:
    """Read the answer to a question about a key. Raises ``RotationRefused``."""
    try:
        read = _ANSWERS.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RotationRefused(f"the follower gave what is no answer: {error}") from error
    if read.key_id != key_id:
        raise RotationRefused("the follower answered for another key than it was asked for")
    return read

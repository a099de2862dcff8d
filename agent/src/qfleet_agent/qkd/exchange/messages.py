"""What the two ends of a session say to each other.

Numbered messages make the key: each is sent until it was heard, in order, and a restart ends them. The others
settle what was made; each stands for itself, may come at any time and any number of times, and is the same
bytes whenever it is said.
"""

from typing import TypeAlias

import msgspec

from qfleet_agent.qkd.sifting import Compared, Counted


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What travels. ``number`` counts the sender's numbered messages from 1 and is 0 for the others.

    ``heard`` is how many of the other end's were heard in order; the tag does not cover it, for a message
    that is sent again is tagged as it was. An empty ``body`` says nothing but that.
    """

    session: str
    number: int
    heard: int
    body: bytes
    tag: bytes = b""
    more: bool = False

    def __repr__(self) -> str:
        return f"Envelope({self.session!r}, number={self.number}, {len(self.body)} bytes)"


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Alice begins. ``plan`` is the digest of the plan that she follows; ``seed`` is for simulated devices.

    Whoever has the seed has the key: it travels on the sealed path alone, and no text shows it.
    """

    plan: bytes
    seed: bytes

    def __repr__(self) -> str:
        return "Open(…)"


class Chosen(msgspec.Struct, frozen=True, tag="chosen"):
    """Alice names the reconciliation; ``data`` is what it tells unasked, empty where Bob asks first."""

    method: str
    data: bytes


class Question(msgspec.Struct, frozen=True, tag="question"):
    """Bob's reconciliation asks; ``data`` is the method's own."""

    data: bytes


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Alice's reconciliation answers."""

    data: bytes


class Corrected(msgspec.Struct, frozen=True, tag="corrected"):
    """Bob has nothing more to ask: how many bits he was told, and how many errors he corrected."""

    leaked: int
    errors: int


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Alice verifies and amplifies: seed and tag of the hash, ℓ in bits, seed of the Toeplitz matrix."""

    hash_seed: bytes
    tag: bytes
    secret: int
    toeplitz: bytes


class Held(msgspec.Struct, frozen=True, tag="held"):
    """The sender holds the key durably; ``transcript`` stands for all numbered messages of both."""

    transcript: bytes


class Released(msgspec.Struct, frozen=True, tag="released"):
    """The sender has released the key: the other end may forget the session once it has, too."""


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """The sender holds no key of this session and never will."""

    reason: str


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten"):
    """The sender has nothing of the session left that the other end could wait for."""


Numbered: TypeAlias = Open | Counted | Compared | Chosen | Question | Answer | Corrected | Finish
Settling: TypeAlias = Held | Released | Gone | Forgotten
Body: TypeAlias = Numbered | Settling

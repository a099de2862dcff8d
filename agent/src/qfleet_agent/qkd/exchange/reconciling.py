"""What a session needs of a reconciliation, whichever method it is: Bob corrects his key towards Alice's.

Questions and answers are the method's own bytes. ``leaked`` counts what Alice told, in bits, and both ends
count the same.
"""

from dataclasses import dataclass, field
from typing import Protocol

from qfleet_agent.qkd.quantum.apparatus import Bits


@dataclass(frozen=True, slots=True)
class Done:
    """Bob's key, corrected as far as the method goes; whether it is right, only verification tells."""

    key: Bits = field(repr=False)
    leaked: int
    errors: int


class Corrector(Protocol):
    """Bob's side."""

    def begin(self) -> bytes:
        """The first question, where Alice said nothing unasked.

        Raises:
            RemoteError: Where she should have.
        """

    def heard(self, answer: bytes) -> bytes | Done:
        """The next question, or the end.

        Raises:
            RemoteError: Where the answer is none.
        """


class Answerer(Protocol):
    """Alice's side."""

    @property
    def leaked(self) -> int:
        """How many bits were told so far."""

    def begin(self) -> bytes:
        """What can be told unasked; nothing with a method where Bob asks first."""

    def answer(self, question: bytes) -> bytes:
        """The answer to a question.

        Raises:
            RemoteError: Where the question is none, or would tell more than may be told.
        """


class Method(Protocol):
    """A method, or a choice among several by the error rate, which both ends know to be the same number."""

    def named(self, bits: int, error_rate: float) -> str:
        """What this end takes for a key of so many bits: Alice says it, and Bob's must be the same."""

    def corrector(self, key: Bits, error_rate: float, seed: bytes) -> Corrector:
        """Bob's side of a key that differs from Alice's at about this rate; the seed is public and fresh."""

    def answerer(self, key: Bits, error_rate: float, secret: bytes) -> Answerer:
        """Alice's side; the secret bytes are fresh, at least ``oneway.filling_bytes`` of them."""

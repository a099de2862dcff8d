"""Cascade as the method of a session: the sifted key in frames of one length, all corrected in lock step.

Sessions confirm: each published variant leaves two errors in one frame of some thousands, a key of a million
bits has a hundred frames, and one wrong bit would cost all of them (docs/reconciliation.md).
"""

from typing import TypeVar

import numpy as np

from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.exchange import reconciling
from qfleet_agent.qkd.quantum.apparatus import Bits
from qfleet_agent.qkd.reconciliation import passes, permutations, variants
from qfleet_agent.qkd.reconciliation.answerer import Answerer
from qfleet_agent.qkd.reconciliation.corrector import Corrector, Done
from qfleet_agent.qkd.reconciliation.messages import Answers, Ask
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

Kind = TypeVar("Kind", Ask, Answers)

FRAME_BITS = 10_000
"""Where published efficiencies stand; longer frames gain little and need more steps in a row."""


class Cascade:
    """One variant of Cascade: a ``reconciling.Method``.

    Option 3 fails no frame, asks in the fewest round trips of those, and comes close to the best efficiency.
    """

    def __init__(self, variant: variants.Name = "option3", *, frame_bits: int = FRAME_BITS) -> None:
        self._variant = variant
        self._frame_bits = frame_bits

    def named(self, bits: int, error_rate: float) -> str:  # noqa: ARG002 # one variant for every key
        """What this is called between the ends."""
        return f"cascade {self._variant}{variants.CONFIRMED}"

    def corrector(self, key: Bits, error_rate: float, seed: bytes) -> "_Corrector":
        """Bob's side."""
        rows = self._frames(key)
        frames, bits = rows.shape
        rate = min(error_rate, variants.HIGHEST_RATE)
        variant = f"{self._variant}{variants.CONFIRMED}"
        plan = passes.Plan(variant, frames, bits, rate, seed[: permutations.SEED_BYTES])
        return _Corrector(Corrector(rows, plan), len(key))

    def answerer(
        self,
        key: Bits,
        error_rate: float,  # noqa: ARG002 # Bob's plan has it
        secret: bytes,  # noqa: ARG002 # nothing is made up
    ) -> "_Answerer":
        """Alice's side, who tells no more parities than the key has bits."""
        return _Answerer(Answerer(self._frames(key), most=len(key)))

    def _frames(self, key: Bits) -> Bits:
        """The key as frames; zeros fill up the last, as both ends know."""
        count = max(1, -(-len(key) // self._frame_bits))
        bits = max(2, -(-len(key) // count))
        rows = np.zeros(count * bits, dtype=np.uint8)
        rows[: len(key)] = key
        return rows.reshape(count, bits)


class _Corrector:
    def __init__(self, corrector: Corrector, count: int) -> None:
        self._corrector = corrector
        self._count = count

    def begin(self) -> bytes:
        return codec.encode(self._corrector.begin())

    def heard(self, answer: bytes) -> bytes | reconciling.Done:
        following = self._corrector.heard(_decoded(answer, Answers))
        if isinstance(following, Done):
            key = following.key.ravel()[: self._count]
            return reconciling.Done(key, int(following.leaked.sum()), int(following.corrected.sum()))
        return codec.encode(following)


class _Answerer:
    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    @property
    def leaked(self) -> int:
        return int(self._answerer.leaked.sum())

    def begin(self) -> bytes:
        return b""

    def answer(self, question: bytes) -> bytes:
        return codec.encode(self._answerer.answer(_decoded(question, Ask)))


def _decoded(data: bytes, kind: type[Kind]) -> Kind:
    try:
        return codec.decode(data, kind)
    except RemoteError as error:
        raise ExchangeInvalid(f"a message of the reconciliation does not read: {error}") from error

"""LDPC codes as the method of a session: Alice tells syndromes unasked, and more where Bob cannot decode.

A frame that never decodes is told whole at the end and counts as told in full, so that one bad frame costs
its own bits and not the session. With long delays that is cheaper than any question more.
"""

from typing import TypeVar

import numpy as np

from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.exchange import reconciling
from qfleet_agent.qkd.quantum.apparatus import Bits
from qfleet_agent.qkd.reconciliation import messages
from qfleet_agent.qkd.reconciliation.ldpc import codes, oneway
from qfleet_agent.qkd.reconciliation.ldpc import plan as layout
from qfleet_agent.qkd.reconciliation.passes import Flags
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

Kind = TypeVar("Kind", oneway.Told, oneway.Wanted)

NAME = "one-way"

_FILLED = 4
"""One bit of filling for so many bits of key: more than any code takes (docs/reconciliation.md)."""
_FRAME_BYTES = 1 << 9
"""Filling of the last frame, which padding may fill up."""


def filling_bytes(bits: int) -> int:
    """No fewer random bytes than filling the frames of a key of ``bits`` bits takes."""
    return -(-bits // (8 * _FILLED)) + _FRAME_BYTES


class OneWay:
    """Rate-adaptive codes: a ``reconciling.Method``."""

    def named(self, bits: int, error_rate: float) -> str:  # noqa: ARG002 # one method for every key
        """What this is called between the ends."""
        return NAME

    def corrector(self, key: Bits, error_rate: float, seed: bytes) -> "_Receiver":  # noqa: ARG002 # nothing is drawn
        """Bob's side."""
        return _Receiver(key, laid_out(len(key), error_rate))

    def answerer(self, key: Bits, error_rate: float, secret: bytes) -> "_Sender":
        """Alice's side; the secret fills the made-up bits, and serves for nothing else."""
        return _Sender(key, laid_out(len(key), error_rate), secret)


def laid_out(bits: int, error_rate: float) -> layout.OneWayPlan:
    """The frames of a key: all of the length that the error rate gives."""
    low, high = layout.RATES
    one = layout.OneWayPlan(1, min(max(error_rate, low), high))
    return layout.OneWayPlan(max(1, -(-bits // one.bits)), one.rate)


def _frames(key: Bits, plan: layout.OneWayPlan) -> Bits:
    """The key as frames; zeros fill up the last, as both ends know."""
    rows = np.zeros(plan.frames * plan.bits, dtype=np.uint8)
    rows[: len(key)] = key
    return rows.reshape(plan.frames, plan.bits)


def _steps(plan: layout.OneWayPlan) -> int:
    """In how many steps all made-up bits are told; the one after tells frames whole."""
    return min(layout.STEPS, plan.made_up)


class _Sender:
    def __init__(self, key: Bits, plan: layout.OneWayPlan, secret: bytes) -> None:
        width = plan.made_up * codes.LIFT
        filling = np.unpackbits(np.frombuffer(secret, dtype=np.uint8), count=plan.frames * width)
        self._key = _frames(key, plan)
        self._plan = plan
        self._sender = oneway.Sender(self._key, plan, filling.reshape(plan.frames, width))
        self._step = 0
        self._whole: Flags = np.zeros(plan.frames, dtype=np.bool_)

    @property
    def leaked(self) -> int:
        """What a frame told whole had told before is part of it."""
        return int(np.where(self._whole, self._plan.bits, self._sender.leaked).sum())

    def begin(self) -> bytes:
        return codec.encode(self._sender.begin())

    def answer(self, question: bytes) -> bytes:
        wanted = _decoded(question, oneway.Wanted)
        if wanted.step != self._step + 1:
            raise ExchangeInvalid(f"step {wanted.step} was asked for where {self._step + 1} is due")
        self._step = wanted.step
        if wanted.step <= _steps(self._plan):
            return codec.encode(self._sender.tell(wanted))
        if self._whole.any():
            raise ExchangeInvalid("frames were asked for whole a second time")
        self._whole = messages.unpacked_bits(wanted.frames, self._plan.frames).astype(np.bool_)
        return codec.encode(oneway.Told(wanted.step, messages.packed_bits(self._key[self._whole].ravel())))


class _Receiver:
    def __init__(self, key: Bits, plan: layout.OneWayPlan) -> None:
        self._noisy = key
        self._plan = plan
        self._receiver = oneway.Receiver(_frames(key, plan), plan)
        self._failed: oneway.Decoded | None = None

    def begin(self) -> bytes:
        raise ExchangeInvalid("codes begin with syndromes, and none came")

    def heard(self, answer: bytes) -> bytes | reconciling.Done:
        told = _decoded(answer, oneway.Told)
        if self._failed is not None:
            return self._told_whole(told, self._failed)
        following = self._receiver.heard(told)
        if isinstance(following, oneway.Wanted):
            return codec.encode(following)
        if not following.failed.any():
            return self._done(following)
        self._failed = following
        failed = messages.packed_bits(following.failed.astype(np.uint8))
        return codec.encode(oneway.Wanted(_steps(self._plan) + 1, failed))

    def _told_whole(self, told: oneway.Told, decoded: oneway.Decoded) -> reconciling.Done:
        if told.step != _steps(self._plan) + 1:
            raise ExchangeInvalid(f"step {told.step} was told where whole frames are due")
        count = int(decoded.failed.sum()) * self._plan.bits
        decoded.key[decoded.failed] = messages.unpacked_bits(told.bits, count).reshape(-1, self._plan.bits)
        decoded.leaked[decoded.failed] = self._plan.bits
        return self._done(decoded)

    def _done(self, decoded: oneway.Decoded) -> reconciling.Done:
        key = decoded.key.ravel()[: len(self._noisy)]
        return reconciling.Done(key, int(decoded.leaked.sum()), int(np.count_nonzero(key != self._noisy)))


def _decoded(data: bytes, kind: type[Kind]) -> Kind:
    try:
        return codec.decode(data, kind)
    except RemoteError as error:
        raise ExchangeInvalid(f"a message of the reconciliation does not read: {error}") from error

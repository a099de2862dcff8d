"""The two ends of a reconciliation in one message: the sender of a syndrome, and the receiver that decodes.

The receiver asks for more about the frames that it cannot decode, at most ``plan.STEPS`` times.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from qfleet_agent.errors import ReconciliationRefused, ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import messages, passes
from qfleet_agent.qkd.reconciliation.ldpc import codes, decoder
from qfleet_agent.qkd.reconciliation.ldpc.plan import OneWayPlan
from qfleet_agent.qkd.reconciliation.passes import Bits, Flags, Indices

_TOLD = 40.0


class Told(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Step 0: the syndromes of all frames. Later steps: made-up bits of the frames that were asked for."""

    step: int
    bits: bytes


class Wanted(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The frames of which more must be told: one bit for each frame."""

    step: int
    frames: bytes


class Decoded(msgspec.Struct, frozen=True):
    """The end: key [frames, bits], which frames failed, revealed bits of each, and messages of the sender."""

    key: Bits
    failed: Flags
    leaked: Indices
    messages: int


class _End:
    def __init__(self, key: NDArray[np.uint8], plan: OneWayPlan) -> None:
        self._key = passes.checked_key(key)
        if self._key.shape != (plan.frames, plan.bits):
            raise ReconciliationUnusable(f"a key {key.shape} is not {plan.frames} frames, {plan.bits} bits")
        self._plan = plan
        self._code = codes.code(plan.rows)
        columns = np.array(self._code.punctured[: plan.made_up])
        self._made_up: Indices = (columns[:, None] * codes.LIFT + np.arange(codes.LIFT)).ravel()
        self._carrying: Indices = np.setdiff1d(np.arange(codes.COLUMNS * codes.LIFT), self._made_up)
        revealed = (plan.rows - plan.made_up) * codes.LIFT
        self.leaked: Indices = np.full(plan.frames, revealed, dtype=np.int64)
        """Bits revealed so far, of each frame."""

    def _part(self, step: int) -> Indices:
        """Where the made-up bits of a further message stand."""
        told = self._plan.told
        return self._made_up[told(step - 1) * codes.LIFT : told(step) * codes.LIFT]


class Sender(_End):
    """The end that holds the reference key.

    Args:
        key: [frames, bits] of 0 and 1.
        plan: frames and error rate.
        filling: [frames, made-up bits] of 0 and 1: random, secret, and used for nothing else.

    Raises:
        ReconciliationUnusable: The arrays do not fit the plan.
    """

    def __init__(self, key: NDArray[np.uint8], plan: OneWayPlan, filling: NDArray[np.uint8]) -> None:
        super().__init__(key, plan)
        if passes.checked_key(filling).shape != (plan.frames, self._made_up.size):
            raise ReconciliationUnusable(
                f"{plan.frames} × {self._made_up.size} bits must fill what is made up"
            )
        self._all: Bits = np.empty((codes.COLUMNS * codes.LIFT, plan.frames), dtype=np.uint8)
        self._all[self._carrying], self._all[self._made_up] = self._key.T, filling.T
        self._last: tuple[Wanted, Told] | None = None

    def begin(self) -> Told:
        """The syndromes."""
        return Told(0, messages.packed_bits(codes.syndrome(self._code, self._all).ravel()))

    def tell(self, wanted: Wanted) -> Told:
        """Tell made-up bits; the same question gets the same answer and is counted once.

        Raises:
            ReconciliationRefused: The step is not due, or the frames do not read.
        """
        if self._last and self._last[0] == wanted:
            return self._last[1]
        due = self._last[0].step + 1 if self._last else 1
        part = self._part(wanted.step) if wanted.step == due else self._made_up[:0]
        frames = np.flatnonzero(messages.unpacked_bits(wanted.frames, self._plan.frames))
        if not part.size or not frames.size:
            raise ReconciliationRefused(f"nothing can be told in step {wanted.step}, where {due} is due")
        self.leaked[frames] += part.size
        told = Told(wanted.step, messages.packed_bits(self._all[np.ix_(part, frames)].ravel()))
        self._last = wanted, told
        return told


class Receiver(_End):
    """The end that decodes. Arguments and errors as for the sender."""

    def __init__(self, key: NDArray[np.uint8], plan: OneWayPlan) -> None:
        super().__init__(key, plan)
        self._beliefs = np.zeros((codes.COLUMNS * codes.LIFT, plan.frames), dtype=np.float32)
        belief = math.log((1 - plan.rate) / plan.rate)
        self._beliefs[self._carrying] = belief * (1.0 - 2.0 * self._key.T.astype(np.float32))
        self._syndrome: Bits | None = None
        self._failed: Flags = np.ones(plan.frames, dtype=np.bool_)
        self._corrected = self._key.copy()
        self._step = 0

    def heard(self, told: Told) -> Wanted | Decoded:
        """Take a message; ask for more, or end.

        Raises:
            ReconciliationRefused: It is for another step or has another length.
        """
        if told.step != self._step:
            raise ReconciliationRefused(f"step {told.step} was told where {self._step} is due")
        frames = np.flatnonzero(self._failed)
        if self._syndrome is None:
            shape = (self._plan.rows, codes.LIFT, self._plan.frames)
            self._syndrome = messages.unpacked_bits(told.bits, math.prod(shape)).reshape(shape)
        else:
            part = self._part(told.step)
            bits = messages.unpacked_bits(told.bits, part.size * frames.size).reshape(part.size, -1)
            self._beliefs[np.ix_(part, frames)] = _TOLD * (1.0 - 2.0 * bits.astype(np.float32))
            self.leaked[frames] += part.size
        self._decode(frames, self._syndrome)
        self._step += 1
        if self._failed.any() and self._part(self._step).size:
            return Wanted(self._step, messages.packed_bits(self._failed.astype(np.uint8)))
        return Decoded(self._corrected, self._failed, self.leaked, self._step)

    def _decode(self, frames: Indices, syndrome: Bits) -> None:
        found, right = decoder.decoded(self._code, self._beliefs[:, frames], syndrome[:, :, frames])
        done = frames[right]
        self._corrected[done] = found[self._carrying][:, right].T
        self._failed[done] = False

"""The end that holds the reference key: it answers what the parity of so many bits is, and counts.

It decides nothing and waits for nothing. A repeated question gets the same answer and is not counted again,
so every message may be sent twice.
"""

import numpy as np
from numpy.typing import NDArray

from qfleet_agent.errors import ReconciliationRefused, ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import messages, passes
from qfleet_agent.qkd.reconciliation.messages import Answers, Ask
from qfleet_agent.qkd.reconciliation.passes import Bits, Indices, Passes, Plan


class Answerer:
    """Answers the questions about one key.

    Args:
        key: reference bits, [frames, bits] of 0 and 1.
        most: how many parities may be revealed in all; every bit of the key by default.

    Raises:
        ReconciliationUnusable: The key is of another shape or kind.
    """

    def __init__(self, key: NDArray[np.uint8], *, most: int | None = None) -> None:
        self._key = passes.checked_key(key)
        self._most = self._key.size if most is None else most
        self._packed = passes.packed_frames(self._key)
        self._passes: Passes | None = None
        self._sums: dict[int, Bits] = {}
        self._last: tuple[Ask, Answers] | None = None
        self.leaked: Indices = np.zeros(self._key.shape[0], dtype=np.int64)
        """Parities revealed so far, of each frame."""

    def answer(self, ask: Ask) -> Answers:
        """Answer a message.

        Raises:
            ReconciliationRefused: It is out of turn, malformed, or asks for more than may be revealed.
        """
        if self._last and self._last[0] == ask:
            return self._last[1]
        due = self._last[0].round + 1 if self._last else 0
        if ask.round != due:
            raise ReconciliationRefused(f"round {ask.round} was asked where round {due} is due")
        parities = self._opening(ask) if ask.round == 0 else self._search(ask)
        answers = Answers(round=ask.round, parities=messages.packed_bits(parities))
        self._last = ask, answers
        return answers

    def _opening(self, ask: Ask) -> Bits:
        layout = self._layout(ask.plan)
        self._reveal(np.full(layout.plan.frames, layout.opening_bits, dtype=np.int64))
        self._passes = layout
        frames = layout.plan.frames
        tops = [
            passes.unpacked_rows(self._prefixes(number)[layout.asked_ends(number)], frames).ravel()
            for number in range(layout.opened)
        ]
        return np.concatenate(tops)

    def _layout(self, plan: Plan | None) -> Passes:
        frames, bits = self._key.shape
        if plan is None or (plan.frames, plan.bits) != (frames, bits):
            raise ReconciliationRefused(f"the plan is not for {frames} frames of {bits} bits")
        try:
            # A struct read from the channel checked itself already; one handed over may have been altered.
            plan.__post_init__()
        except ReconciliationUnusable as wrong:
            raise ReconciliationRefused(f"the plan cannot be used: {wrong}") from wrong
        return Passes(plan)

    def _search(self, ask: Ask) -> Bits:
        if self._passes is None or ask.plan is not None:
            raise ReconciliationRefused("a plan is named in the opening, and only there")
        frames, bits = self._key.shape
        questions = messages.unpacked_steps(ask, self._passes.count * frames * (bits + 1))
        rows, ends = np.divmod(questions, bits + 1)
        numbers, of = np.divmod(rows, frames)
        self._reveal(np.bincount(of, minlength=frames))
        parities = np.empty(questions.size, dtype=np.uint8)
        # Questions rise, so those of a pass stand together.
        cuts = np.searchsorted(numbers, np.arange(self._passes.count + 1))
        for number in np.unique(numbers):
            part = slice(int(cuts[number]), int(cuts[number + 1]))
            byte = self._prefixes(int(number))[ends[part], of[part] >> 3]
            parities[part] = (byte >> (of[part] & 7).astype(np.uint8)) & 1
        return parities

    def _reveal(self, counts: Indices) -> None:
        if int(self.leaked.sum() + counts.sum()) > self._most:
            raise ReconciliationRefused(f"more than {self._most} parities of this key are asked for")
        self.leaked = self.leaked + counts

    def _prefixes(self, number: int) -> Bits:
        if number not in self._sums:
            if self._passes is None:
                raise ReconciliationRefused("nothing may be asked before the opening")
            self._sums[number] = passes.prefixes(self._packed, self._passes.order(number))
        return self._sums[number]

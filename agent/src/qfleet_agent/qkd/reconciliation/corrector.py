"""The end that corrects its key: it asks until no block is odd, all questions of a step in one message."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from qfleet_agent.errors import ReconciliationRefused, ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import messages, passes
from qfleet_agent.qkd.reconciliation.messages import Answers, Ask
from qfleet_agent.qkd.reconciliation.passes import Bits, Indices, Passes, Plan
from qfleet_agent.qkd.reconciliation.search import Search


class Done(msgspec.Struct, frozen=True):
    """The end of a reconciliation.

    Attributes:
        key: the corrected bits, [frames, bits]; whether they are right, only a verification tells.
        leaked: parities that the other end revealed, of each frame.
        corrected: errors corrected, in each frame.
        rounds: round trips.
    """

    key: Bits
    leaked: Indices
    corrected: Indices
    rounds: int


class Corrector:
    """Corrects one key towards the one that an ``Answerer`` holds.

    Args:
        key: own bits, [frames, bits] of 0 and 1; it is copied.
        plan: variant, error rate and seed; its frames and bits are those of the key.

    Raises:
        ReconciliationUnusable: Key and plan do not fit.
    """

    def __init__(self, key: NDArray[np.uint8], plan: Plan) -> None:
        bits = passes.checked_key(key).copy()
        if bits.shape != (plan.frames, plan.bits):
            raise ReconciliationUnusable(
                f"a key {bits.shape} is not {plan.frames} frames of {plan.bits} bits"
            )
        self._layout = Passes(plan)
        self._search = Search(self._layout, bits)
        self._chosen: Indices = np.zeros(0, dtype=np.int64)
        self._order: Indices = self._chosen
        self._more: tuple[Indices, Indices] = self._chosen, self._chosen
        self._said: Ask | Done = Ask(round=0, plan=plan, count=0, width=0, steps=b"")
        self._rounds = 0
        self.leaked: Indices = np.full(plan.frames, self._layout.opening_bits, dtype=np.int64)

    def begin(self) -> Ask:
        """The opening: the plan, which asks for the top blocks of all passes."""
        return Ask(round=0, plan=self._layout.plan, count=0, width=0, steps=b"")

    def heard(self, answers: Answers) -> Ask | Done:
        """Take the answers to what was asked last; return the next questions, or the end.

        Answers that were heard before change nothing and get the same reply again.

        Raises:
            ReconciliationRefused: They are not for this round, have another length, or contradict earlier
            ones.
        """
        if answers.round == self._rounds - 1:
            return self._said
        if isinstance(self._said, Done) or answers.round != self._rounds:
            raise ReconciliationRefused(f"answers to round {answers.round} came where {self._rounds} is due")
        if self._rounds == 0:
            count = self._layout.opening_bits * self._layout.plan.frames
            self._search.tops.hear(messages.unpacked_bits(answers.parities, count))
        else:
            self._take(messages.unpacked_bits(answers.parities, self._order.size))
        self._rounds += 1
        self._search.settle()
        self._said = self._ask()
        return self._said

    def _take(self, sent: Bits) -> None:
        parities = np.empty_like(sent)
        parities[self._order] = sent
        searches = self._chosen.size
        self._search.halve(self._chosen, parities[:searches])
        numbers, frames = self._more
        if numbers.size:
            own = np.array([self._half(*at) for at in zip(numbers, frames, strict=True)], dtype=np.uint8)
            self._search.tops.hear_one(numbers, frames, own, parities[searches:])
            np.maximum.at(self._search.horizon, frames, numbers + 1)

    def _half(self, number: int, frame: int) -> int:
        covered = self._layout.order(number)[: self._layout.covered[number]]
        return int(np.bitwise_xor.reduce(self._search.key[frame, covered]))

    def _ask(self) -> Ask | Done:
        search, layout = self._search, self._layout
        self._chosen = search.chosen()
        self._more = self._confirmations()
        slots = search.slots[self._chosen]
        middles = (search.low[self._chosen] + search.high[self._chosen]) >> 1
        numbers = np.concatenate([search.trees.number_of[slots], self._more[0]])
        frames = np.concatenate([search.trees.frame_of[slots], self._more[1]])
        if not numbers.size:
            return Done(search.key, self.leaked, search.corrected, self._rounds)
        ends = np.concatenate([middles, layout.covered[self._more[0]]])
        questions = (numbers * layout.plan.frames + frames) * (layout.plan.bits + 1) + ends
        self._order = np.argsort(questions)
        self.leaked = self.leaked + np.bincount(frames, minlength=layout.plan.frames)
        width, steps = messages.packed_steps(questions[self._order])
        return Ask(round=self._rounds, plan=None, count=questions.size, width=width, steps=steps)

    def _confirmations(self) -> tuple[Indices, Indices]:
        """Passes and frames of further confirming passes that must be asked for."""
        frames = self._search.waiting
        first = self._search.horizon[frames]
        count = np.minimum(self._layout.variant.confirming, self._layout.count - first)
        frames, first = np.repeat(frames, count), np.repeat(first, count)
        within = np.arange(frames.size) - np.repeat(np.cumsum(count) - count, count)
        return first + within, frames

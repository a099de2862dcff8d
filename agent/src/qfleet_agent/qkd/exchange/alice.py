"""Alice: she begins, compares what Bob counted, answers his questions, verifies and amplifies."""

from functools import cached_property

import numpy as np

from qfleet_agent.qkd import amplification, estimation, sifting, verification, watch
from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.exchange.effects import Effect
from qfleet_agent.qkd.exchange.end import End, Kit, plan_digest
from qfleet_agent.qkd.exchange.messages import (
    Answer,
    Chosen,
    Corrected,
    Finish,
    Held,
    Numbered,
    Open,
    Question,
    Settling,
)
from qfleet_agent.qkd.exchange.oneway import filling_bytes
from qfleet_agent.qkd.exchange.reconciling import Answerer
from qfleet_agent.qkd.exchange.states import State, Step
from qfleet_agent.qkd.quantum import draws
from qfleet_agent.qkd.quantum.apparatus import Apparatus, Bits

_TOEPLITZ_AT = draws.SEED_BYTES + verification.SEED_BYTES


class Alice(End):
    """The end that sends light, or names its source, and whose bits are the reference."""

    def __init__(self, kit: Kit) -> None:
        super().__init__("alice", kit)
        self._seed = kit.randomness[: draws.SEED_BYTES]
        self._block = 0
        self._key: Bits = np.zeros(0, dtype=np.uint8)
        self._answerer: Answerer | None = None
        self._made: tuple[Finish, estimation.Estimate] | None = None

    def begin(self) -> list[Effect]:
        """Save the plan and tell Bob to count."""
        save = self._settler.saved()
        self._settler.step(Step.OPEN)
        return [save, *self._say(Open(plan_digest(self._plan), self._seed))]

    @cached_property
    def _apparatus(self) -> Apparatus:
        return self._kit.apparatus(self._seed)

    def _numbered(self, body: Numbered) -> list[Effect]:
        match body:
            case sifting.Counted():
                return self._compare(body)
            case Question():
                return self._answer(body)
            case Corrected():
                return self._finish(body)
            case _:
                return []

    def _compare(self, counted: sifting.Counted) -> list[Effect]:
        if counted.block != self._block:
            raise ExchangeInvalid(f"block {counted.block} was announced where {self._block} is due")
        theirs = sifting.heard(counted, pulses=self._plan.block_pulses)
        own = self._apparatus.settings(self._block, theirs.slot)
        answer, part = sifting.answered(self._block, theirs, own)
        self._take(part)
        self._block += 1
        said = self._say(answer)
        if self._block < self._plan.blocks:
            return said
        self._key, ended = self._sifted()
        return said + (ended or self._choose())

    def _choose(self) -> list[Effect]:
        """Name the method right behind the last comparison, so that it costs no way of its own."""
        method, rate = self._method, self._expected_errors()
        filling = self._kit.randomness[-filling_bytes(len(self._key)) :]
        self._answerer = method.answerer(self._key, rate, filling)
        return self._say(Chosen(method.named(len(self._key), rate), self._answerer.begin()))

    def _answer(self, question: Question) -> list[Effect]:
        if self._answerer is None:
            raise ExchangeInvalid("a question came before the method was named")
        return self._say(Answer(self._answerer.answer(question.data)))

    def _finish(self, corrected: Corrected) -> list[Effect]:
        told = 0 if self._answerer is None else self._answerer.leaked
        if corrected.leaked != told:
            raise ExchangeInvalid(f"{told} bits were told, and the other end counts {corrected.leaked}")
        if signs := watch.key_errors(self._plan, len(self._key), corrected.errors):
            return self._abort(signs)
        estimate = self._secret(told)
        if estimate.bits == 0:
            return self._settler.given_up("no-key")
        finish = self._hashed(estimate.bits)
        self._made = finish, estimate
        self._settler.step(Step.CORRECT)
        return self._say(finish)

    def _hashed(self, secret: int) -> Finish:
        """The seeds and the tag for a key of ``secret`` bits."""
        random = self._kit.randomness
        size = verification.tag_bits(len(self._key), self._plan.correctness)
        hash_seed = random[draws.SEED_BYTES : _TOEPLITZ_AT]
        length = (amplification.seed_bits(len(self._key), secret) + 7) // 8
        tag = verification.tag(self._key, hash_seed, size)
        return Finish(hash_seed, tag, secret, random[_TOEPLITZ_AT : _TOEPLITZ_AT + length])

    def _settling(self, body: Settling) -> list[Effect]:
        if isinstance(body, Held) and self._settler.state is State.CONFIRMING and self._made is not None:
            return self._keep(body, *self._made)
        return super()._settling(body)

    def _keep(self, held: Held, finish: Finish, estimate: estimation.Estimate) -> list[Effect]:
        """Bob holds the key: keep it, and release it at once."""
        if held.transcript != self._settler.box.transcript():
            return self._abort([self._settler.unlike()])
        key = amplification.whole(self._key, finish.toeplitz, finish.secret)
        self._key = np.zeros(0, dtype=np.uint8)
        self._answerer = self._made = None
        return [*self._settler.kept(key, estimate, held.transcript), *self._settler.released()]

"""Bob: he announces what he counted, corrects his key towards Alice's, and is the first to keep it."""

import numpy as np

from qfleet_agent.qkd import amplification, sifting, verification, watch
from qfleet_agent.qkd.errors import ExchangeInvalid, ExchangeMisused
from qfleet_agent.qkd.exchange.effects import Effect
from qfleet_agent.qkd.exchange.end import AHEAD, End, Kit, plan_digest
from qfleet_agent.qkd.exchange.messages import Answer, Chosen, Corrected, Finish, Numbered, Open, Question
from qfleet_agent.qkd.exchange.reconciling import Corrector, Done
from qfleet_agent.qkd.exchange.states import Step
from qfleet_agent.qkd.quantum import draws
from qfleet_agent.qkd.quantum.apparatus import Apparatus, Bits
from qfleet_agent.qkd.watch import Sign


class Bob(End):
    """The end that counts light and corrects."""

    def __init__(self, kit: Kit) -> None:
        super().__init__("bob", kit)
        self._apparatus: Apparatus | None = None
        self._announced = 0
        self._block = 0
        self._key: Bits = np.zeros(0, dtype=np.uint8)
        self._corrector: Corrector | None = None
        self._chosen = False
        self._leaked = 0

    def begin(self) -> list[Effect]:
        """Save the plan, and wait for Alice."""
        return [self._settler.saved()]

    def _numbered(self, body: Numbered) -> list[Effect]:
        match body:
            case Open():
                return self._open(body)
            case sifting.Compared():
                return self._conclude(body)
            case Chosen():
                return self._begin_correcting(body)
            case Answer():
                return self._correct(body)
            case Finish():
                return self._finish(body)
            case _:
                return []

    def _open(self, opened: Open) -> list[Effect]:
        if opened.plan != plan_digest(self._plan) or len(opened.seed) != draws.SEED_BYTES:
            return self._abort([Sign("protocol", "the other end follows another plan of this session")])
        self._apparatus = self._kit.apparatus(opened.seed)
        self._settler.step(Step.OPEN)
        return [part for _ in range(min(AHEAD, self._plan.blocks)) for part in self._announce()]

    def _device(self) -> Apparatus:
        if self._apparatus is None:
            raise ExchangeMisused("no block can be counted before the session is open")
        return self._apparatus

    def _announce(self) -> list[Effect]:
        block = self._announced
        self._announced += 1
        return self._say(sifting.announced(block, self._device().events(block)))

    def _conclude(self, compared: sifting.Compared) -> list[Effect]:
        if compared.block != self._block or self._block >= self._announced:
            raise ExchangeInvalid(f"block {compared.block} was answered where {self._block} is due")
        self._take(sifting.concluded(self._device().events(self._block), compared))
        self._block += 1
        if self._announced < self._plan.blocks:
            return self._announce()
        if self._block < self._plan.blocks:
            return []
        self._key, ended = self._sifted()
        return ended

    def _begin_correcting(self, chosen: Chosen) -> list[Effect]:
        method, rate = self._method, self._expected_errors()
        mine = method.named(len(self._key), rate)
        if chosen.method != mine or self._chosen:
            raise ExchangeInvalid(f"{chosen.method!r} was chosen where {mine!r} follows from plan and counts")
        self._chosen = True
        self._corrector = method.corrector(self._key, rate, self._kit.randomness)
        if chosen.data:
            return self._going_on(self._corrector.heard(chosen.data))
        return self._say(Question(self._corrector.begin()))

    def _correct(self, answer: Answer) -> list[Effect]:
        if self._corrector is None:
            raise ExchangeInvalid("an answer came before any question")
        return self._going_on(self._corrector.heard(answer.data))

    def _going_on(self, following: bytes | Done) -> list[Effect]:
        if isinstance(following, bytes):
            return self._say(Question(following))
        return self._corrected(following)

    def _corrected(self, done: Done) -> list[Effect]:
        self._corrector = None
        if signs := watch.key_errors(self._plan, len(self._key), done.errors):
            return self._abort(signs)
        self._key, self._leaked = done.key, done.leaked
        self._settler.step(Step.CORRECT)
        return self._say(Corrected(done.leaked, done.errors))

    def _finish(self, finish: Finish) -> list[Effect]:
        """Verify, amplify, keep, and only then say so."""
        estimate = self._secret(self._leaked)
        if finish.secret != estimate.bits or not finish.secret:
            raise ExchangeInvalid(
                f"{finish.secret} secret bits were named, and the counts leave {estimate.bits}"
            )
        size = verification.tag_bits(len(self._key), self._plan.correctness)
        if verification.tag(self._key, _seed(finish), size) != finish.tag:
            seen = f"{len(self._key):,} corrected bits differ by a hash of {size} bits"
            return self._abort([Sign("verification", seen)])
        key = amplification.whole(self._key, finish.toeplitz, finish.secret)
        self._key = np.zeros(0, dtype=np.uint8)
        transcript = self._settler.box.transcript()
        return [*self._settler.kept(key, estimate, transcript), *self._settler.said()]


def _seed(finish: Finish) -> bytes:
    if len(finish.hash_seed) != verification.SEED_BYTES:
        raise ExchangeInvalid(f"a seed of {len(finish.hash_seed)} bytes came for the verification")
    return finish.hash_seed

"""Messages of a reconciliation that a hostile or broken end may send, and plans that cannot be meant."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_agent.errors import ReconciliationRefused, ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import messages
from qfleet_agent.qkd.reconciliation.answerer import Answerer
from qfleet_agent.qkd.reconciliation.corrector import Corrector, Done
from qfleet_agent.qkd.reconciliation.messages import Answers, Ask
from qfleet_agent.qkd.reconciliation.passes import Passes, Plan

SEED = bytes(16)
PLAN = Plan("option4", 4, 200, 0.05, SEED)


def ends() -> tuple[Answerer, Corrector]:
    draw = np.random.default_rng(7)
    reference = draw.integers(0, 2, (4, 200), dtype=np.uint8)
    noisy = reference ^ (draw.random((4, 200)) < 0.05).astype(np.uint8)
    return Answerer(reference, most=2000), Corrector(noisy, PLAN)


def searching() -> tuple[Answerer, Corrector, Ask]:
    """Both ends after the opening, and the first questions."""
    answerer, corrector = ends()
    ask = corrector.heard(answerer.answer(corrector.begin()))
    assert isinstance(ask, Ask)
    return answerer, corrector, ask


def altered(ask: Ask, **changes: object) -> Ask:
    return msgspec.structs.replace(ask, **changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ask: altered(ask, round=7), "round 7"),
        (lambda ask: altered(ask, count=0), "cannot be asked"),
        (lambda ask: altered(ask, count=2**40), "cannot be asked"),
        (lambda ask: altered(ask, count=-1), "cannot be asked"),
        (lambda ask: altered(ask, count=ask.count + 1), "bytes came"),
        (lambda ask: altered(ask, width=0), "cannot be asked"),
        (lambda ask: altered(ask, width=2**20), "cannot be asked"),
        (lambda ask: altered(ask, steps=ask.steps + b"\0"), "bytes came"),
        (lambda ask: altered(ask, steps=b""), "bytes came"),
        (lambda ask: altered(ask, count=1, width=40, steps=b"\xff" * 5), "beyond the last pass"),
        (lambda ask: altered(ask, count=1, width=1, steps=b"\xff"), "spare bits"),
        (lambda ask: altered(ask, plan=PLAN), "in the opening"),
        (lambda ask: altered(ask, count=3000, width=1, steps=bytes(375)), "are asked for"),
    ],
)
def test_questions_that_cannot_be_meant_are_refused(change: Callable[[Ask], Ask], said: str) -> None:
    answerer, _, ask = searching()
    with pytest.raises(ReconciliationRefused, match=said):
        answerer.answer(change(ask))
    # What was refused reveals nothing and spoils nothing.
    assert len(answerer.answer(ask).parities) == -(-ask.count // 8)


@pytest.mark.parametrize(
    "plan",
    [
        None,
        Plan("option4", 5, 200, 0.05, SEED),
        Plan("option4", 4, 201, 0.05, SEED),
    ],
)
def test_a_plan_for_another_key_is_refused(plan: Plan | None) -> None:
    answerer, corrector = ends()
    with pytest.raises(ReconciliationRefused, match="4 frames of 200 bits"):
        answerer.answer(altered(corrector.begin(), plan=plan))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("option9", 4, 200, 0.05, SEED), "option9"),
        (("option4", 0, 200, 0.05, SEED), "0 frames"),
        (("option4", 2**20, 200, 0.05, SEED), "frames"),
        (("option4", 4, 1, 0.05, SEED), "1 bits"),
        (("option4", 2**13, 2**13, 0.05, SEED), "are over"),
        (("option4", 4, 200, 0.3, SEED), "error rate"),
        (("option4", 4, 200, float("nan"), SEED), "error rate"),
        (("option4", 4, 200, 0.05, b"short"), "seed"),
    ],
)
def test_a_plan_out_of_bounds_is_refused(values: tuple[str, int, int, float, bytes], said: str) -> None:
    with pytest.raises(ReconciliationUnusable, match=said):
        Plan(*values)
    # It does not read from the channel either.
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.msgpack.decode(msgspec.msgpack.encode([0, values, 0, 0, b""]), type=Ask)


@pytest.mark.parametrize(
    "change",
    [
        lambda answers: Answers(answers.round + 1, answers.parities),
        lambda answers: Answers(answers.round, answers.parities + b"\0"),
        lambda answers: Answers(answers.round, answers.parities[:-1]),
        lambda answers: Answers(answers.round, b""),
    ],
)
def test_answers_of_another_length_or_round_are_refused(change: Callable[[Answers], Answers]) -> None:
    answerer, corrector, ask = searching()
    answers = answerer.answer(ask)
    with pytest.raises(ReconciliationRefused):
        corrector.heard(change(answers))
    assert isinstance(corrector.heard(answers), Ask)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 2**32))
def test_lies_end_in_a_refusal_or_an_end_and_never_in_a_loop(seed: int) -> None:
    draw = np.random.default_rng(seed)
    _, corrector = ends()
    ask = corrector.begin()
    count = Passes(PLAN).opening_bits * 4
    for _ in range(4000):
        lies = messages.packed_bits(draw.integers(0, 2, count, dtype=np.uint8))
        try:
            said = corrector.heard(Answers(ask.round, lies))
        except ReconciliationRefused:
            return
        if isinstance(said, Done):
            return
        ask, count = said, said.count
    pytest.fail("it goes on for ever")


def test_every_message_may_come_twice() -> None:
    answerer, corrector = ends()
    said: Ask | Done = corrector.begin()
    while isinstance(said, Ask):
        answers = answerer.answer(said)
        leaked = answerer.leaked.sum()
        assert answerer.answer(said) is answers
        assert answerer.leaked.sum() == leaked
        said = corrector.heard(answers)
        again = corrector.heard(answers)
        assert again is said
    assert (said.leaked == answerer.leaked).all()


def test_no_more_is_revealed_than_allowed() -> None:
    reference = np.zeros((4, 200), dtype=np.uint8)
    opening = Passes(PLAN).opening_bits * 4
    corrector = Corrector(reference, PLAN)
    assert Answerer(reference, most=opening).answer(corrector.begin()).round == 0
    with pytest.raises(ReconciliationRefused, match=f"more than {opening - 1} parities"):
        Answerer(reference, most=opening - 1).answer(corrector.begin())


def test_messages_cross_as_bytes() -> None:
    answerer, corrector = ends()
    said: Ask | Done = corrector.begin()
    while isinstance(said, Ask):
        ask = msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=Ask)
        answers = msgspec.msgpack.encode(answerer.answer(ask))
        said = corrector.heard(msgspec.msgpack.decode(answers, type=Answers))
    assert said.rounds > 1


@pytest.mark.parametrize("key", [np.zeros(5, np.uint8), np.full((2, 3), 2, np.uint8), np.zeros((2, 3))])
def test_a_key_of_another_kind_is_refused(key: np.ndarray) -> None:
    with pytest.raises(ReconciliationUnusable, match="bytes 0 and 1"):
        Answerer(key)
    with pytest.raises(ReconciliationUnusable):
        Corrector(key, PLAN)

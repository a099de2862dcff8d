"""LDPC reconciliation: what it corrects in how few messages, what it reveals, and what it refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from qfleet_agent.errors import ReconciliationRefused, ReconciliationUnusable
from qfleet_agent.qkd.reconciliation.ldpc import codes
from qfleet_agent.qkd.reconciliation.ldpc.oneway import Decoded, Receiver, Sender, Told, Wanted
from qfleet_agent.qkd.reconciliation.ldpc.plan import STEPS, OneWayPlan

Key = NDArray[np.uint8]


def keys(plan: OneWayPlan, errors: int, seed: int = 3) -> tuple[Key, Key, Key]:
    """A reference key, one that differs in so many bits of each frame, and what fills the made-up columns."""
    draw = np.random.default_rng(seed)
    reference = draw.integers(0, 2, (plan.frames, plan.bits), dtype=np.uint8)
    noisy = reference.copy()
    for frame in noisy:
        frame[draw.choice(plan.bits, errors, replace=False)] ^= 1
    filling = draw.integers(0, 2, (plan.frames, plan.made_up * codes.LIFT), dtype=np.uint8)
    return reference, noisy, filling


def reconcile(plan: OneWayPlan, errors: int) -> tuple[Key, Decoded, Sender, list[Told]]:
    reference, noisy, filling = keys(plan, errors)
    sender, receiver = Sender(reference, plan, filling), Receiver(noisy, plan)
    told = [sender.begin()]
    said = receiver.heard(told[-1])
    while isinstance(said, Wanted):
        told.append(sender.tell(said))
        assert sender.tell(said) is told[-1]
        said = receiver.heard(told[-1])
    return reference, said, sender, told


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_frames_are_corrected_in_a_few_messages(rate: float) -> None:
    plan = OneWayPlan(2, rate)
    reference, done, sender, told = reconcile(plan, round(rate * plan.bits))
    assert not done.failed.any()
    assert (done.key == reference).all()
    assert 1 <= done.messages == len(told) <= 1 + STEPS
    assert (done.leaked == sender.leaked).all()
    assert done.leaked.max() <= 1.8 * plan.entropy * plan.bits


def test_what_is_counted_is_what_crossed_less_what_was_made_up() -> None:
    plan = OneWayPlan(1, 0.02)
    _, done, _, told = reconcile(plan, round(0.024 * plan.bits))
    crossed = 8 * sum(len(each.bits) for each in told)
    assert len(told) > 1
    assert done.leaked.sum() == crossed - plan.made_up * codes.LIFT


def test_too_many_errors_are_told_and_change_nothing() -> None:
    plan = OneWayPlan(1, 0.01)
    reference, noisy, filling = keys(plan, round(0.05 * plan.bits))
    sender, receiver = Sender(reference, plan, filling), Receiver(noisy, plan)
    said = receiver.heard(sender.begin())
    while isinstance(said, Wanted):
        said = receiver.heard(sender.tell(said))
    assert said.failed.all()
    assert (said.key == noisy).all()
    # Everything that was made up is told by then: as many bits as the syndrome has.
    assert said.leaked.tolist() == [plan.rows * codes.LIFT]


def test_the_parities_are_those_of_a_matrix_without_short_cycles() -> None:
    code = codes.code(13)
    matrix = np.zeros((13 * codes.LIFT, codes.COLUMNS * codes.LIFT), dtype=np.uint8)
    for at, row in enumerate(code.rows):
        for places in row:
            matrix[at * codes.LIFT + np.arange(codes.LIFT), places] ^= 1
    bits = np.random.default_rng(2).integers(0, 2, (matrix.shape[1], 2), dtype=np.uint8)
    plain = (matrix.astype(np.float32) @ bits.astype(np.float32)) % 2
    assert (codes.syndrome(code, bits).reshape(-1, 2) == plain).all()
    # Two parities share at most one bit: no cycle of four edges. By symmetry a row of each block will do.
    shared = matrix[:: codes.LIFT].astype(np.float32) @ matrix.T.astype(np.float32)
    shared[np.arange(13), np.arange(13) * codes.LIFT] = 0
    assert shared.max() <= 1
    assert set(np.unique(matrix.sum(axis=0)).tolist()) <= {2, 3, 6, 9, 15}
    punctured = np.array(code.punctured) * codes.LIFT
    assert matrix[:, punctured].reshape(13, codes.LIFT, -1).any(axis=1).sum(axis=1).max() == 1


@pytest.mark.parametrize("rows", [27, 33, 49])
def test_bits_of_degree_two_make_no_light_word(rows: int) -> None:
    """Such bits are edges between parities, and words of them alone are cycles: none has 16 or fewer."""
    ends: dict[int, list[int]] = {}
    for at, row in enumerate(codes.code(rows).rows):
        for places in row:
            for parity, place in enumerate(places.tolist()):
                ends.setdefault(place, []).append(at * codes.LIFT + parity)
    near: dict[int, list[tuple[int, int]]] = {}
    for bit, (one, other) in ((bit, both) for bit, both in ends.items() if len(both) == 2):
        near.setdefault(one, []).append((other, bit))
        near.setdefault(other, []).append((one, bit))
    # By symmetry every cycle passes the first parity of some row of blocks.
    for start in range(0, rows * codes.LIFT, codes.LIFT):
        seen, edge = {start: -1}, [(start, -1)]
        for _ in range(8):
            edge = [(there, bit) for here, came in edge for there, bit in near.get(here, []) if bit != came]
            assert not any(there in seen for there, _ in edge)
            assert len({there for there, _ in edge}) == len(edge)
            seen.update(dict(edge))


@pytest.mark.parametrize(
    "change",
    [
        lambda told: Told(1, told.bits),
        lambda told: Told(-1, told.bits),
        lambda told: Told(0, told.bits[:-1]),
        lambda told: Told(0, told.bits + b"\0"),
    ],
)
def test_syndromes_of_another_length_are_refused(change: Callable[[Told], Told]) -> None:
    plan = OneWayPlan(1, 0.01)
    reference, noisy, filling = keys(plan, 0)
    told = Sender(reference, plan, filling).begin()
    receiver = Receiver(noisy, plan)
    with pytest.raises(ReconciliationRefused):
        receiver.heard(change(told))
    assert isinstance(receiver.heard(told), Decoded)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(0, b"\1"),
        Wanted(2, b"\1"),
        Wanted(-5, b"\1"),
        Wanted(1, b"\0"),
        Wanted(1, b"\3"),
        Wanted(1, b""),
    ],
)
def test_wishes_that_cannot_be_meant_are_refused(wanted: Wanted) -> None:
    plan = OneWayPlan(1, 0.01)
    reference, _, filling = keys(plan, 0)
    sender = Sender(reference, plan, filling)
    before = sender.leaked.tolist()
    with pytest.raises(ReconciliationRefused):
        sender.tell(wanted)
    assert sender.leaked.tolist() == before


@pytest.mark.parametrize(("frames", "rate"), [(0, 0.01), (5000, 0.01), (1, 0.0), (1, 0.2), (1, float("nan"))])
def test_a_plan_out_of_bounds_is_refused(frames: int, rate: float) -> None:
    with pytest.raises(ReconciliationUnusable):
        OneWayPlan(frames, rate)


def test_arrays_of_another_shape_are_refused() -> None:
    plan = OneWayPlan(1, 0.01)
    reference, noisy, filling = keys(plan, 0)
    with pytest.raises(ReconciliationUnusable, match="1 frames"):
        Receiver(noisy[:, 1:], plan)
    with pytest.raises(ReconciliationUnusable, match="must fill"):
        Sender(reference, plan, filling[:, 1:])

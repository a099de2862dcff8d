import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.errors import BitsUsed, IllegalStep, KeysExhausted
from qfleet_agent.keystore import allotment, spans, states
from qfleet_agent.keystore.allotment import Lot, Range
from qfleet_agent.keystore.states import State, Step

A = b"a" * 16
B = b"b" * 16


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=12))
def test_spans_are_the_set_of_their_bytes(wanted: list[tuple[int, int]]) -> None:
    used: spans.Spans = ()
    model: set[int] = set()
    for start, length in wanted:
        new = set(range(start, start + length))
        if new & model:
            with pytest.raises(BitsUsed):
                spans.claim(used, start, start + length)
        else:
            used = spans.claim(used, start, start + length)
            model |= new
    assert {byte for low, high in used for byte in range(low, high)} == model
    assert spans.length(used) == len(model)
    assert {byte for low, high in spans.gaps(used, 5, 50) for byte in range(low, high)} == (
        set(range(5, 50)) - model
    )
    assert spans.covers(used, 3, 9) == (set(range(3, 9)) <= model)
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(used))


@given(
    st.lists(st.integers(2, 90), min_size=1, max_size=6),
    st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.integers(1, 40)), max_size=12),
)
def test_two_ends_never_take_the_same_byte(sizes: list[int], requests: list[tuple[bool, int, int]]) -> None:
    """Both ends allot without asking; each then learns of the other's keys, and agrees."""
    names = {False: "ground-a", True: "ground-b"}
    held = {
        who: {bytes([n]) * 16: Lot(bytes([n]) * 16, size, ()) for n, size in enumerate(sizes)}
        for who in names
    }
    taken: set[tuple[bytes, int]] = set()
    announced: list[tuple[bool, Range]] = []
    for who, number, size in requests:
        ours, theirs = names[who], names[not who]
        free = sum(allotment.free(lot, ours, theirs) for lot in held[who].values())
        if number * size > free:
            with pytest.raises(KeysExhausted):
                allotment.allot(held[who].values(), number=number, size=size, ours=ours, theirs=theirs)
            continue
        keys = allotment.allot(held[who].values(), number=number, size=size, ours=ours, theirs=theirs)
        assert [sum(stop - start for _, start, stop in key) for key in keys] == [size] * number
        for one in (one for key in keys for one in key):
            here = {(one.block, byte) for byte in range(one.start, one.stop)}
            assert not here & taken
            taken |= here
            lot = held[who][one.block]
            held[who][one.block] = lot._replace(used=spans.claim(lot.used, one.start, one.stop))
            announced.append((who, one))
    for who, one in reversed(announced):  # in another order than they were made
        other = held[not who]
        used = allotment.check([one], other, ours=names[not who], theirs=names[who])
        other[one.block] = other[one.block]._replace(used=used[one.block])
        with pytest.raises(BitsUsed):
            allotment.check([one], other, ours=names[not who], theirs=names[who])
    assert held[False] == held[True]


def test_the_halves_belong_to_the_names_in_order() -> None:
    assert allotment.half(9, "a", "b") == (0, 4)
    assert allotment.half(9, "b", "a") == (4, 9)
    assert allotment.half(9, "ab", "a") == (4, 9)
    with pytest.raises(BitsUsed):
        allotment.half(9, "a", "a")


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (Range(B, 0, 1), "no block"),
        (Range(A, 4, 6), "not all of"),
        (Range(A, -1, 2), "not all of"),
        (Range(A, 2, 2), "not all of"),
        (Range(A, 1, 3), "used already"),
    ],
)
def test_what_the_peer_may_not_use_is_refused(claimed: Range, said: str) -> None:
    lots = {A: Lot(A, 10, ((2, 4),))}
    with pytest.raises(BitsUsed, match=said):
        allotment.check([claimed], lots, ours="b", theirs="a")


def test_blocks_are_used_in_the_order_in_which_they_came() -> None:
    lots = [Lot(B, 8, ((0, 1),)), Lot(A, 8, ())]
    keys = allotment.allot(lots, number=2, size=2, ours="a", theirs="b")
    assert keys == [(Range(B, 1, 3),), (Range(B, 3, 4), Range(A, 0, 1))]


def test_a_block_that_has_ended_takes_no_step() -> None:
    for state in State:
        for step in Step:
            if (state, step) not in states.STEPS:
                with pytest.raises(IllegalStep, match=str(state)):
                    states.after(state, step)
    ended = {State.SPENT, State.EXPIRED, State.DESTROYED}
    assert not [state for state, _ in states.STEPS if state in ended]
    assert states.after(State.UNKNOWN, Step.KEEP) is State.PROVISIONAL
    assert (State.PROVISIONAL, Step.SPEND) not in states.STEPS

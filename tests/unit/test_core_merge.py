"""Any order, any number of times, any split: the same answer."""

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core_cases import counted, moments, sample

from qfleet_controlplane.planning import kinds, merge
from qfleet_wire import workload

BLOCKS = st.lists(
    st.dictionaries(st.integers(0, 4095), st.integers(1, 500), min_size=1, max_size=6), min_size=1, max_size=8
)
FLOATS = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=80, deadline=None)
@given(items=st.lists(BLOCKS, min_size=1, max_size=3), seed=st.integers(0, 2**32), repeats=st.integers(1, 3))
def test_counts_do_not_depend_on_order_or_repetition(
    items: list[list[dict[int, int]]], seed: int, repeats: int
) -> None:
    pieces = [
        sample(counted(index, block, counts, 12))
        for index, blocks in enumerate(items)
        for block, counts in enumerate(blocks)
    ]
    shuffled = pieces * repeats
    random.Random(seed).shuffle(shuffled)
    merged = merge.counts(shuffled)
    assert merged == merge.counts(pieces)
    for index, blocks in enumerate(items):
        assert merged[index].shots == sum(sum(counts.values()) for counts in blocks)
        assert sum(merged[index].counts.values()) == merged[index].shots
        assert list(merged[index].counts) == sorted(merged[index].counts)


@settings(max_examples=80, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(2, 1024), FLOATS), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
    seed=st.integers(0, 2**32),
)
def test_values_do_not_depend_on_the_split(data: list[tuple[int, float]], cuts: set[int], seed: int) -> None:
    blocks = [
        workload.Moments(number, shots, (total,), (total * total + 1.0,))
        for number, (shots, total) in enumerate(data)
    ]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(blocks)), len(blocks)]
    split = [moments(0, blocks[start:end]) for start, end in itertools.pairwise(bounds)]
    random.Random(seed).shuffle(split)
    merged = merge.values([*split, *split])
    assert merged == merge.values([moments(0, blocks)])
    exact = sum((Fraction(total) for _, total in data), Fraction())
    assert merged[0][0].mean == float(exact) / sum(shots for shots, _ in data)


def test_sums_are_exact_where_naive_ones_are_not() -> None:
    blocks = [workload.Moments(n, 1, (value,), (1e32,)) for n, value in enumerate((1e16, 1.0, -1e16))]
    (value,) = merge.values([moments(0, blocks)])[0]
    assert value.mean == 1.0 / 3.0
    assert 1e16 + 1.0 - 1e16 == 0.0


def test_the_standard_error_is_that_of_the_mean() -> None:
    # 60 shots of +1 and 40 of -1: mean 0.2, variance (1 - 0.04) * 100 / 99.
    (value,) = merge.values([moments(0, [workload.Moments(0, 100, (20.0,), (100.0,))])])[0]
    assert value.mean == 0.2
    assert math.isclose(value.standard_error, math.sqrt(0.96 * 100 / 99 / 100))
    assert not value.exact


def test_an_exact_value_has_no_error() -> None:
    (value,) = merge.values([moments(3, [workload.Moments(0, 0, (0.25,))])])[3]
    assert value == merge.Value(0.25, 0.0, exact=True)


def test_one_shot_has_an_unknown_error() -> None:
    (value,) = merge.values([moments(0, [workload.Moments(0, 1, (1.0,), (1.0,))])])[0]
    assert value.standard_error == math.inf


def test_two_answers_for_one_block_are_a_conflict() -> None:
    pieces = [sample(counted(0, 0, {0: 3}, 1)), sample(counted(0, 0, {1: 3}, 1))]
    with pytest.raises(merge.MergeConflict, match="item 0 from block 0"):
        merge.counts(pieces)


def test_outcomes_of_more_than_a_byte_are_little_endian() -> None:
    (piece,) = merge.counts([sample(counted(0, 0, {0x0201: 5}, 10))]).values()
    assert piece.counts == {0x0201: 5}


def test_equal_results_agree() -> None:
    one = sample(counted(0, 0, {0: 500, 7: 524}, 3))
    assert kinds.differ(one, one) is None


def test_honest_samples_agree_and_a_forged_one_does_not() -> None:
    draw = random.Random(5)

    def ghz(bias: float) -> workload.SampleResult:
        ones = sum(draw.random() < bias for _ in range(10_000))
        return sample(counted(0, 0, {0: 10_000 - ones, 7: ones}, 3))

    honest = ghz(0.5)
    assert all(kinds.differ(honest, ghz(0.5)) is None for _ in range(200))
    assert "chi-square" in (kinds.differ(honest, ghz(0.6)) or "")


def test_many_rare_outcomes_are_pooled() -> None:
    draw = random.Random(6)

    def uniform() -> workload.SampleResult:
        counts: dict[int, int] = {}
        for _ in range(1000):
            outcome = draw.randrange(2**16)
            counts[outcome] = counts.get(outcome, 0) + 1
        return sample(counted(0, 0, counts, 16))

    assert all(kinds.differ(uniform(), uniform()) is None for _ in range(30))


def test_exact_values_agree_within_rounding() -> None:
    def exact(value: float) -> workload.ExpectResult:
        return moments(0, [workload.Moments(0, 0, (value,))])

    assert kinds.differ(exact(0.5), exact(0.5 + 1e-12)) is None
    assert kinds.differ(exact(0.5), exact(0.5001)) == "values of item 0 differ: 0.5 and 0.5001"


def test_sampled_values_agree_within_their_errors() -> None:
    def sampled(mean: float) -> workload.ExpectResult:
        return moments(0, [workload.Moments(0, 1000, (1000 * mean,), (1000.0,))])

    assert kinds.differ(sampled(0.10), sampled(0.16)) is None
    assert kinds.differ(sampled(0.10), sampled(0.50)) is not None


def test_answers_of_different_kinds_differ() -> None:
    assert kinds.differ(workload.EchoResult(b"a"), workload.EchoResult(b"b")) is not None

"""Properties of the finite key of decoy-state BB84, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, decoys, detection, expectation, reconciliation

SOURCE = decoys.Source(intensities=(0.5, 0.15, 0.001), probabilities=(0.7, 0.2, 0.1), key_basis=0.9)
VARIANTS: tuple[bb84_finite.Variant, ...] = ("as printed", "capped")
variants = st.sampled_from(VARIANTS)
counts = st.floats(0.0, 1e12)


def key(
    block: decoys.Counts, *, variant: bb84_finite.Variant = "capped", secrecy: ArrayLike = 1e-9
) -> bb84_finite.Key:
    leak = reconciliation.leak_bits(np.sum(block.key, axis=-1), block.key_errors)
    return bb84_finite.length(
        block, SOURCE, leak_bits=leak, variant=variant, security=bb84_finite.Security(secrecy=secrecy)
    )


def block(
    *, misalignment: ArrayLike = 0.01, transmittance: float = 0.01, seconds: float = 10.0
) -> decoys.Counts:
    receiver = detection.Receiver(efficiency=0.2, noise=1e-6, misalignment=misalignment)
    return expectation.counts(SOURCE, receiver, transmittance=transmittance, pulses_hz=1e9, seconds=seconds)


@given(
    st.tuples(counts, counts, counts),
    st.tuples(counts, counts, counts),
    st.floats(0.0, 1.0),
    st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    variants,
)
def test_a_key_is_never_longer_than_what_was_sifted(
    sifted: tuple[float, float, float],
    check: tuple[float, float, float],
    qber: float,
    check_qber: tuple[float, float, float],
    variant: bb84_finite.Variant,
) -> None:
    found = key(
        decoys.Counts(
            key=sifted,
            check=check,
            key_errors=qber * sum(sifted) * (1 - 1e-12),
            check_errors=np.multiply(check, check_qber),
        ),
        variant=variant,
    )
    assert 0.0 <= float(found.bits) <= sum(sifted)
    assert 0.0 <= float(found.phase_error) <= 0.5
    assert float(found.key.vacuum + found.key.single) <= sum(sifted) * (1 + 1e-12)


@given(variants, st.floats(1.0, 1000.0), st.floats(0.001, 0.1))
def test_more_errors_never_give_more_key(
    variant: bb84_finite.Variant, seconds: float, transmittance: float
) -> None:
    errors = [0.0, 0.005, 0.01, 0.03, 0.06, 0.1, 0.2]
    counted = block(misalignment=errors, seconds=seconds, transmittance=transmittance)
    lengths = key(counted, variant=variant).bits.tolist()
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 0.0


@given(variants, st.floats(1.0, 1000.0))
def test_a_smaller_epsilon_never_gives_more_key(variant: bb84_finite.Variant, seconds: float) -> None:
    lengths = key(
        block(seconds=seconds), variant=variant, secrecy=[1e-3, 1e-6, 1e-9, 1e-12, 1e-15]
    ).bits.tolist()
    assert lengths == sorted(lengths, reverse=True)


@given(st.floats(1.0, 1000.0), st.floats(0.0, 0.1))
def test_the_cap_never_shortens_the_key(seconds: float, misalignment: float) -> None:
    counted = block(seconds=seconds, misalignment=misalignment)
    assert float(key(counted, variant="capped").bits) >= float(key(counted, variant="as printed").bits)


@settings(max_examples=20)
@given(st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=6), variants)
def test_an_array_of_blocks_is_each_block_alone(
    transmittances: list[float], variant: bb84_finite.Variant
) -> None:
    receiver = detection.Receiver(efficiency=0.2, noise=1e-6, misalignment=0.01)
    together = key(
        expectation.counts(SOURCE, receiver, transmittance=transmittances, pulses_hz=1e9, seconds=10.0),
        variant=variant,
    )
    for row, one in enumerate(transmittances):
        assert float(together.bits[row]) == float(key(block(transmittance=one), variant=variant).bits)


def test_no_error_in_a_small_sample_is_not_taken_for_no_error_at_all() -> None:
    quiet = decoys.Counts(key=(1e6, 1e5, 10), check=(2000, 1000, 0), key_errors=0, check_errors=(0, 0, 0))
    assert float(key(quiet).phase_error) > 0.001


def test_an_empty_block_has_no_key() -> None:
    nothing = decoys.Counts(key=(0, 0, 0), check=(0, 0, 0), key_errors=0, check_errors=(0, 0, 0))
    found = key(nothing)
    assert float(found.bits) == 0.0
    assert float(found.phase_error) == 0.5


def test_the_leak_is_what_was_revealed_or_a_factor_over_the_limit_of_shannon() -> None:
    assert float(reconciliation.leak_bits(1000, 110, efficiency=1.0)) == pytest.approx(499.9, abs=0.1)
    assert float(reconciliation.leak_bits(0, 0)) == 0.0
    assert float(reconciliation.leak_bits(1000, 700, efficiency=1.0)) == 1000.0
    counted = block()
    half = bb84_finite.length(counted, SOURCE, leak_bits=1e4)
    full = bb84_finite.length(counted, SOURCE, leak_bits=2e4)
    assert float(half.bits) - float(full.bits) == 1e4


def source(**changed: object) -> Callable[[], object]:
    return lambda: replace(SOURCE, **changed)  # type: ignore[arg-type] # wrong values are the point


def counted(**changed: object) -> Callable[[], object]:
    one = decoys.Counts(key=(10, 5, 1), check=(10, 5, 1), key_errors=1, check_errors=(1, 1, 1))
    return lambda: replace(one, **changed)  # type: ignore[arg-type] # wrong values are the point


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (source(intensities=(0.5, 0.4, 0.2)), "over the sum of both decoys"),
        (source(intensities=(0.5, 0.1, 0.1)), "the intensities must fall"),
        (source(intensities=(0.5, 0.1, -0.1)), "intensity is -0.1"),
        (source(intensities=(0.5, 0.1)), "intensities has the shape"),
        (source(intensities=0.5), "intensities has the shape"),
        (source(probabilities=(0.5, 0.4, 0.2)), "sum to 1.1, and must sum to 1"),
        (source(probabilities=(0.5, 0.5, 0.0)), "a probability over 0"),
        (source(probabilities=(1.5, -0.5, 0.0)), "the probability of an intensity is 1.5"),
        (source(key_basis=1.2), "the probability of the key basis is 1.2"),
        (counted(key=(-1, 5, 1)), "count of the key basis is -1"),
        (counted(check=(10, 5)), "check has the shape"),
        (counted(check=(10, np.nan, 1)), "count of the check basis is nan"),
        (counted(key_errors=17), "the key basis has more errors than events"),
        (counted(key_errors=-1), "errors of the key basis is -1"),
        (counted(check_errors=(0, 6, 0)), "the check basis has more errors than events"),
        (counted(check_errors=(0, -6, 0)), "errors of the check basis is -6"),
        (lambda: bb84_finite.Security(secrecy=0.0), "secrecy is 0, and must be over 0"),
        (lambda: bb84_finite.Security(correctness=2.0), "correctness is 2"),
        (lambda: bb84_finite.length(block(), SOURCE, leak_bits=-1), "bits revealed by reconciliation is -1"),
        (lambda: reconciliation.leak_bits(10, 1, efficiency=0.9), "efficiency of reconciliation is 0.9"),
        (lambda: reconciliation.leak_bits(10, 11), "error rate is 1.1"),
    ],
)
def test_what_no_block_can_be_is_refused(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(InvalidQuantity, match=reason):
        wrong()

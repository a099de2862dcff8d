"""Key lengths that were published, or computed once by other means from a published formula."""

import numpy as np
import pytest

from qfleet_wire.qkd import bb84_finite, decoys, reconciliation

COUNTS = decoys.Counts(
    key=(11563352, 581332, 37),
    check=(1139286, 57276, 4),
    key_errors=18448,
    check_errors=(1731, 87, 0),
)
SOURCE = decoys.Source(
    intensities=(0.7921, 0.1707, 0.0), probabilities=(0.7501, 0.1749, 0.075), key_basis=0.9
)


def finite(variant: bb84_finite.Variant) -> bb84_finite.Key:
    total = np.sum(COUNTS.key)
    leak = reconciliation.leak_bits(total, COUNTS.key_errors, efficiency=1.16)
    return bb84_finite.length(COUNTS, SOURCE, leak_bits=leak, variant=variant)


@pytest.mark.parametrize(("variant", "bits"), [("as printed", 3_766_439), ("capped", 4_160_156)])
def test_the_bound_of_lim_2014_to_the_bit(variant: bb84_finite.Variant, bits: int) -> None:
    key = finite(variant)
    assert key.variant == variant
    assert float(key.bits) == bits


def test_the_ingredients_of_that_bound() -> None:
    key = finite("as printed")
    assert float(key.vacuum) == 0.0
    assert float(key.single) == pytest.approx(4_653_782.5, abs=0.1)
    assert float(key.check_single) == pytest.approx(343_369.1, abs=0.1)
    assert float(key.check_single_errors) == pytest.approx(6113.852, abs=1e-3)
    assert float(key.phase_error) == pytest.approx(0.0199099, abs=1e-7)
    assert float(finite("capped").check_single_errors) == 1731 + 87

"""Keys of both bases: what halves of ε and announced errors cost, and that no bound is exceeded."""

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.network import scenarios
from qfleet_controlplane.network.budget import blocks, parts
from qfleet_controlplane.network.scenario.model import Source
from qfleet_controlplane.network.scenario.reading import read
from qfleet_wire.qkd import (
    bb84_asymptotic,
    bb84_finite,
    bbm92,
    both_bases,
    decoys,
    detection,
    expectation,
    plob,
    reconciliation,
)

MICIUS = read(scenarios.text_of("micius"), "micius.toml")
PULSES_HZ = 1e8


def source(basis: float) -> decoys.Source:
    return decoys.Source(intensities=(0.8, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25), key_basis=basis)


def counted(basis: float, loss_db: float, seconds: float) -> decoys.Counts:
    receiver = detection.Receiver(efficiency=0.5, noise=1e-7, misalignment=0.01)
    return expectation.counts(
        source(basis), receiver, transmittance=10 ** (-loss_db / 10), pulses_hz=PULSES_HZ, seconds=seconds
    )


def leak(counts: decoys.Counts) -> float:
    return float(reconciliation.leak_bits(np.sum(counts.key), counts.key_errors))


def test_announced_errors_cost_the_logarithm_of_how_many_there_can_be() -> None:
    assert float(both_bases.announced_bits((7, 0, 1023))) == 3 + 0 + 10


def test_both_halves_are_what_is_allowed_of_both_keys_together() -> None:
    half = both_bases.halved(bb84_finite.Security(secrecy=1e-9, correctness=1e-15))
    assert float(np.asarray(half.secrecy)) * 2 == 1e-9
    assert float(np.asarray(half.correctness)) * 2 == 1e-15


def test_even_bases_give_twice_one_basis_less_what_composing_costs() -> None:
    counts = counted(0.5, 30.0, 273.0)
    leaks = both_bases.Leaks(key=leak(counts), check=leak(counts))
    both = both_bases.decoyed(counts, counts, source(0.5), leaks=leaks)
    one = bb84_finite.length(counts, source(0.5), leak_bits=leak(counts))
    assert float(both.key_bits) == float(both.check_bits)
    announced = sum(math.log2(each + 1) for each in np.asarray(counts.key).tolist())
    # Half of ε_cor is one bit; half of ε_sec widens every deviation a little, too.
    lost = float(one.bits - both.key_bits)
    assert announced + 1 < lost < announced + 0.02 * float(one.bits)


def test_roles_exchanged_exchange_the_keys() -> None:
    counts, exchanged = counted(0.7, 30.0, 273.0), counted(0.3, 30.0, 273.0)
    leaks = both_bases.Leaks(key=leak(counts), check=leak(exchanged))
    back = both_bases.Leaks(key=leak(exchanged), check=leak(counts))
    there = both_bases.decoyed(counts, exchanged, source(0.7), leaks=leaks)
    here = both_bases.decoyed(exchanged, counts, source(0.3), leaks=back)
    assert (float(there.key_bits), float(there.check_bits)) == (float(here.check_bits), float(here.key_bits))
    assert float(there.key_bits) > float(there.check_bits) > 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(basis=st.floats(0.05, 0.95), loss_db=st.floats(5.0, 60.0), log_s=st.floats(0.0, 5.0))
def test_no_block_gives_more_than_endless_ones_or_than_the_channel(
    basis: float, loss_db: float, log_s: float
) -> None:
    seconds = 10.0**log_s
    counts, exchanged = counted(basis, loss_db, seconds), counted(1.0 - basis, loss_db, seconds)
    leaks = both_bases.Leaks(key=leak(counts), check=leak(exchanged))
    both = both_bases.decoyed(counts, exchanged, source(basis), leaks=leaks)
    endless = sum(
        max(0.0, float(bb84_asymptotic.length(each, source(basis), leak_bits=leak(each))))
        for each in (counts, exchanged)
    )
    assert float(both.bits) <= endless
    assert float(both.bits) <= seconds * PULSES_HZ * float(plob.bits_per_use(10 ** (-loss_db / 10)))


def test_pairs_make_key_of_both_bases_too() -> None:
    leaks = both_bases.Leaks(key=2e4, check=2e4)
    both = both_bases.paired(1e5, 1e5, (0.02, 0.02), leaks=leaks)
    one = bbm92.length(1e5, 1e5, 0.02, leak_bits=2e4)
    assert 1.99 * float(one.bits) < float(both.bits) < 2 * float(one.bits) - 2 * math.log2(1e5)
    # The errors of each basis bound the key of the other.
    uneven = both_bases.paired(1e5, 1e5, (0.02, 0.08), leaks=leaks)
    assert float(uneven.key_bits) < float(uneven.check_bits)


@pytest.mark.parametrize("protocol", ["bb84", "bbm92"])
def test_the_planner_takes_what_gives_more(protocol: Literal["bb84", "bbm92"]) -> None:
    detector = MICIUS.detectors["silicon"]
    even, biased = (
        blocks.Ends(
            source=Source(protocol=protocol, rate_hz=1e8, key_basis=basis),
            receiver=parts.receiver(detector), partner=parts.receiver(detector),
        )
        for basis in (0.5, 0.9)
    )  # fmt: skip
    through, seconds = [1e-3], [600.0]
    for ends, least, most in ((even, 1.8, 2.0), (biased, 1.0, 1.1)):
        found = float(blocks.keys(ends, through, seconds=seconds).bits)
        seen = blocks.sifted(ends, through)
        if protocol == "bb84":
            counts = counted_by(ends)
            alone = float(bb84_finite.length(counts, parts.source(ends.source), leak_bits=leak(counts)).bits)
        else:
            key, check, error = (
                float(each[0]) for each in (seen.key_bps * 600, seen.check_bps * 600, seen.qber)
            )
            cost = reconciliation.leak_bits(key, key * error)
            alone = float(bbm92.length(key, check, error, leak_bits=cost).bits)
        assert alone > 0
        assert least * alone <= found < most * alone


def counted_by(ends: blocks.Ends) -> decoys.Counts:
    return expectation.counts(
        parts.source(ends.source), ends.receiver, transmittance=1e-3, pulses_hz=1e8, seconds=600.0
    )

"""Sifting: compact and exact encodings, and two ends that count the same."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import qkd_cases
from tests.unit.qkd_cases import ENTANGLED, PULSES

from qfleet_agent.qkd import packing, plan, sifting
from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.quantum.apparatus import Events, Settings
from qfleet_wire import codec


@given(st.lists(st.integers(0, (1 << 31) - 2), unique=True, max_size=60).map(sorted))
def test_slots_survive_packing(slots: list[int]) -> None:
    array = np.array(slots, dtype=np.int64)
    assert packing.unpacked_slots(packing.packed_slots(array), below=(1 << 31) - 1).tolist() == slots


@given(st.binary(max_size=40))
def test_any_bytes_are_slots_of_the_block_or_refused(data: bytes) -> None:
    try:
        slots = packing.unpacked_slots(data, below=1 << 20).tolist()
    except ExchangeInvalid:
        return
    assert slots == sorted(set(slots))
    assert all(0 <= slot < 1 << 20 for slot in slots)


@given(st.lists(st.integers(0, 1), max_size=70))
def test_bits_survive_packing(bits: list[int]) -> None:
    data = packing.packed_bits(np.array(bits, dtype=np.uint8))
    assert packing.unpacked_bits(data, len(bits)).tolist() == bits
    with pytest.raises(ExchangeInvalid, match="bytes were sent for"):
        packing.unpacked_bits(data + b"x", len(bits))


@pytest.mark.parametrize("session", [PULSES, ENTANGLED], ids=["pulses", "pairs"])
def test_both_ends_hold_the_same_tally_and_nearly_the_same_key(session: plan.Plan) -> None:
    for mine, theirs in qkd_cases.sifted(session):
        for name in ("counted", "known", "key", "check", "check_errors"):
            assert np.array_equal(getattr(mine.tally, name), getattr(theirs.tally, name))
        assert len(mine.key) == len(theirs.key) == mine.tally.key.sum() > 500
        assert 0.0 < np.mean(mine.key != theirs.key) < 0.08
        assert 0.0 < mine.tally.error_rate < 0.08


def test_the_announcements_say_nothing_of_the_key() -> None:
    """Flipping bits of the key basis at either end changes no message."""
    alice, bob = qkd_cases.devices(PULSES)
    events = bob.events(0)
    flipped = Events(events.slot, events.basis, events.bit ^ (1 - events.basis))
    counted = sifting.announced(0, events)
    assert counted == sifting.announced(0, flipped)
    heard = sifting.heard(counted, pulses=PULSES.block_pulses)
    settings = alice.settings(0, heard.slot)
    key = ((settings.basis == 0) | (heard.basis == 0)).astype(np.uint8)
    changed = Settings(settings.known, settings.basis, settings.bit ^ key, settings.intensity)
    assert sifting.answered(0, heard, settings)[0] == sifting.answered(0, heard, changed)[0]


def test_an_announcement_takes_few_bytes_for_a_count() -> None:
    session = qkd_cases.of_line(PULSES, transmittance=0.01)
    _, bob = qkd_cases.devices(session)
    events = bob.events(0)
    mean_gap = session.block_pulses / len(events.slot)
    assert 1500 < mean_gap < 3500
    # The entropy of such a gap is 13 bits or so, and a basis takes a bit at most.
    assert len(codec.encode(sifting.announced(0, events))) < 2.4 * len(events.slot)


def test_lies_of_the_other_end_are_refused() -> None:
    alice, bob = qkd_cases.devices(PULSES)
    events = bob.events(0)
    counted = sifting.announced(0, events)
    with pytest.raises(ExchangeInvalid, match="slots were sent as 7"):
        sifting.heard(msgspec.structs.replace(counted, count=7), pulses=PULSES.block_pulses)
    with pytest.raises(ExchangeInvalid, match="lies behind the 100 pulses"):
        sifting.heard(counted, pulses=100)
    heard = sifting.heard(counted, pulses=PULSES.block_pulses)
    answer, _ = sifting.answered(0, heard, alice.settings(0, heard.slot))
    low, high = answer.intensities
    with pytest.raises(ExchangeInvalid, match="an intensity is 3"):
        sifting.concluded(events, msgspec.structs.replace(answer, intensities=(b"\xff" * len(low), high)))
    with pytest.raises(ExchangeInvalid, match="bytes were sent for"):
        sifting.concluded(events, msgspec.structs.replace(answer, check=b""))


def test_a_block_without_counts_is_a_block() -> None:
    dark = qkd_cases.of_bob(qkd_cases.of_line(PULSES, transmittance=0.0), noise=0.0)
    assert [len(theirs.key) for _, theirs in qkd_cases.sifted(dark)] == [0, 0]
    assert qkd_cases.tally(dark).error_rate == 0.5

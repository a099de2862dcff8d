"""The simulated devices: what they draw is what the formulas expect, and both ends see the same light."""

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import qkd_cases
from tests.unit.qkd_cases import ENTANGLED, PULSES, SEED, SOURCE

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum import draws, laws
from qfleet_agent.qkd.quantum.apparatus import Events, Settings, Slots
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice
from qfleet_wire.qkd import bbm92, detection, expectation, pairs

SIGMAS = 6.4
"""A normal variable is farther out with p = 1.6e-10."""


def devices(session: plan.Plan) -> tuple[SimulatedDevice, SimulatedDevice]:
    return SimulatedDevice(session, SEED, "alice"), SimulatedDevice(session, SEED, "bob")


def whole(session: plan.Plan) -> tuple[Events, Settings]:
    """All blocks of a session behind each other."""
    alice, bob = devices(session)
    events = [bob.events(block) for block in range(session.blocks)]
    settings = [alice.settings(block, seen.slot) for block, seen in enumerate(events)]
    return (
        Events(*(np.concatenate([getattr(e, name) for e in events]) for name in Events.__slots__)),
        Settings(*(np.concatenate([getattr(s, name) for s in settings]) for name in Settings.__slots__)),
    )


def near(found: Any, expected: Any, *, spread: Any = None) -> bool:
    """Whether a count is where a Poisson variable, or one of another spread, must be."""
    return bool(abs(found - expected) <= SIGMAS * np.sqrt(expected if spread is None else spread) + 5.0)


LINES = [
    PULSES,
    qkd_cases.of_bob(PULSES, afterpulsing=0.04, dead_time_s=1e-6),
    qkd_cases.of_bob(PULSES, noise=1e-3, misalignment=0.03),
]


@pytest.mark.parametrize("session", LINES, ids=["plain", "blind", "noisy"])
def test_counts_of_weak_pulses_are_those_expected(session: plan.Plan) -> None:
    events, settings = whole(session)
    expected = expectation.counts(
        plan.source_model(SOURCE),
        plan.receiver_model(session.line.bob),
        transmittance=session.line.transmittance,
        pulses_hz=session.line.pulses_hz,
        seconds=session.pulses / session.line.pulses_hz,
    )
    wrong = events.bit != settings.bit
    for basis, counts in ((0, expected.key), (1, expected.check)):
        both = (events.basis == basis) & (settings.basis == basis)
        for k, count in enumerate(np.asarray(counts)):
            assert near(np.count_nonzero(both & (settings.intensity == k)), float(count))
    errors = [
        np.count_nonzero(wrong & (events.basis == 1) & (settings.basis == 1) & (settings.intensity == k))
        for k in range(3)
    ]
    assert all(
        near(found, float(mean))
        for found, mean in zip(errors, np.asarray(expected.check_errors), strict=True)
    )
    in_key = np.count_nonzero(wrong & (events.basis == 0) & (settings.basis == 0))
    assert near(in_key, expected.key_errors)
    other = events.basis != settings.basis
    assert near(np.count_nonzero(wrong & other), other.sum() / 2, spread=other.sum() / 4)
    assert settings.known.all()


@pytest.mark.parametrize("afterpulsing", [0.0, 0.03])
def test_counts_of_pairs_are_those_expected(afterpulsing: float) -> None:
    session = qkd_cases.of_bob(ENTANGLED, afterpulsing=afterpulsing, dead_time_s=2e-8)
    protocol = session.protocol
    assert isinstance(protocol, plan.Pairs)
    events, settings = whole(session)
    receivers = plan.receiver_model(protocol.alice), plan.receiver_model(session.line.bob)
    seen = pairs.coincidences(0.05, pairs.split(session.line.transmittance, place=0.5), *receivers)
    rates = bbm92.sifted(seen, session.line.pulses_hz, *receivers, key_basis=0.7)
    seconds = session.pulses / session.line.pulses_hz
    same = settings.known & (events.basis == settings.basis)
    key, check = same & (events.basis == 0), same & (events.basis == 1)
    assert near(np.count_nonzero(key), float(rates.key_bps) * seconds)
    assert near(np.count_nonzero(check), float(rates.check_bps) * seconds)
    wrong = np.count_nonzero(same & (events.bit != settings.bit))
    assert near(wrong, float(rates.qber * (rates.key_bps + rates.check_bps)) * seconds)
    alive = float(detection.live(seen.bob, session.line.pulses_hz, receivers[1]))
    assert near(len(events.slot), float(seen.bob) * session.pulses * alive)


def test_the_law_of_a_line_is_the_sum_over_photons() -> None:
    """Gains by intensity against yields by photon number, which the attacks are made of."""
    law = laws.of_pulses(SOURCE, PULSES.line)
    n = np.arange(40)
    factorial = np.cumprod(np.concatenate([[1.0], n[1:]]))
    for k, mu in enumerate(SOURCE.intensities):
        chance = np.exp(-mu) * mu**n / factorial
        yields = detection.yields(n, PULSES.line.transmittance, plan.receiver_model(PULSES.line.bob))
        errors = detection.photon_errors(n, PULSES.line.transmittance, plan.receiver_model(PULSES.line.bob))
        assert law.gain[k] == pytest.approx(np.full(2, (chance * yields).sum()), rel=1e-12)
        assert law.gain[k] * law.error[k] == pytest.approx(
            np.full(2, (chance * yields * errors).sum()), rel=1e-12
        )


def test_both_ends_draw_the_same_and_blocks_differ() -> None:
    events, settings = whole(PULSES)
    again, _ = whole(PULSES)
    assert np.array_equal(events.slot, again.slot)
    assert np.array_equal(events.bit, again.bit)
    _, bob = devices(PULSES)
    assert not np.array_equal(bob.events(0).slot[:50], bob.events(1).slot[:50])
    other = SimulatedDevice(PULSES, bytes(32), "bob")
    assert not np.array_equal(bob.events(0).slot[:50], other.events(0).slot[:50])
    assert near(settings.bit.sum(), len(settings.bit) / 2, spread=len(settings.bit) / 4)


def test_a_slot_that_nobody_counted_has_settings_of_its_own() -> None:
    alice, bob = devices(PULSES)
    counted = bob.events(0).slot
    slots = np.setdiff1d(np.arange(1500), counted)
    found, again = alice.settings(0, slots), alice.settings(0, slots)
    assert found.known.all()
    assert np.array_equal(found.bit, again.bit)
    assert near(found.bit.sum(), len(slots) / 2, spread=len(slots) / 4)
    assert near(np.count_nonzero(found.basis == 0), 0.7 * len(slots), spread=0.21 * len(slots))


def test_only_coincidences_are_known_to_both_sides_of_pairs() -> None:
    alice, bob = devices(ENTANGLED)
    mine, theirs = alice.events(0), bob.events(0)
    common = np.intersect1d(mine.slot, theirs.slot)
    assert np.array_equal(theirs.slot[alice.settings(0, theirs.slot).known], common)
    assert 0 < len(common) < len(mine.slot)


@given(st.lists(st.integers(0, 400), unique=True).map(sorted), st.integers(0, 50))
def test_a_blind_receiver_counts_what_comes_after_its_dead_time(slots: list[int], dead: int) -> None:
    kept = draws.seen(np.array(slots, dtype=np.int64), dead).tolist()
    last, expected = -1000, []
    for index, slot in enumerate(slots):
        if slot - last > dead:
            expected.append(index)
            last = slot
    assert kept == expected


@pytest.mark.parametrize("probability", [0.0, 1e-12, 3e-5, 0.2, 1.0])
def test_counts_fall_anywhere_and_once(probability: float) -> None:
    pulses = 200_000
    slots: Slots = draws.counted(draws.chances(SEED, 0), pulses, probability)
    spread = pulses * probability * (1.0 - probability)
    assert near(len(slots), pulses * probability, spread=spread)
    assert all(a < b for a, b in itertools.pairwise(slots.tolist()))
    assert len(slots) == 0 or (slots[0] >= 0 and slots[-1] < pulses)
    halves = np.count_nonzero(slots < pulses // 2)
    assert near(halves, len(slots) / 2, spread=len(slots) / 4)


def test_a_thousand_million_pulses_cost_what_is_counted_of_them() -> None:
    session = plan.Plan(
        session="long",
        protocol=SOURCE,
        line=plan.Line(transmittance=10**-3.5, bob=qkd_cases.BOB, pulses_hz=1e9),
        blocks=1,
        block_pulses=10**9,
        delay_s=0.0,
    )
    tracemalloc.start()
    events, _ = whole(session)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gain = float(laws.of_pulses(SOURCE, session.line).gain[:, 0] @ SOURCE.probabilities)
    assert near(len(events.slot), 10**9 * gain)
    assert peak < 64 << 20


def test_what_a_device_cannot_tell_is_refused() -> None:
    alice, bob = devices(PULSES)
    with pytest.raises(ExchangeMisused, match="has a source and no detectors"):
        alice.events(0)
    with pytest.raises(ExchangeMisused, match="block 2 was asked for, and the plan has 2"):
        bob.events(2)
    with pytest.raises(ExchangeMisused, match="32 bytes"):
        SimulatedDevice(PULSES, b"short", "bob")
    with pytest.raises(ExchangeMisused, match="not one of the plan's protocol"):
        SimulatedDevice(ENTANGLED, SEED, "bob", laws.of_pulses(SOURCE, PULSES.line))

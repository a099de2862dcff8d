import copy
import pickle
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.wire_fleet import DEVICE, NOW, REGION, seeded

from qfleet_wire.channel import rates, session, sessions
from qfleet_wire.channel.session import Binding, Dropped, Opened, Secrets, Session, Terms, Window
from qfleet_wire.errors import MessageTooLong, NoSession
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis, RegionName

RANDOM = seeded("envelope")
SECRETS = Secrets(b"u" * 32, b"d" * 32)
FOREVER = Millis(NOW + 10**12)
MINUTE = 60_000


def pair(
    *, name: bytes = b"s" * 16, secrets: Secrets = SECRETS, rekey_ms: int = 3_600_000
) -> tuple[Session, Session]:
    """The two ends of one session."""
    binding = Binding(1, name, REGION, DEVICE)
    terms = Terms(FOREVER, rekey_ms=rekey_ms)
    return (
        Session("device", secrets, binding, terms, now=NOW),
        Session("controller", secrets, binding, terms, now=NOW),
    )


def seal(end: Session, text: bytes = b"text", now: int = NOW) -> bytes:
    return end.seal(text, now=Millis(now), random=RANDOM)


def text_of(outcome: session.Outcome) -> bytes:
    assert isinstance(outcome, Opened), outcome
    return outcome.plaintext


# ── what an envelope is ─────────────────────────────────────────────────────────────────────


@given(st.binary(max_size=2000))
def test_what_one_side_seals_the_other_opens(text: bytes) -> None:
    device, controller = pair()
    assert text_of(controller.open(seal(device, text), NOW)) == text
    assert text_of(device.open(seal(controller, text), NOW)) == text


def test_the_header_is_version_suite_phase_session_and_sequence_then_a_nonce() -> None:
    device, _ = pair()
    seal(device)
    envelope = seal(device, b"abc")
    kind, version, suite, phase, name, sequence = struct.unpack(">BBBB16sQ", envelope[:28])
    assert (kind, version, suite, phase, name, sequence) == (0x20, 1, 1, 0, b"s" * 16, 1)
    assert len(envelope) == 28 + 24 + 3 + 16
    assert session.OVERHEAD == 68
    assert session.session_of(envelope) == b"s" * 16


def test_nonces_are_random_and_192_bits_wide() -> None:
    device, _ = pair()
    asked: list[int] = []

    def counting(size: int) -> bytes:
        asked.append(size)
        return RANDOM(size)

    envelope = device.seal(b"", now=NOW, random=counting)
    assert asked == [24]
    assert envelope[28:52] != device.seal(b"", now=NOW, random=RANDOM)[28:52]


@pytest.mark.parametrize(
    "binding",
    [
        Binding(1, b"s" * 16, RegionName("south"), DEVICE),
        Binding(1, b"s" * 16, REGION, DeviceName("pi-2")),
        Binding(2, b"s" * 16, REGION, DEVICE),
        Binding(1, b"s" * 16, RegionName("northp"), DeviceName("i-1")),
    ],
)
def test_the_associated_data_binds_region_device_and_suite(binding: Binding) -> None:
    device, _ = pair()
    other = Session("controller", SECRETS, binding, Terms(FOREVER), now=NOW)
    assert other.open(seal(device), NOW) is Dropped.FORGED


def test_the_associated_data_binds_the_direction_even_under_one_key() -> None:
    device, controller = pair(secrets=Secrets(b"k" * 32, b"k" * 32))
    assert device.open(seal(device), NOW) is Dropped.FORGED
    assert isinstance(controller.open(seal(device), NOW), Opened)


def test_a_reflected_message_is_forged() -> None:
    device, controller = pair()
    assert device.open(seal(device), NOW) is Dropped.FORGED
    assert controller.open(seal(controller), NOW) is Dropped.FORGED


def test_every_altered_byte_is_noticed() -> None:
    device, controller = pair()
    envelope = seal(device, b"some text that matters")
    for place in range(len(envelope)):
        for flip in (1, 0x80):
            altered = bytearray(envelope)
            altered[place] ^= flip
            outcome = controller.open(bytes(altered), NOW)
            stale = 4 <= place < 20 or (place == 3 and flip == 0x80)  # another session, another phase
            assert outcome is (Dropped.STALE if stale else Dropped.FORGED), place
    assert isinstance(controller.open(envelope, NOW), Opened)


@given(st.binary(max_size=200))
def test_opening_never_raises(junk: bytes) -> None:
    _, controller = pair()
    held = sessions.Sessions()
    held.adopt(controller, NOW)
    assert isinstance(controller.open(junk, NOW), Dropped)
    assert isinstance(held.open(junk, NOW), Dropped)
    named = b"\x20\x01\x01\x00" + b"s" * 16 + junk
    assert isinstance(controller.open(named, NOW), Dropped)
    assert isinstance(held.open(named, NOW), Dropped)


def test_every_truncation_is_forged() -> None:
    device, controller = pair()
    envelope = seal(device)
    for length in range(len(envelope)):
        assert controller.open(envelope[:length], NOW) is Dropped.FORGED


def test_stale_and_forged_are_told_apart() -> None:
    device, controller = pair()
    old, _ = pair(name=b"o" * 16)
    assert controller.open(seal(old), NOW) is Dropped.STALE
    false, _ = pair(secrets=Secrets(b"x" * 32, b"y" * 32))
    assert controller.open(seal(false), NOW) is Dropped.FORGED
    assert isinstance(controller.open(seal(device), NOW), Opened)


def test_a_plaintext_over_the_frame_limit_is_refused() -> None:
    device, _ = pair()
    with pytest.raises(MessageTooLong, match="send chunks"):
        seal(device, bytes(LIMITS.frame_bytes - session.OVERHEAD + 1))
    assert len(seal(device, bytes(LIMITS.frame_bytes - session.OVERHEAD))) == LIMITS.frame_bytes


def test_no_key_shows() -> None:
    device, _ = pair()
    assert "uuuu" not in repr(device)
    assert not hasattr(device, "__dict__")


def test_a_session_is_neither_copied_nor_stored() -> None:
    device, _ = pair()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="resume instead"):
            attempt(device)


# ── replay ──────────────────────────────────────────────────────────────────────────────────


def test_an_envelope_opens_once() -> None:
    device, controller = pair()
    envelope = seal(device)
    assert isinstance(controller.open(envelope, NOW), Opened)
    assert controller.open(envelope, NOW) is Dropped.REPLAYED


def test_a_window_of_1024_opens_out_of_order_and_no_further() -> None:
    device, controller = pair()
    envelopes = [seal(device) for _ in range(1025)]
    assert isinstance(controller.open(envelopes[1024], NOW), Opened)
    assert isinstance(controller.open(envelopes[1], NOW), Opened)
    assert controller.open(envelopes[0], NOW) is Dropped.REPLAYED
    assert session.WINDOW == 1024


def test_windows_of_the_two_directions_are_separate() -> None:
    device, controller = pair()
    assert isinstance(controller.open(seal(device), NOW), Opened)
    assert isinstance(device.open(seal(controller), NOW), Opened)


def test_a_forged_message_moves_neither_window_nor_phase() -> None:
    device, controller = pair()
    envelope = bytearray(seal(device))
    envelope[3] = 1
    envelope[20:28] = (1 << 40).to_bytes(8, "big")
    assert controller.open(bytes(envelope), NOW) is Dropped.FORGED
    assert isinstance(controller.open(seal(device), NOW), Opened)


@given(st.lists(st.integers(0, 3000), max_size=300))
def test_the_window_agrees_with_a_plain_model(sequence: list[int]) -> None:
    window, seen, highest = Window(), set[int](), -1
    for number in sequence:
        expected = number not in seen and number > highest - 1024
        assert window.take(number) is expected
        if expected:
            seen.add(number)
            highest = max(highest, number)


def test_the_window_holds_at_the_end_of_64_bits() -> None:
    window = Window()
    assert window.take((1 << 64) - 1)
    assert not window.take((1 << 64) - 1)
    assert window.take((1 << 64) - 1024)
    assert not window.take((1 << 64) - 1025)


# ── rekeying ────────────────────────────────────────────────────────────────────────────────


def test_rekeying_moves_the_phase_after_two_to_the_twenty_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert session.REKEY_MESSAGES == 1 << 20
    monkeypatch.setattr(session, "REKEY_MESSAGES", 3)
    device, controller = pair()
    envelopes = [seal(device, str(number).encode()) for number in range(9)]
    assert [envelope[3] for envelope in envelopes] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [text_of(controller.open(envelope, NOW)) for envelope in envelopes] == [
        str(number).encode() for number in range(9)
    ]


def test_rekeying_moves_the_phase_after_the_profiles_interval() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    first, second = seal(device), seal(device, now=NOW + MINUTE)
    assert (first[3], second[3]) == (0, 1)
    assert isinstance(controller.open(second, NOW), Opened)
    assert isinstance(controller.open(first, NOW), Opened)


def test_a_clock_that_is_set_back_or_forward_rekeys_and_harms_nothing() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    for now in (NOW, 0, 5, NOW, NOW + 5):
        assert isinstance(controller.open(seal(device, now=now), Millis(now)), Opened)


def test_the_previous_phase_opens_for_ten_minutes() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    late = [seal(device), seal(device)]
    assert isinstance(controller.open(seal(device, now=NOW + MINUTE), NOW), Opened)
    assert isinstance(controller.open(late[0], Millis(NOW + 10 * MINUTE - 1)), Opened)
    assert controller.open(late[1], Millis(NOW + 10 * MINUTE)) is Dropped.STALE


def test_a_phase_before_the_previous_is_stale() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    late = seal(device)
    for step in (1, 2):
        assert isinstance(controller.open(seal(device, now=NOW + step * MINUTE), NOW), Opened)
    assert controller.open(late, NOW) is Dropped.STALE


def test_phases_whose_every_message_was_lost_are_skipped() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    for step in range(session.PHASES_AHEAD - 1):
        seal(device, now=NOW + step * MINUTE)
    before = seal(device, now=NOW + (session.PHASES_AHEAD - 1) * MINUTE)
    after = seal(device, now=NOW + session.PHASES_AHEAD * MINUTE)
    assert after[3] == session.PHASES_AHEAD
    assert isinstance(controller.open(after, NOW), Opened)
    assert isinstance(controller.open(before, NOW), Opened)
    other, receiver = pair(rekey_ms=MINUTE)
    for step in range(session.PHASES_AHEAD + 1):
        seal(other, now=NOW + step * MINUTE)
    assert receiver.open(seal(other, now=NOW + 9 * MINUTE), NOW) is Dropped.STALE


def test_phases_go_round_after_256() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    for step in range(520):
        assert isinstance(controller.open(seal(device, now=NOW + step * MINUTE), NOW), Opened)


def test_each_direction_rekeys_by_itself() -> None:
    device, controller = pair(rekey_ms=MINUTE)
    assert isinstance(controller.open(seal(device, now=NOW + MINUTE), NOW), Opened)
    assert seal(controller)[3] == 0


# ── several sessions ────────────────────────────────────────────────────────────────────────


def test_there_is_nothing_to_seal_under_before_the_first_session() -> None:
    with pytest.raises(NoSession):
        sessions.Sessions().seal(b"text", now=NOW, random=RANDOM)


def test_a_proposed_session_seals_nothing_until_it_is_confirmed() -> None:
    device, controller = pair()
    held = sessions.Sessions()
    held.propose(controller, NOW)
    with pytest.raises(NoSession):
        held.seal(b"", now=NOW, random=RANDOM)
    outcome = held.open(seal(device), NOW)
    assert isinstance(outcome, Opened)
    assert outcome.confirmed
    assert outcome.session is controller
    assert held.current is controller
    again = held.open(seal(device), NOW)
    assert isinstance(again, Opened)
    assert not again.confirmed


def test_a_forged_message_confirms_nothing() -> None:
    device, controller = pair()
    held = sessions.Sessions()
    held.propose(controller, NOW)
    envelope = seal(device)
    assert held.open(envelope[:-1] + bytes((envelope[-1] ^ 1,)), NOW) is Dropped.FORGED
    assert held.current is None


def test_a_proposed_session_waits_ten_minutes_and_few_wait() -> None:
    ends = [pair(name=bytes((number,)) * 16) for number in range(6)]
    held = sessions.Sessions()
    for _, controller in ends:
        held.propose(controller, NOW)
    assert held.open(seal(ends[0][0]), NOW) is Dropped.STALE
    assert held.open(seal(ends[5][0]), Millis(NOW + 600_000)) is Dropped.STALE
    assert isinstance(held.open(seal(ends[4][0]), Millis(NOW + 599_999)), Opened)


def test_the_last_session_opens_for_ten_minutes_more() -> None:
    (old_device, old), (_, new) = pair(name=b"o" * 16), pair(name=b"n" * 16)
    held = sessions.Sessions()
    held.adopt(old, NOW)
    held.adopt(new, NOW)
    late = [seal(old_device), seal(old_device)]
    assert isinstance(held.open(late[0], Millis(NOW + 599_999)), Opened)
    assert held.open(late[1], Millis(NOW + 600_000)) is Dropped.STALE


def test_ending_forgets_every_session() -> None:
    (device, controller), (waiting_device, waiting) = pair(), pair(name=b"w" * 16)
    held = sessions.Sessions()
    held.adopt(controller, NOW)
    held.propose(waiting, NOW)
    held.end()
    assert held.open(seal(device), NOW) is Dropped.STALE
    assert held.open(seal(waiting_device), NOW) is Dropped.STALE
    with pytest.raises(NoSession):
        held.seal(b"", now=NOW, random=RANDOM)


# ── counting ────────────────────────────────────────────────────────────────────────────────


def test_only_forged_alarms_and_at_most_once_a_minute() -> None:
    drops = rates.Drops()
    assert not drops.count(Dropped.STALE, NOW)
    assert not drops.count(Dropped.REPLAYED, NOW)
    rung = [drops.count(Dropped.FORGED, Millis(NOW + second * 1000)) for second in range(121)]
    assert [second for second, alarm in enumerate(rung) if alarm] == [0, 60, 120]
    assert (drops.stale, drops.replayed, drops.forged) == (1, 1, 121)


def test_buckets_refill_forget_and_survive_a_clock_set_back() -> None:
    buckets = rates.Buckets(burst=1, interval_ms=1000)
    assert buckets.admit("a", NOW)
    assert not buckets.admit("a", Millis(NOW - 5000))
    assert not buckets.admit("a", Millis(NOW - 4500))
    assert buckets.admit("a", Millis(NOW - 3500))
    for number in range(rates.MOST_KEYS + 1):
        buckets.admit(number, NOW)
    assert buckets.admit("a", NOW)


def test_a_random_walk_over_a_lossy_link_opens_each_message_at_most_once() -> None:
    dice = random.Random("walk")
    device, controller = pair(rekey_ms=MINUTE)
    wire: list[tuple[int, bytes]] = []
    opened: list[bytes] = []
    for number in range(3000):
        now = NOW + number * 100
        wire.append((number, seal(device, str(number).encode(), now)))
        for _ in range(dice.randrange(3)):
            place = max(0, len(wire) - 1 - dice.randrange(50))
            outcome = controller.open(wire[place][1], Millis(now))
            if isinstance(outcome, Opened):
                opened.append(outcome.plaintext)
            else:
                assert outcome is Dropped.REPLAYED
    assert len(opened) == len(set(opened)) > 1500

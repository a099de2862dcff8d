"""Error verification and tags: unequal keys do not pass, forged messages do not verify."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.qkd import verification
from qfleet_agent.qkd.authentication import KEY_BYTES, Direction, Purpose, Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeMisused
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.transcript import Transcript

LINK_KEY = bytes(range(KEY_BYTES))
PURPOSES: tuple[Purpose, ...] = ("transcript", "released", "gone")


@given(st.lists(st.integers(0, 1), min_size=1, max_size=400), st.binary(min_size=48, max_size=48), st.data())
def test_one_wrong_bit_changes_a_long_tag(bits: list[int], seed: bytes, data: st.DataObject) -> None:
    point, factor = (int.from_bytes(seed[at : at + 16], "big") >> 1 for at in (0, 16))
    key = np.array(bits, dtype=np.uint8)
    other = key.copy()
    other[data.draw(st.integers(0, len(bits) - 1))] ^= 1
    same = verification.tag(key, seed, 120) == verification.tag(other, seed, 120)
    # One differing coefficient vanishes at 0 only, and a factor of 0 forgets all.
    assert same == (point % verification.PRIME == 0 or factor % verification.PRIME == 0) or len(bits) > 120


def test_short_tags_collide_as_often_as_they_may() -> None:
    rng = np.random.default_rng(5)
    key = rng.integers(0, 2, 1000, dtype=np.uint8)
    other = key ^ (rng.random(1000) < 0.1).astype(np.uint8)
    seeds = [rng.bytes(48) for _ in range(4000)]
    same = sum(verification.tag(key, seed, 5) == verification.tag(other, seed, 5) for seed in seeds)
    assert abs(same - 125) < 6.4 * np.sqrt(125)


def test_the_tag_is_the_polynomial() -> None:
    """Against fractions of whole numbers written out another way."""
    key = np.tile(np.array([1, 0, 0, 1, 1, 1, 0], dtype=np.uint8), 40)
    seed = bytes(range(48))
    point, factor, offset = (int.from_bytes(seed[at : at + 16], "big") >> 1 for at in (0, 16, 32))
    data = np.packbits(key).tobytes()
    parts = [len(key), *(int.from_bytes(data[at : at + 15], "big") for at in range(0, len(data), 15))]
    value = sum(Fraction(part) * point**power for power, part in enumerate(reversed(parts)))
    expected = (int(value) * factor + offset) % (2**127 - 1) % 2**50
    assert int.from_bytes(verification.tag(key, seed, 50), "big") == expected


def test_the_tag_is_as_long_as_correctness_asks() -> None:
    assert verification.tag_bits(10**6, 1e-15) == 50
    assert verification.tag_bits(10**6, 2.0**-50) == 51
    with pytest.raises(ExchangeMisused, match="no tag of this hash"):
        verification.tag_bits(10**6, 1e-38)
    with pytest.raises(ExchangeMisused, match="48 are needed"):
        verification.tag(np.zeros(8, dtype=np.uint8), bytes(47), 50)


@given(st.binary(max_size=80), st.sampled_from(PURPOSES), st.integers(0, 8 * 80 + 127))
def test_a_changed_message_does_not_verify(message: bytes, purpose: Purpose, flip: int) -> None:
    tagger = Tagger(LINK_KEY)
    tag = tagger.tag("from alice", purpose, message)
    tagger.check("from alice", purpose, message, tag)
    whole = bytearray(message + tag)
    whole[flip // 8 % len(whole)] ^= 1 << flip % 8
    with pytest.raises(ExchangeForged, match=f"the word '{purpose}' from alice"):
        tagger.check("from alice", purpose, bytes(whole[: len(message)]), bytes(whole[len(message) :]))


def test_a_message_does_not_serve_for_another() -> None:
    tagger = Tagger(LINK_KEY)
    tag = tagger.tag("from alice", "gone", b"message")
    others: tuple[tuple[Direction, Purpose], ...] = (("from bob", "gone"), ("from alice", "released"))
    for direction, purpose in others:
        with pytest.raises(ExchangeForged):
            tagger.check(direction, purpose, b"message", tag)
    with pytest.raises(ExchangeForged):
        Tagger(LINK_KEY[::-1]).check("from alice", "gone", b"message", tag)


def test_every_word_has_a_pad_of_its_own() -> None:
    # With the point 0 the polynomial is 0, and a tag is its pad.
    tagger = Tagger(bytes(32) + np.random.default_rng(1).bytes(KEY_BYTES - 32))
    directions: tuple[Direction, Direction] = ("from alice", "from bob")
    pads = {tagger.tag(way, purpose, b"any") for way in directions for purpose in PURPOSES}
    assert len(pads) == 6
    with pytest.raises(ExchangeMisused, match="127 bytes of the link's key were given, and 128 are needed"):
        Tagger(bytes(127))


def test_the_pad_is_added_to_the_polynomial() -> None:
    """Poly1305 of RFC 8439, section 2.5.2: its r and s as the second point and the first pad."""
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tagger = Tagger(bytes(16) + key + bytes(KEY_BYTES - 48))
    tag = tagger.tag("from alice", "transcript", b"Cryptographic Forum Research Group")
    assert tag.hex() == "a8061dc1305136c6c22b8baf0c0127a9"


@pytest.mark.parametrize("tagger", [None, Tagger(LINK_KEY)], ids=["sealed", "tagged"])
def test_a_transcript_is_that_of_all_messages_in_order_in_each_direction(tagger: Tagger | None) -> None:
    def told(*said: tuple[Role, bytes], session: str = "s") -> bytes:
        transcript = Transcript(session, tagger)
        for role, message in said:
            transcript.note(role, message)
        return transcript.told()

    whole = told(("alice", b"one"), ("alice", b"two"), ("bob", b"three"))
    assert whole == told(("bob", b"three"), ("alice", b"one"), ("alice", b"two"))
    others = [
        told(("alice", b"two"), ("alice", b"one"), ("bob", b"three")),
        told(("alice", b"onetwo"), ("bob", b"three")),
        told(("alice", b"one"), ("bob", b"two"), ("bob", b"three")),
        told(("alice", b"one"), ("alice", b"two"), ("bob", b"three"), session="t"),
        told(("alice", b"one"), ("alice", b"two")),
        told(("bob", b"one"), ("bob", b"two"), ("alice", b"three")),
    ]
    assert whole not in others
    assert len(set(others)) == len(others)

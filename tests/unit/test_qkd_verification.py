"""Error verification and tags: unequal keys do not pass, forged messages do not verify."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.qkd import authentication, verification
from qfleet_agent.qkd.authentication import Direction, Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeMisused

LINK_KEY = bytes(range(256)) * 2


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


@given(st.binary(max_size=80), st.integers(0, 9), st.integers(0, 8 * 80 + 127))
def test_a_changed_message_does_not_verify(message: bytes, number: int, flip: int) -> None:
    tagger = Tagger(LINK_KEY)
    tag = tagger.tag("from alice", number, message)
    tagger.check("from alice", number, message, tag)
    whole = bytearray(message + tag)
    whole[flip // 8 % len(whole)] ^= 1 << flip % 8
    with pytest.raises(ExchangeForged, match=f"message {number} from alice"):
        tagger.check("from alice", number, bytes(whole[: len(message)]), bytes(whole[len(message) :]))


def test_a_message_does_not_serve_for_another() -> None:
    tagger = Tagger(LINK_KEY)
    tag = tagger.tag("from alice", 3, b"message")
    others: list[tuple[Direction, int]] = [
        ("from bob", 3),
        ("from alice", 4),
        ("from alice", -1),
        ("from bob", 99),
    ]
    for direction, number in others:
        with pytest.raises(ExchangeForged):
            tagger.check(direction, number, b"message", tag)
    with pytest.raises(ExchangeForged):
        Tagger(LINK_KEY[::-1]).check("from alice", 3, b"message", tag)


def test_every_message_has_a_pad_of_its_own_until_the_key_ends() -> None:
    tagger = Tagger(bytes(16) + np.random.default_rng(1).bytes(16 * 2 * 5))
    assert tagger.messages == 5
    # With the point 0 the polynomial is 0, and a tag is its pad.
    directions: tuple[Direction, Direction] = ("from alice", "from bob")
    pads = {tagger.tag(way, number, b"any") for way in directions for number in range(5)}
    assert len(pads) == 10
    with pytest.raises(ExchangeMisused, match="enough for 5 messages each way"):
        tagger.tag("from bob", 5, b"any")
    with pytest.raises(ExchangeMisused, match="too few for one tag"):
        Tagger(bytes(47))
    assert authentication.key_bytes(5) == 16 + 160


def test_the_pad_is_added_to_the_polynomial() -> None:
    """Poly1305 of RFC 8439, section 2.5.2: its r and s as the point and the first pad."""
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = Tagger(key + bytes(16)).tag("from alice", 0, b"Cryptographic Forum Research Group")
    assert tag.hex() == "a8061dc1305136c6c22b8baf0c0127a9"

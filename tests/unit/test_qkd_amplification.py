"""Privacy amplification: bit for bit the Toeplitz product, at lengths where rounding would show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_agent.qkd import amplification
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum.apparatus import Bits


def bits(seed: int, count: int) -> Bits:
    return np.random.default_rng(seed).integers(0, 2, count, dtype=np.uint8)


def packed(array: Bits) -> int:
    """Bit i of the number is element i."""
    return int.from_bytes(np.packbits(array, bitorder="little").tobytes(), "little")


def row(key: int, seed: int, size: int, index: int) -> int:
    """Output bit ``index`` with the arithmetic of whole numbers: ``key`` holds the key backwards."""
    return (key & (seed >> index) & ((1 << size) - 1)).bit_count() & 1


@given(st.integers(1, 40), st.data())
def test_short_keys_are_the_product_with_the_matrix(size: int, data: st.DataObject) -> None:
    secret = data.draw(st.integers(0, size))
    key = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), dtype=np.uint8)
    length = amplification.seed_bits(size, secret)
    seed = np.array(data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)), dtype=np.uint8)
    matrix = np.array([[seed[i + size - 1 - j] for j in range(size)] for i in range(secret)], dtype=np.int64)
    expected = matrix.reshape(secret, size) @ key % 2
    assert amplification.amplified(key, seed, secret).tolist() == expected.tolist()


@pytest.mark.parametrize("kind", ["random", "crowded"])
def test_a_million_bits_are_exact(kind: str) -> None:
    size, secret = 1_000_000, 400_000
    length = amplification.seed_bits(size, secret)
    key, seed = bits(1, size), bits(2, length)
    if kind == "crowded":  # mostly ones: the largest sums, and with them the largest rounding errors
        key, seed = np.ones(size, dtype=np.uint8), np.ones(length, dtype=np.uint8)
        key[::7], seed[::3] = 0, 0
    found = amplification.amplified(key, seed, secret)
    backwards, whole = packed(key[::-1]), packed(seed)
    chosen = [0, 1, secret // 2, secret - 1, *np.random.default_rng(3).integers(0, secret, 300).tolist()]
    assert [int(found[i]) for i in chosen] == [row(backwards, whole, size, i) for i in chosen]


def test_every_bit_of_a_long_key_is_exact_by_linearity() -> None:
    """The product of a sum is the sum of the products, and of a single bit a slice of the seed."""
    size, secret = 300_000, 120_000
    seed, key = bits(1, amplification.seed_bits(size, secret)), bits(2, size)
    flipped = key.copy()
    places = [0, 17, size // 3, size - 1]
    flipped[places] ^= 1
    difference = np.zeros(secret, dtype=np.uint8)
    for at in places:
        difference ^= seed[size - 1 - at : size - 1 - at + secret]
    found = amplification.amplified(key, seed, secret) ^ amplification.amplified(flipped, seed, secret)
    assert np.array_equal(found, difference)


def test_the_rounding_stays_far_from_a_bit() -> None:
    size, secret = 1 << 18, 1 << 17
    key, seed = np.ones(size), np.ones(amplification.seed_bits(size, secret))
    length = amplification._length(len(seed))
    sums = np.fft.irfft(np.fft.rfft(seed, length) * np.fft.rfft(key, length), length)[size - 1 :][:secret]
    assert np.abs(sums - size).max() <= amplification.error_bound(size, secret) < 1e-6
    assert amplification.error_bound(10**7, 10**7) < 1e-4


def test_what_cannot_be_amplified_is_refused() -> None:
    with pytest.raises(ExchangeMisused, match="9 secret bits were asked of a key of 8"):
        amplification.amplified(bits(1, 8), bits(1, 16), 9)
    with pytest.raises(ExchangeMisused, match="takes 11"):
        amplification.amplified(bits(1, 8), bits(1, 12), 4)
    assert len(amplification.amplified(bits(1, 8), bits(1, 7), 0)) == 0

"""Privacy amplification: the sifted key times a random Toeplitz matrix over GF(2), by way of an FFT.

Toeplitz matrices are a universal family of hashes (Mansour, Nisan, Tiwari, STOC 1990; Krawczyk, CRYPTO '94),
which is what the leftover hash lemma asks for (Tomamichel, Schaffner, Smith, Renner, IEEE Trans. Inf. Theory
57, 5524 (2011)). With seed bits s, output bit i is the parity of s[i + n - 1 - j] and key[j] over all j: a
slice of a convolution. The convolution is counted in whole numbers by a floating-point FFT, whose rounding
error ``error_bound`` keeps far from one half at every length that is accepted.
"""

import numpy as np

from qfleet_agent.qkd import packing
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum.apparatus import Bits

_PER_STAGE = 8.0
_SAFE = 0.125


def seed_bits(sifted: int, secret: int) -> int:
    """How many random bits a Toeplitz matrix of ``secret`` rows and ``sifted`` columns takes."""
    return max(sifted + secret - 1, 0)


def amplified(key: Bits, seed: Bits, secret: int) -> Bits:
    """The secret bits (``secret``,) of a reconciled ``key`` (n,), hashed by a seed of random bits.

    Args:
        key: The sifted key, the same at both ends.
        seed: ``seed_bits(n, secret)`` bits, uniform, public only after the quantum blocks ended.
        secret: ℓ, the length that the finite-key bound leaves.

    Raises:
        ExchangeMisused: Where the seed has another length, the secret is longer than the key, or the key
            is so long that the rounding of the FFT could reach a bit.
    """
    if not 0 <= secret <= len(key):
        raise ExchangeMisused(f"{secret} secret bits were asked of a key of {len(key)}")
    if len(seed) != seed_bits(len(key), secret):
        raise ExchangeMisused(
            f"the seed has {len(seed)} bits, and a matrix of {secret} × {len(key)} takes "
            f"{seed_bits(len(key), secret)}"
        )
    if secret == 0:
        return np.zeros(0, dtype=np.uint8)
    if error_bound(len(key), secret) >= _SAFE:
        raise ExchangeMisused(f"a key of {len(key)} bits is too long to amplify in one piece")
    size = _length(len(seed))
    # Sums that wrap round fall on indices under n - 1, which are not read: a transform of len(seed) is
    # enough.
    product = np.fft.rfft(seed, size)
    product *= np.fft.rfft(key, size)
    sums = np.fft.irfft(product, size)[len(key) - 1 : len(key) - 1 + secret]
    return (np.rint(sums).astype(np.int64) & 1).astype(np.uint8)


def whole(key: Bits, seed: bytes, secret: int) -> bytes:
    """The same as bytes, of a seed in bytes whose last may have bits to spare; ``secret`` is a multiple of 8.

    Raises:
        ExchangeMisused: As ``amplified``.
        ExchangeInvalid: Where the seed is not as long as its bits.
    """
    bits = packing.unpacked_bits(seed, seed_bits(len(key), secret))
    return packing.packed_bits(amplified(key, bits, secret))


def error_bound(sifted: int, secret: int) -> float:
    """How far a sum may lie from its whole number, for the worst key and seed.

    A transform of N values errs by at most about 3 u log2 N of their norm, u = 2^-53 (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., theorem 24.2), and the convolution takes three and a product;
    the norms are those of all ones. ``_PER_STAGE`` is above what four such errors add for the radices in use.
    """
    unit = 2.0**-53
    stages = np.log2(_length(max(seed_bits(sifted, secret), 1))) + 1.0
    return float(4.0 * _PER_STAGE * unit * stages * np.sqrt(float(sifted) * float(sifted + secret)))


def _length(least: int) -> int:
    """The shortest transform from ``least`` that is a power of two, or three or five times one."""
    powers = [base << max(0, (-(-least // base) - 1).bit_length()) for base in (1, 3, 5)]
    return min(power for power in powers if power >= least)

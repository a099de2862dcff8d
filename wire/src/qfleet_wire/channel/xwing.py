"""X-Wing, the hybrid KEM of X25519 and ML-KEM-768 (draft-connolly-cfrg-xwing-kem).

The combiner is ours, over ``cryptography``'s primitives. Secure while either part is. Checked
against the published vectors and against ``cryptography``'s HPKE.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from qfleet_wire.channel.derivation import Random
from qfleet_wire.errors import Refused

SEED_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 1184 + 32
CIPHERTEXT_BYTES: Final = 1088 + 32
_MLKEM_KEY_BYTES: Final = 1184
_MLKEM_CIPHERTEXT_BYTES: Final = 1088
_LABEL: Final = rb"\.//^" + b"\\"


class Encapsulated(NamedTuple):
    """A shared secret of 32 bytes and the ciphertext that carries it."""

    secret: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"Encapsulated({len(self.ciphertext)} bytes)"


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A decapsulation key. ``seed`` (32 bytes) is all that need be kept of it."""

    seed: bytes = field(repr=False)
    public: bytes = field(repr=False)
    _mlkem: mlkem.MLKEM768PrivateKey = field(repr=False)
    _x25519: x25519.X25519PrivateKey = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret; a wrong ciphertext gives another one (implicit rejection).

        Raises:
            Refused: the ciphertext has the wrong size or a degenerate curve point.
        """
        if len(ciphertext) != CIPHERTEXT_BYTES:
            raise Refused(f"X-Wing ciphertext has {len(ciphertext)} bytes", code="invalid")
        ephemeral = ciphertext[_MLKEM_CIPHERTEXT_BYTES:]
        lattice = self._mlkem.decapsulate(ciphertext[:_MLKEM_CIPHERTEXT_BYTES])
        curve = _exchange(self._x25519, ephemeral)
        return _combine(lattice, curve, ephemeral, self.public[_MLKEM_KEY_BYTES:])

    def for_hpke(self) -> hpke.MLKEM768X25519PrivateKey:
        """Return the same key as HPKE's KEM ``MLKEM768_X25519`` takes it."""
        return hpke.MLKEM768X25519PrivateKey(self._mlkem, self._x25519)


def private_key(seed: bytes) -> PrivateKey:
    """Expand a 32-byte seed (draft, 5.2: SHAKE-256 to 96 bytes)."""
    expanded = hashlib.shake_256(seed).digest(96)
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return PrivateKey(seed, public, lattice, curve)


def generate(random: Random) -> PrivateKey:
    """Make a key from a fresh seed."""
    return private_key(random(SEED_BYTES))


def encapsulate(public: bytes, random: Random) -> Encapsulated:
    """Make a shared secret for the holder of ``public`` (1,216 bytes).

    Raises:
        Refused: the key has the wrong size or is not valid.
    """
    lattice_key, curve_key = _split(public)
    lattice, lattice_ciphertext = lattice_key.encapsulate()
    ours = x25519.X25519PrivateKey.from_private_bytes(random(32))
    ephemeral = ours.public_key().public_bytes_raw()
    curve = _exchange(ours, curve_key)
    return Encapsulated(_combine(lattice, curve, ephemeral, curve_key), lattice_ciphertext + ephemeral)


def hpke_public_key(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    """Return a public key as HPKE takes it; raises ``Refused`` like ``encapsulate``."""
    lattice, curve = _split(public)
    return hpke.MLKEM768X25519PublicKey(lattice, x25519.X25519PublicKey.from_public_bytes(curve))


def _split(public: bytes) -> tuple[mlkem.MLKEM768PublicKey, bytes]:
    if len(public) != PUBLIC_KEY_BYTES:
        raise Refused(f"X-Wing public key has {len(public)} bytes", code="invalid")
    try:
        lattice = mlkem.MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_KEY_BYTES])
    except ValueError as error:  # FIPS 203, 7.2: a coefficient is out of range
        raise Refused("X-Wing public key is not valid", code="invalid") from error
    return lattice, public[_MLKEM_KEY_BYTES:]


def _exchange(ours: x25519.X25519PrivateKey, theirs: bytes) -> bytes:
    try:
        return ours.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
    except ValueError as error:  # RFC 7748, 6.1: the all-zero shared secret
        raise Refused("X25519 public key has small order", code="invalid") from error


def _combine(lattice: bytes, curve: bytes, ephemeral: bytes, curve_key: bytes) -> bytes:
    # Draft, 5.3. The lattice ciphertext may be left out: ML-KEM binds it to its secret.
    return hashlib.sha3_256(lattice + curve + ephemeral + curve_key + _LABEL).digest()

"""ML-DSA-65 keys (FIPS 204): making, keeping, signing and checking under labels.

A private key is kept as its 32-byte seed. At rest the fleet's root key stands under a passphrase
(Argon2id, then XChaCha20-Poly1305).
"""

from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from qfleet_wire import codec
from qfleet_wire.channel import derivation
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import InvalidKey, InvalidMessage, LimitExceeded, Untrusted

SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 3309
_MOST_MEMORY: Final = argon2id.MEMLIMIT_SENSITIVE
_MOST_WORK: Final = 16


class ProtectedKey(msgspec.Struct, frozen=True):
    """A seed under a passphrase, as it stands in a file."""

    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    work: Annotated[int, msgspec.Meta(ge=1, le=_MOST_WORK)]
    memory: Annotated[int, msgspec.Meta(ge=8192, le=_MOST_MEMORY)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=24, max_length=24)]
    sealed: bytes


def generate(random: Random) -> MLDSA65PrivateKey:
    """Make a key from a fresh seed."""
    return MLDSA65PrivateKey.from_seed_bytes(random(SEED_BYTES))


def save(key: MLDSA65PrivateKey) -> bytes:
    """Return the seed of a key; whoever has it has the key."""
    return key.private_bytes_raw()


def load(seed: bytes) -> MLDSA65PrivateKey:
    """Read a key from its seed; raises ``InvalidKey`` when it is not 32 bytes long."""
    if len(seed) != SEED_BYTES:
        raise InvalidKey(f"a key file has {SEED_BYTES} bytes, this one {len(seed)}: restore it from a backup")
    return MLDSA65PrivateKey.from_seed_bytes(seed)


def load_public(raw: bytes) -> MLDSA65PublicKey:
    """Read a public key from its 1,952 bytes; raises ``InvalidKey``."""
    try:
        return MLDSA65PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise InvalidKey(f"an ML-DSA-65 public key has 1952 bytes, this one {len(raw)}") from error


def protect(seed: bytes, passphrase: bytes, random: Random) -> bytes:
    """Seal a seed under a passphrase, for a file."""
    salt, nonce = random(16), random(24)
    work, memory = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        seed, Label.KEY_FILE, nonce, argon2id.kdf(32, passphrase, salt, work, memory)
    )
    return codec.encode(ProtectedKey(salt, work, memory, nonce, sealed))


def unprotect(protected: bytes, passphrase: bytes) -> bytes:
    """Open what ``protect`` sealed.

    Raises:
        InvalidKey: the file is damaged or the passphrase is wrong; the two cannot be told apart.
    """
    try:
        file = codec.decode(protected, ProtectedKey, limit=1024)
        key = argon2id.kdf(32, passphrase, file.salt, file.work, file.memory)
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            file.sealed, Label.KEY_FILE, file.nonce, key
        )
    except (InvalidMessage, LimitExceeded, CryptoError) as error:
        raise InvalidKey from error


def sign(key: MLDSA65PrivateKey, label: Label, *parts: bytes) -> bytes:
    """Sign the length-prefixed parts with the label as ML-DSA's context."""
    return key.sign(derivation.framed(parts), label)


def verify(key: MLDSA65PublicKey, signature: bytes, label: Label, *parts: bytes) -> None:
    """Check a signature of ``sign``; raises ``Untrusted``."""
    try:
        key.verify(signature, derivation.framed(parts), label)
    except InvalidSignature as error:
        raise Untrusted(f"a signature does not verify ({label.name.lower().replace('_', ' ')})") from error


def result_signature(key: MLDSA65PrivateKey, raws: list[bytes]) -> bytes:
    """Sign a flush of encoded results: one signature over the SHA-256 of each."""
    return sign(key, Label.RESULTS_SIGNATURE, *map(derivation.plain_hash, raws))


def verify_result_signature(key: MLDSA65PublicKey, raws: list[bytes], signature: bytes) -> None:
    """Check ``result_signature``; raises ``Untrusted``."""
    verify(key, signature, Label.RESULTS_SIGNATURE, *map(derivation.plain_hash, raws))

"""Seals key material for the disk: XChaCha20-Poly1305 under the store's key.

The store's key stands in a file of its own beside the device's identity, made once and never
renewed: were it derived from the identity, each renewal of the certificate would have to seal the
whole store anew. Random nonces of 192 bits are safe on a disk that may be rolled back.
"""

from pathlib import Path

import nacl.exceptions
from nacl import bindings

from qfleet_agent.errors import KeyStoreUnusable, SealBroken
from qfleet_agent.journal import files
from qfleet_wire.channel import derivation
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.labels import Label

KEY_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
NONCE_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
OVERHEAD_BYTES = NONCE_BYTES + bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
MODE = 0o400


class Sealer:
    """Seals and opens under one key; what is bound to a place opens nowhere else."""

    def __init__(self, key: bytes, random: Random) -> None:
        self._key = key
        self._random = random

    def __repr__(self) -> str:
        """Leave out the key."""
        return "Sealer(…)"

    @property
    def overhead(self) -> int:
        """Bytes that sealing adds."""
        return OVERHEAD_BYTES

    def seal(self, plain: bytes, label: Label, *place: bytes) -> bytes:
        """Return a nonce and the sealed bytes; ``place`` must be given again to open them."""
        nonce = self._random(NONCE_BYTES)
        bound = derivation.framed((label, *place))
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, nonce, self._key)

    def open(self, sealed: bytes, label: Label, *place: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            SealBroken: it was sealed by another key or for another place, or is damaged.
        """
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        bound = derivation.framed((label, *place))
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(rest, bound, nonce, self._key)
        except (nacl.exceptions.CryptoError, ValueError, TypeError):
            raise SealBroken from None


def key_path_in(state: Path) -> Path:
    """Where the store's key is in a state directory."""
    return state / "keystore.key"


def load_or_make(state: Path, random: Random) -> Sealer:
    """Read the store's key; make one where there is none. Blocking.

    Raises:
        KeyStoreUnusable: the file is not a key, or cannot be read or written.
    """
    path = key_path_in(state)
    try:
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = random(KEY_BYTES)
            files.replace(path, key, MODE)
    except OSError as error:
        raise KeyStoreUnusable(f"the key store's key {path} cannot be read or made: {error}") from error
    if len(key) != KEY_BYTES:
        raise KeyStoreUnusable(
            f"{path} has {len(key)} bytes and a key has {KEY_BYTES}: restore it, or remove it and lose "
            "what is in the key store"
        )
    return Sealer(key, random)

"""Secrets at rest: sealed under a key file, so that a stolen database gives nothing away.

XChaCha20-Poly1305 with random 192-bit nonces; the context (what it is, and whose) is bound as
associated data, so that a sealed secret cannot be moved to another row.
"""

import hashlib
import hmac
from collections.abc import Callable

from nacl import bindings
from nacl.exceptions import CryptoError

from qfleet_controlplane.errors import ConfigurationError, LocalError

KEY_BYTES = 32
_NONCE_BYTES = 24
_DERIVED = b"qfleet derived secret 1\0"


class SealBroken(LocalError):
    """A secret in the database does not open; the key file is another one than it was."""


class Sealer:
    """Seals and opens under one key."""

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigurationError(f"the key for secrets at rest has {len(key)} bytes, not {KEY_BYTES}")
        self._key = key
        self._random = random

    def derive(self, context: str) -> bytes:
        """Derive 32 secret bytes for a context: the same for all who hold the key."""
        return hmac.new(self._key, _DERIVED + context.encode(), hashlib.sha256).digest()

    def seal(self, secret: bytes, context: str) -> bytes:
        """Seal a secret for a context; nonce and ciphertext."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            secret, context.encode(), nonce, self._key
        )

    def open(self, sealed: bytes, context: str) -> bytes:
        """Open what ``seal`` made for the same context; raises ``SealBroken``."""
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed[_NONCE_BYTES:], context.encode(), sealed[:_NONCE_BYTES], self._key
            )
        except (CryptoError, ValueError) as error:
            raise SealBroken(f"the secret for {context!r} does not open: restore rest.key") from error

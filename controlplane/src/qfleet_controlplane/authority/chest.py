"""Files of the state directory that must not be lost, sealed under a passphrase for a backup.

The authority with every key that is there, and the logins of embedded brokers. The passphrase is
stretched with Argon2id; the chest is XChaCha20-Poly1305. Contents never reach a log or an error.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from qfleet_controlplane.authority import files
from qfleet_controlplane.errors import ConfigurationError

_LABEL = b"qfleet backup chest 1"
_SALT_BYTES = 16
_NONCE_BYTES = 24
_MOST_MEMORY = 1 << 30
_RECORD = "record.bin"
_PLACES = ("authority/*", "broker*/logins.toml")


class _Envelope(msgspec.Struct, frozen=True):
    salt: bytes
    work: int
    memory: int
    nonce: bytes
    sealed: bytes


class Kept(msgspec.Struct, frozen=True):
    """A file; ``mode`` as it had it."""

    mode: int
    content: bytes

    def __repr__(self) -> str:
        return f"Kept(mode={self.mode:o}, content=<{len(self.content)} bytes>)"


_decode_envelope = msgspec.msgpack.Decoder(_Envelope).decode
_decode_files = msgspec.msgpack.Decoder(dict[str, Kept]).decode


def gather(state: Path) -> dict[str, Kept]:
    """Read the files, by their path below the state directory."""
    found = {}
    for path in sorted(path for place in _PLACES for path in state.glob(place)):
        if path.is_file() and not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            found[str(path.relative_to(state))] = Kept(mode, files.read(path))
    if f"authority/{_RECORD}" not in found:
        raise ConfigurationError(f"{state / 'authority'} holds no authority: there is nothing to seal")
    return found


def seal(kept: Mapping[str, Kept], passphrase: bytes, *, random: Callable[[int], bytes]) -> bytes:
    """Seal files under a passphrase; raise ``ConfigurationError`` without one."""
    if not passphrase:
        raise ConfigurationError("the backup would hold every key of the fleet: give --passphrase-file")
    salt, nonce = random(_SALT_BYTES), random(_NONCE_BYTES)
    work, memory = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        msgspec.msgpack.encode(kept), _LABEL, nonce, argon2id.kdf(32, passphrase, salt, work, memory)
    )
    return msgspec.msgpack.encode(_Envelope(salt, work, memory, nonce, sealed))


def unseal(chest: bytes, passphrase: bytes) -> dict[str, Kept]:
    """Open a chest.

    Raises:
        ConfigurationError: it is damaged or the passphrase is wrong; the two cannot be told apart.
    """
    try:
        envelope = _decode_envelope(chest)
        memory = min(envelope.memory, _MOST_MEMORY)
        key = argon2id.kdf(32, passphrase, envelope.salt, envelope.work, memory)
        return _decode_files(
            bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(envelope.sealed, _LABEL, envelope.nonce, key)
        )
    except (msgspec.MsgspecError, CryptoError, ValueError) as error:
        raise ConfigurationError(
            "the sealed authority does not open: it is damaged, or the passphrase is another one"
        ) from error


def put_back(kept: Mapping[str, Kept], state: Path) -> None:
    """Write files below the state directory; one that exists is an error and stays as it is.

    The authority's record comes last: by it an authority counts as there.
    """
    paths = {state / name: each for name, each in kept.items()}
    for name, path in zip(kept, paths, strict=True):
        if not any(Path(name).match(place) for place in _PLACES) or ".." in Path(name).parts:
            raise ConfigurationError(f"the sealed authority holds a file {name!r} that does not belong there")
        if path.exists():
            raise ConfigurationError(f"{path} exists already: nothing of it is replaced")
    for path in sorted(paths, key=lambda path: path.name == _RECORD):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(path, paths[path].content, mode=paths[path].mode & 0o644)

"""What a further controller of a fleet needs, in one file under a passphrase.

It holds the issuers, the enrolment key, the key for secrets at rest, the record and the list of
revocations; never the root key and never a controller's own key, which each controller draws for
itself. The passphrase is stretched with Argon2id; the file is XChaCha20-Poly1305.
"""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from qfleet_controlplane.authority import creation, files
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import authority, certificates, identity, keys
from qfleet_wire.errors import LocalError, RemoteError
from qfleet_wire.names import ControllerName, FleetName, Millis

_LABEL = b"qfleet authority bundle 1"
_SALT_BYTES = 16
_NONCE_BYTES = 24

Random = Callable[[int], bytes]


class _Envelope(msgspec.Struct, frozen=True):
    salt: bytes
    work: int
    memory: int
    nonce: bytes
    sealed: bytes


class Bundle(msgspec.Struct, frozen=True):
    """An opened bundle: whose it is, and the files by name."""

    fleet: str
    controller: str
    """The controller that exported it: another must have another name."""
    public: dict[str, bytes]
    secret: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Bundle(fleet={self.fleet!r}, controller={self.controller!r})"


_decode_envelope = msgspec.msgpack.Decoder(_Envelope).decode
_decode_bundle = msgspec.msgpack.Decoder(Bundle).decode


def export(
    layout: files.Layout, who: identity.ControllerIdentity, passphrase: bytes, *, random: Random
) -> bytes:
    """Seal what a further controller needs; raise ``ConfigurationError`` without a passphrase."""
    if not passphrase:
        raise ConfigurationError("the bundle holds every issuer's key: give --passphrase-file")
    public = [layout.root_certificate, layout.record, *map(layout.issuer_certificate, _ROLES)]
    if layout.revocations.exists():
        public.append(layout.revocations)
    secret = [layout.enrolment_key, layout.rest_key, *map(layout.issuer_key, _ROLES)]
    bundle = Bundle(
        who.fleet,
        who.controller,
        {path.name: files.read(path) for path in public},
        {path.name: files.read_secret(path) for path in secret},
    )
    salt, nonce = random(_SALT_BYTES), random(_NONCE_BYTES)
    work, memory = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        msgspec.msgpack.encode(bundle), _LABEL, nonce, argon2id.kdf(32, passphrase, salt, work, memory)
    )
    return msgspec.msgpack.encode(_Envelope(salt, work, memory, nonce, sealed))


def read(path: Path, passphrase: bytes) -> Bundle:
    """Open a bundle.

    Raises:
        ConfigurationError: it is damaged or the passphrase is wrong; the two cannot be told apart.
    """
    try:
        envelope = _decode_envelope(files.read_secret(path))
        key = argon2id.kdf(32, passphrase, envelope.salt, envelope.work, envelope.memory)
        opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            envelope.sealed, _LABEL, envelope.nonce, key
        )
        return _decode_bundle(opened)
    except (msgspec.MsgspecError, CryptoError, ValueError) as error:
        raise ConfigurationError(
            f"{path} does not open: it is damaged, or the passphrase is another one"
        ) from error


def join(
    directory: Path, bundle: Bundle, founding: creation.Founding, *, now: Millis, random: Random
) -> None:
    """Make a further controller's authority from a bundle, with a key of its own.

    Raises:
        ConfigurationError: it is another fleet's or carries our own name, the directory holds an
            authority already, or the bundle's parts do not fit each other.
    """
    check_names(bundle, founding.fleet, founding.controller)
    layout = creation.make_directory(directory)
    for name, content in bundle.secret.items():
        files.write_secret(_inside(layout, name), content)
    for name, content in bundle.public.items():
        files.replace(_inside(layout, name), content)
    try:
        raw = files.read(layout.record)
        trusted = authority.read_record(raw, authority.record_hash(raw))
        issuer_key = keys.load(files.read_secret(layout.issuer_key("controller")))
        issuer = certificates.below((files.read(layout.issuer_certificate("controller")),), issuer_key)
        creation.create_controller(layout, issuer, founding, now, random)
        chain = (files.read(layout.controller_certificate), *issuer.chain)
        authority.credentials(files.read_secret(layout.controller_key), chain, trusted)
    except (LocalError, RemoteError, ValueError) as error:
        raise ConfigurationError(f"the bundle's parts do not fit each other: {error}") from error


def check_names(bundle: Bundle, fleet: FleetName, controller: ControllerName) -> None:
    """Refuse a bundle of another fleet, or of a controller of the same name."""
    if bundle.fleet != fleet:
        raise ConfigurationError(f"the bundle is fleet {bundle.fleet!r}'s, not {fleet!r}'s: use --fleet")
    if bundle.controller == controller:
        raise ConfigurationError(
            f"the bundle is from a controller named {controller!r}: give this one another --controller"
        )


def _inside(layout: files.Layout, name: str) -> Path:
    known = {layout.root_certificate, layout.record, layout.revocations, layout.enrolment_key}
    known |= {layout.rest_key, *map(layout.issuer_key, _ROLES), *map(layout.issuer_certificate, _ROLES)}
    path = layout.directory / name
    if path not in known:
        raise ConfigurationError(f"the bundle holds a file {name!r} that no authority has")
    return path


_ROLES: tuple[identity.Role, ...] = get_args(identity.Role)

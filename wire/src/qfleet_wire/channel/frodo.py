"""FrodoKEM-976 through liboqs: an extra, for operators bound to BSI TR-02102.

Importing ``oqs`` (liboqs-python) without the liboqs library clones and builds it, and ends the
process when that fails. So this module first loads the library from the places where ``oqs`` will
look, and never imports ``oqs`` unless that worked.
"""

import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.xwing import Encapsulated
from qfleet_wire.errors import Refused, SuiteUnavailable

_ALGORITHM: Final = "FrodoKEM-976-SHAKE"


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A FrodoKEM-976 decapsulation key."""

    public: bytes = field(repr=False)
    _secret: bytes = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret; raises ``Refused`` for a ciphertext of the wrong size."""
        with _oqs().KeyEncapsulation(_ALGORITHM, self._secret) as kem:
            _check(ciphertext, "ciphertext", kem.details["length_ciphertext"])
            return bytes(kem.decap_secret(ciphertext))


@cache
def missing() -> str | None:
    """Say what is missing for FrodoKEM-976, or None when it can be used."""
    if importlib.util.find_spec("oqs") is None:
        return "liboqs-python is not installed (extra qfleet-wire[liboqs])"
    if not any(map(_loads, _places())):
        return "the liboqs library is not installed"
    if not importlib.import_module("oqs").is_kem_enabled(_ALGORITHM):
        return f"the liboqs library was built without {_ALGORITHM}"
    return None


def generate(_random: Random) -> PrivateKey:
    """Make a key. liboqs draws its own randomness."""
    with _oqs().KeyEncapsulation(_ALGORITHM) as kem:
        public = bytes(kem.generate_keypair())
        return PrivateKey(public, bytes(kem.export_secret_key()))


def encapsulate(public: bytes, _random: Random) -> Encapsulated:
    """Make a shared secret for the holder of ``public``; raises ``Refused`` for a wrong size."""
    with _oqs().KeyEncapsulation(_ALGORITHM) as kem:
        _check(public, "public key", kem.details["length_public_key"])
        ciphertext, secret = kem.encap_secret(public)
    return Encapsulated(bytes(secret), bytes(ciphertext))


def _check(data: bytes, what: str, length: int) -> None:
    if len(data) != length:
        raise Refused(f"FrodoKEM-976 {what} has {len(data)} bytes, must have {length}", code="invalid")


def _oqs() -> Any:
    reason = missing()
    if reason is not None:
        raise SuiteUnavailable(f"suite qfleet1-frodo976: {reason}")
    return importlib.import_module("oqs")


def _places() -> Iterator[str]:
    """Where ``oqs`` looks for its library, in its order."""
    from ctypes import util  # noqa: PLC0415 - half a megabyte that a daemon without the suite saves

    for name in ("oqs", "liboqs"):
        found = util.find_library(name)
        if found:
            yield found
    try:
        folder = Path(os.environ.get("OQS_INSTALL_PATH") or Path.home() / "_oqs")
    except RuntimeError:  # a service may have no home
        return
    for library in ("lib", "lib64"):
        yield str(folder.absolute() / library / "liboqs.so")


def _loads(path: str) -> bool:
    from ctypes import CDLL  # noqa: PLC0415 - as above

    try:
        CDLL(path)
    except OSError:
        return False
    return True

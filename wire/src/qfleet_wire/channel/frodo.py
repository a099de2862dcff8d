"""FrodoKEM-976 through liboqs: an extra, for operators bound to BSI TR-02102.

``liboqs-python`` clones and builds the library when it cannot find it, so this module looks for
the library first and never imports ``oqs`` without it.
"""

import ctypes.util
import importlib
import importlib.util
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
    _kem: Any = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret; raises ``Refused`` for a ciphertext of the wrong size."""
        if len(ciphertext) != self._kem.details["length_ciphertext"]:
            raise Refused(f"FrodoKEM-976 ciphertext has {len(ciphertext)} bytes", code="invalid")
        return bytes(self._kem.decap_secret(ciphertext))


@cache
def missing() -> str | None:
    """Say what is missing for FrodoKEM-976, or None when it can be used."""
    if importlib.util.find_spec("oqs") is None:
        return "liboqs-python is not installed (extra qfleet-wire[liboqs])"
    if ctypes.util.find_library("oqs") is None and not _installed():
        return "the liboqs library is not installed"
    return None


def _installed() -> bool:
    """Look where ``liboqs-python`` looks after the system's library path."""
    try:
        place = Path("~/_oqs").expanduser()
    except RuntimeError:  # a service may have no home
        return False
    return any(any((place / folder).glob("liboqs.*")) for folder in ("lib", "lib64", "bin"))


def generate(_random: Random) -> PrivateKey:
    """Make a key. liboqs draws its own randomness."""
    kem = _oqs().KeyEncapsulation(_ALGORITHM)
    return PrivateKey(bytes(kem.generate_keypair()), kem)


def encapsulate(public: bytes, _random: Random) -> Encapsulated:
    """Make a shared secret for the holder of ``public``; raises ``Refused`` for a wrong size."""
    with _oqs().KeyEncapsulation(_ALGORITHM) as kem:
        if len(public) != kem.details["length_public_key"]:
            raise Refused(f"FrodoKEM-976 public key has {len(public)} bytes", code="invalid")
        ciphertext, secret = kem.encap_secret(public)
    return Encapsulated(bytes(secret), bytes(ciphertext))


def _oqs() -> Any:
    reason = missing()
    if reason is not None:
        raise SuiteUnavailable(f"suite qfleet1-frodo976: {reason}")
    return importlib.import_module("oqs")

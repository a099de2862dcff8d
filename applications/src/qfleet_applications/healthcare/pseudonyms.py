"""Names that stand for records in a report: who has no key cannot find out whose they are.

A keyed hash and not a plain one: record numbers are few, and a plain hash of each is computed in a moment.
"""

import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from qfleet_applications.errors import InvalidData

KEY_BYTES = 32
_DIGITS = 12


def pseudonyms(key: bytes, records: Sequence[str]) -> tuple[str, ...]:
    """HMAC-SHA256 of each record under ``key``, its first 48 bits in hexadecimal digits."""
    return tuple(hmac.digest(key, record.encode(), "sha256").hex()[:_DIGITS] for record in records)


def kept(file: Path, fresh: bytes) -> bytes:
    """The key in a file, which is made with ``fresh`` and for its owner alone where it is missing.

    Raises:
        InvalidData: it cannot be read or made, is too short, or others may read it.
    """
    try:
        try:
            made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(file)
        with os.fdopen(made, "wb") as opened:
            opened.write(fresh)
    except OSError as error:
        raise InvalidData(file, f"the key cannot be kept there: {error.strerror or error}") from error
    return fresh


def _read(file: Path) -> bytes:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise InvalidData(file, "others may read the key", hint=f"chmod 600 {file}")
    key = file.read_bytes()
    if len(key) < KEY_BYTES:
        raise InvalidData(file, f"a key has {KEY_BYTES} bytes, this one {len(key)}", hint="remove the file")
    return key

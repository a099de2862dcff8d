"""Asking again where an answer may have been lost: only for what does the same however often it is asked."""

import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from qfleet import errors, outage

T = TypeVar("T")

_KEY_BYTES = 16


def fresh_key() -> str:
    """An Idempotency-Key that nobody has used."""
    return secrets.token_hex(_KEY_BYTES)


def once(ask: Callable[[], T], *, patience_s: float) -> T:
    """Ask, and again for ``patience_s`` seconds while an answer may have been lost.

    Raises:
        Unreachable: nothing was ever sent, or patience is over.
    """
    patience, lost = outage.Patience(patience_s), False
    while True:
        try:
            return ask()
        except errors.Unreachable as error:
            lost = lost or error.uncertain
            if not lost:
                raise
            time.sleep(patience.failure(error, time.monotonic()))

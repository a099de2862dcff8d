"""Disk space that is held back in a file, so that a full disk never stops a promised result from being kept.

The file holds a base for the journal's log and small values, and twice what is promised: while a
result is written it stands in the log and in the journal. It grows before a promise is made, in
steps, so that few tasks pay for a call. Blocking.
"""

import contextlib
import os
from pathlib import Path

STEP = 4 * 1024 * 1024
"""The file grows by multiples of this many bytes."""
SLACK = 4 * STEP
"""What it may hold beyond the promises, where the disk is not short, before it shrinks."""
PIECE = 256 * 1024
"""What is given up first when the disk is full; each further piece is twice the one before."""


class Reserve:
    """A file of at least ``base`` bytes that is given up in pieces when the journal finds the disk full."""

    def __init__(self, path: Path, base: int) -> None:
        self._path = path
        self._base = base
        self._size = self._look()

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    @property
    def covered(self) -> int:
        """Bytes of results that can be promised."""
        return max(self._size - self._base, 0) // 2

    def hold(self, promised: int, spare: int) -> None:
        """Hold room for results of ``promised`` bytes, taking ``spare`` more bytes of the disk at most."""
        self._size = self._look()
        if self._wanted(promised) > self._size:
            steps = -(-2 * promised // STEP)
            self.grow(self._base + steps * STEP, spare)

    def ease(self, promised: int, slack: int) -> None:
        """Give back what is held beyond these promises, if that is more than ``slack`` bytes."""
        wanted = self._wanted(promised)
        if self._size > wanted + slack:
            self._cut(wanted)

    def grow(self, target: int, spare: int) -> None:
        """Grow to ``target`` bytes, or as far as ``spare`` bytes and the file system let it."""
        more = min(target - self._size, spare)
        while more > 0 and not self._extend(more):
            more = more // 2 if more > PIECE else 0

    def give(self, piece: int) -> bool:
        """Give up so many bytes, or what is left; False when nothing was held."""
        if not self._size:
            return False
        self._cut(max(self._size - piece, 0))
        return True

    def _wanted(self, promised: int) -> int:
        return self._base + 2 * promised

    def _look(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _extend(self, more: int) -> bool:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, self._size, more)
        except OSError:
            os.ftruncate(descriptor, self._size)  # some file systems keep what they got
            return False
        else:
            self._size += more
            return True
        finally:
            os.close(descriptor)

    def _cut(self, size: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self._path, size)
        self._size = size

"""Disk space that is held back in a file, so that a full disk never stops a result from being kept."""

import contextlib
import os
from pathlib import Path


class Reserve:
    """A file of ``size`` bytes that is given up when the journal finds the disk full. Blocking."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """Whether the space is held."""
        return self._path.exists()

    def fill(self, free: int) -> bool:
        """Hold the space if the disk, with ``free`` bytes left, has twice as much; True when held."""
        if self.held:
            return True
        if free < 2 * self._size:
            return False
        try:
            self._allocate()
        except OSError:
            self.release()
            return False
        return True

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the space up; False when it was not held."""
        held = self.held
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        return held

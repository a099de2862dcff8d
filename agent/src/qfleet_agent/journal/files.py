"""Small files that are replaced as a whole: a cut leaves the old or the new, never half of each. Blocking."""

import contextlib
import os
from pathlib import Path


def replace(path: Path, data: bytes, mode: int) -> None:
    """Put ``data`` at ``path``; it is on the disk when this returns. Raises ``OSError``."""
    written = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        written.unlink()
    descriptor = os.open(written, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    written.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that a command writes: whole, or not at all."""

import os
import tempfile
from pathlib import Path

from qfleet import errors


def write(path: Path, data: bytes) -> None:
    """Write a file in one stroke; raise ``UserError`` if that cannot be done."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        raise errors.UserError(f"cannot write {str(path)!r}: {error.strerror or error}") from error

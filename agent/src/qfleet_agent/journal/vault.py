"""The private keys of the device, in one file that only the agent can read; never in the database.

The file holds the identity in use and, while it is being renewed, the next one, and is replaced as
a whole: a cut leaves the old or the new, never half of each. Blocking; files are small.
"""

import contextlib
import os
from pathlib import Path

from qfleet_agent.errors import NotEnrolled
from qfleet_wire.channel import renewal
from qfleet_wire.channel.renewal import Identities

MODE = 0o400


def path_in(state: Path) -> Path:
    """Where the keys are in a state directory."""
    return state / "identity.key"


def load(state: Path) -> Identities:
    """Read the identities.

    Raises:
        NotEnrolled: there are none.
        InvalidKey: the file is damaged.
    """
    try:
        return renewal.read(path_in(state).read_bytes())
    except FileNotFoundError:
        raise NotEnrolled from None


def save(state: Path, identities: Identities) -> None:
    """Replace the identities; they are on the disk when this returns."""
    path = path_in(state)
    written = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        written.unlink()
    descriptor = os.open(written, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(renewal.write(identities))
        file.flush()
        os.fsync(file.fileno())
    written.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

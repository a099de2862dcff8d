"""The private keys of the device, in one file that only the agent can read; never in the database.

The file holds the identity in use and, while it is being renewed, the next one, and is replaced as
a whole: a cut leaves the old or the new, never half of each. Blocking; files are small.
"""

from pathlib import Path

from qfleet_agent.errors import NotEnrolled
from qfleet_agent.journal import files
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
    files.replace(path_in(state), renewal.write(identities), MODE)

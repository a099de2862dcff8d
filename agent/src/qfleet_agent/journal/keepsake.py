"""A second copy of what the device cannot do without, in a file beside the journal. Blocking.

Whoever finds the journal damaged begins a new one with it: the device stays a member of its fleet
and remembers which controllers are revoked. It holds the broker's password: only the agent reads it.
"""

from pathlib import Path

import msgspec

from qfleet_agent.journal import files
from qfleet_agent.journal.membership import Membership
from qfleet_wire import codec
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.errors import RemoteError

MODE = 0o600


class Keepsake(msgspec.Struct, frozen=True):
    """What is kept twice."""

    membership: Membership
    standing: Standing


def path_in(state: Path) -> Path:
    """Where the copy is in a state directory."""
    return state / "membership.bin"


def load(state: Path) -> Keepsake | None:
    """Read the copy; None when there is none that can be read."""
    try:
        return codec.decode(path_in(state).read_bytes(), Keepsake)
    except (OSError, RemoteError):
        return None


def save(state: Path, keepsake: Keepsake) -> None:
    """Replace the copy, unless it differs in nothing but a time. Raises ``OSError``."""
    held = load(state)
    if held is None or _lasting(held) != _lasting(keepsake):
        files.replace(path_in(state), codec.encode(keepsake), MODE)


def _lasting(keepsake: Keepsake) -> tuple[Membership, bytes, int]:
    # The proven time rises with every handshake; an older one is still a lower bound.
    return keepsake.membership, keepsake.standing.revocations, keepsake.standing.epoch

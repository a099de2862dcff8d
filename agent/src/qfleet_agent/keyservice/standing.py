"""How the key process stands with its agent and its peers, in a file that ``keys status`` reads."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from qfleet_agent.journal import files

MODE = 0o600


class LineStanding(msgspec.Struct, frozen=True):
    """A line to a peer: whether both ends have heard of each other, and if not, why."""

    peer: str
    open: bool
    trouble: str | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """``connected``: the agent is there; ``trouble``: why nothing passes by way of it, or None."""

    connected: bool
    trouble: str | None
    lines: tuple[LineStanding, ...] = ()


def path_in(state: Path) -> Path:
    """Where the file is in a state directory."""
    return state / "keys-status.json"


def write(state: Path, standing: Standing) -> None:
    """Replace the file. Blocking; raises ``OSError``."""
    files.replace(path_in(state), msgspec.json.encode(standing), MODE)


def read(state: Path) -> Standing | None:
    """Return what the key process said last; None where it never served by way of an agent. Blocking."""
    try:
        return msgspec.json.decode(path_in(state).read_bytes(), type=Standing)
    except (OSError, msgspec.MsgspecError):
        return None


def changes(before: Standing | None, now: Standing) -> Iterator[tuple[int, str]]:
    """What is to be logged of a change: level and sentence."""
    if before is None or before.trouble != now.trouble:
        if now.trouble is None:
            yield logging.INFO, "Orders and messages pass by way of the agent."
        else:
            yield logging.WARNING, f"Nothing passes by way of the agent: {now.trouble}."
    known = {} if before is None else {line.peer: line for line in before.lines}
    for line in now.lines:
        if known.get(line.peer) == line:
            continue
        if line.open:
            yield logging.INFO, f"The line to {line.peer} is there."
        elif line.trouble is not None:
            yield logging.WARNING, f"There is no line to {line.peer}: {line.trouble}."

"""Sets a damaged journal aside: renamed, for people to look at, never read by the agent again. Blocking."""

import contextlib
import datetime as dt
import re
from pathlib import Path

import msgspec

from qfleet_agent.journal import files
from qfleet_wire.names import Millis

KEPT = 3
"""Journals that stay beside the one in use; the oldest goes first."""
KEPT_BYTES = 256 * 1024 * 1024
"""Room that they may take together, the newest not counted."""
PARTS = ("", "-wal", "-shm")

_NAMED = re.compile(r"journal-damaged-(\d+)-\d{8}T\d{6}Z\.sqlite")


class SetAside(msgspec.Struct, frozen=True):
    """What is remembered of the last journal that was set aside."""

    at: Millis
    reason: str
    saved: str
    """What of it stands in its successor, in words."""
    file: str


def move(path: Path, now: Millis) -> Path:
    """Rename a journal with its log; return its new path."""
    others = _others(path.parent)
    number = _number(others[-1]) + 1 if others else 1
    moment = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
    target = path.with_name(f"journal-damaged-{number}-{moment:%Y%m%dT%H%M%SZ}.sqlite")
    for part in PARTS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + part).rename(target.with_name(target.name + part))
    files.sync_folder(path.parent)
    _prune([*others, target])
    return target


def count(state: Path) -> int:
    """How many journals lie aside in a state directory."""
    return len(_others(state))


def _prune(kept: list[Path]) -> None:
    kept = kept[:-1]
    while kept and (len(kept) + 1 > KEPT or sum(map(_size, kept)) > KEPT_BYTES):
        oldest = kept.pop(0)
        for part in PARTS:
            oldest.with_name(oldest.name + part).unlink(missing_ok=True)


def _others(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if _NAMED.fullmatch(path.name))
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    named = _NAMED.fullmatch(path.name)
    return 0 if named is None else int(named[1])


def _size(path: Path) -> int:
    every = (path.with_name(path.name + part) for part in PARTS)
    return sum(one.stat().st_size for one in every if one.exists())

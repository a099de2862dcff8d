"""Gets the journal ready before it is opened: made, upgraded, or begun anew beside a damaged one. Blocking.

A damaged journal never keeps the agent from starting. It is set aside, what can be saved of it goes
into a new one, and the new one remembers that this happened until it is told.
"""

import logging
import sqlite3
from pathlib import Path

from qfleet_agent.errors import JournalUnusable
from qfleet_agent.journal import aside, damage, journal, keepsake, salvage
from qfleet_agent.journal.aside import SetAside
from qfleet_agent.journal.layout import ADDED, VERSION, Name
from qfleet_agent.journal.store import Store
from qfleet_wire import codec
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)


def prepare(state: Path, now: Millis, *, reason: str | None = None) -> Path:
    """Return the path of a journal that can be opened.

    ``reason`` says why the one that is there must not be used, when that showed while it was.

    Raises:
        JournalUnusable: it cannot be looked at or made now.
    """
    path = journal.path_in(state)
    try:
        reason = reason or _look(path, state)
        if reason is not None:
            _begin_anew(path, now, reason)
        elif not _is_current(path):
            journal.prepare(state)
    except (sqlite3.Error, OSError) as error:
        raise JournalUnusable(f"the journal {path} cannot be made ready: {error}") from error
    return path


def _look(path: Path, state: Path) -> str | None:
    if path.exists():
        return damage.find(path)
    return None if keepsake.load(state) is None else "there is none, though the device is enrolled"


def _is_current(path: Path) -> bool:
    """Whether no other process need be started to bring the tables up to date."""
    if not path.exists():
        return False
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    try:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return tables >= ADDED and bool(database.execute("PRAGMA user_version").fetchone()[0] == VERSION)
    finally:
        database.close()


def _begin_anew(path: Path, now: Millis, reason: str) -> None:
    with_log = not damage.log_is_damaged(path)
    source = aside.move(path, now)
    journal.prepare(path.parent)
    saved = salvage.into(path, source, path.parent, with_log=with_log)
    log.error(
        "The journal was damaged (%s): it is set aside as %s; saved of it: %s.",
        reason,
        source,
        saved,
        extra={"action": "journal-set-aside"},
    )
    store = Store(path)
    try:
        store.put({Name.SET_ASIDE: codec.encode(SetAside(now, reason, saved, source.name))})
    finally:
        store.close()

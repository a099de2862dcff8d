"""Creates and upgrades the journal's tables: ``python -m qfleet_agent.journal.schema PATH``.

It runs in a process of its own before the journal is opened, because sqlite-utils imports numpy
and pandas where they are installed; the daemon never imports this module.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlite_utils

from qfleet_agent.journal.layout import ADDED, VERSION


def _first(database: sqlite_utils.Database) -> None:
    database.table("meta").create({"name": str, "value": bytes}, pk="name")
    database.table("tasks").create(
        {"task": str, "attempt": int, "assign": bytes},
        pk=("task", "attempt"),
        not_null={"assign"},
    )
    database.table("outbox").create(
        {"task": str, "attempt": int, "result": bytes, "digest": bytes, "size": int},
        pk=("task", "attempt"),
        not_null={"result", "size"},
    )
    database.table("outbox").create_index(["digest"])
    database.table("artefacts").create({"digest": bytes, "data": bytes}, pk="digest")


def _telemetry(database: sqlite_utils.Database) -> None:
    database.table("telemetry").create({"sequence": int, "sample": bytes}, pk="sequence", not_null={"sample"})


UPGRADES: tuple[Callable[[sqlite_utils.Database], None], ...] = (_first,)
"""Entry ``n`` takes a journal from version ``n`` to ``n + 1``."""


ADDITIONS: Mapping[str, Callable[[sqlite_utils.Database], None]] = {"telemetry": _telemetry}
"""What makes each table of ``layout.ADDED``."""


def upgrade(path: Path) -> int:
    """Bring the journal at ``path`` to this agent's version; return the version that it had."""
    os.umask(0o077)
    database = sqlite_utils.Database(path)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        had = int(database.execute("PRAGMA user_version").fetchone()[0])
        for number in range(had, VERSION):
            database.execute("BEGIN IMMEDIATE")
            UPGRADES[number](database)
            database.execute(f"PRAGMA user_version = {number + 1}")
            database.execute("COMMIT")
        for name in ADDED - set(database.table_names()):
            ADDITIONS[name](database)
    finally:
        database.close()
    return had


if __name__ == "__main__":
    upgrade(Path(sys.argv[1]))

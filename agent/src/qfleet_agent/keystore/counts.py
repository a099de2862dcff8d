"""What the store has seen go by, per link: numbers, never key material."""

import sqlite3
from enum import StrEnum
from typing import NamedTuple


class Count(StrEnum):
    """What is counted, in bytes unless it says keys."""

    KEPT = "kept"
    RELEASED = "released"
    ISSUED = "issued"
    """Taken from our half for keys that were made here."""
    ISSUED_KEYS = "issued keys"
    ACCEPTED = "accepted"
    """Taken from the peer's half for keys that it made."""
    FETCHED_KEYS = "fetched keys"
    UNDELIVERED = "undelivered"
    """Of keys that were announced and given to nobody."""
    UNFETCHED = "unfetched"
    """Of keys that nobody had fetched when their time was over."""
    EXPIRED = "expired"
    DESTROYED = "destroyed"
    DAMAGED = "damaged"


class Row(NamedTuple):
    """One count; ``whom`` is an application's SAE ID or empty."""

    link: str
    what: str
    whom: str
    value: int


def add(database: sqlite3.Connection, link: str, what: Count, value: int, whom: str = "") -> None:
    """Raise a count."""
    if value:
        database.execute(
            "INSERT INTO counts VALUES (?, ?, ?, ?) "
            "ON CONFLICT (link, what, whom) DO UPDATE SET value = value + excluded.value",
            (link, what, whom, value),
        )


def read(database: sqlite3.Connection) -> list[Row]:
    """Read all counts."""
    rows = database.execute("SELECT link, what, whom, value FROM counts ORDER BY link, what, whom")
    return [Row(*row) for row in rows]

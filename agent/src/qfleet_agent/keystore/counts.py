"""What the store has seen go by, per link: numbers, never key material."""

import sqlite3
from collections import Counter
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


class Tally:
    """What a transaction counts; written once, at its end."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._counted: Counter[tuple[str, Count, str]] = Counter()

    def add(self, link: str, what: Count, value: int, whom: str = "") -> None:
        """Raise a count; ``whom`` is an application's SAE ID or empty."""
        if value:
            self._counted[link, what, whom] += value

    def write(self) -> None:
        """Add what was counted to the table."""
        self._database.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?) "
            "ON CONFLICT (link, what, whom) DO UPDATE SET value = value + excluded.value",
            [(*name, value) for name, value in self._counted.items()],
        )
        self._counted.clear()

    def forget(self) -> None:
        """Count nothing: the transaction was rolled back."""
        self._counted.clear()

    def read(self) -> list[Row]:
        """Read all counts."""
        self.write()
        rows = self._database.execute("SELECT link, what, whom, value FROM counts ORDER BY link, what, whom")
        return [Row(*row) for row in rows]

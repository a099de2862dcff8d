"""The audit log: who did what and when, in a chain that shows every change.

Each entry's hash covers its text and the hash before it, so that an entry that was altered,
removed or slipped in breaks the chain behind it. Entries are appended inside the transaction
that does what they tell. Cutting entries off the end leaves a valid chain: compare ``Head`` with one
that was written down elsewhere.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.errors import LocalError
from qfleet_controlplane.store import bulk, driver
from qfleet_controlplane.store.tables.record import audit
from qfleet_wire.names import Millis

_ROWS = bulk.Insert(audit)
_LAST = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"
_LABEL = b"qfleet audit 1\0"
_START = bytes(32)
_LOCK = int.from_bytes(b"qf-audit", "big") >> 1
"""Key of the advisory lock under which the chain grows."""


class BrokenChain(LocalError):
    """The audit log was changed."""


class Entry(NamedTuple):
    """One thing that happened; ``detail`` holds no secret."""

    at: Millis
    who: str
    action: str
    subject: str
    detail: str


class Head(NamedTuple):
    """The end of the chain: number and hash of the last entry."""

    sequence: int
    hash: bytes


def append(connection: sa.Connection, entries: Iterable[Entry]) -> Head:
    """Append entries in order, in the connection's transaction, and return the new end.

    Append last in a transaction: on PostgreSQL other writers' entries wait until it ends.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    head = read_head(connection)
    rows = []
    for told in entries:
        # PostgreSQL cannot hold a NUL in a text, and what others said may hold one.
        entry = Entry(told.at, *(text.replace("\0", "\ufffd") for text in told[1:]))
        digest = _digest(head.sequence + 1, entry, head.hash)
        rows.append((head.sequence + 1, *entry, head.hash, digest))
        head = Head(head.sequence + 1, digest)
    _ROWS.write(connection, rows)
    return head


def read_head(connection: sa.Connection) -> Head:
    """The end of the chain; number 0 for an empty log."""
    if driver.is_sqlite(connection):
        row = driver.execute(connection, _LAST).fetchone()
    else:
        row = connection.exec_driver_sql(_LAST).first()
    return Head(0, _START) if row is None else Head(*row)


def verify(connection: sa.Connection) -> Head:
    """Check the whole chain and return its end; raise ``BrokenChain`` naming the first bad entry."""
    head = Head(0, _START)
    for row in connection.execute(sa.select(audit).order_by(audit.c.sequence)):
        entry = Entry(row.at, row.who, row.action, row.subject, row.detail)
        number = head.sequence + 1
        if row.sequence != number:
            raise BrokenChain(f"audit entry {number} is missing: {row.sequence} follows {head.sequence}")
        if row.previous != head.hash:
            raise BrokenChain(f"audit entry {number} does not follow the one before it")
        if row.hash != _digest(number, entry, head.hash):
            raise BrokenChain(f"audit entry {number} was altered")
        head = Head(number, row.hash)
    return head


def _digest(sequence: int, entry: Entry, previous: bytes) -> bytes:
    """SHA-256 over label, hash before, and the entry as a MessagePack array."""
    text = msgspec.msgpack.encode((sequence, *entry))
    return hashlib.sha256(_LABEL + previous + text).digest()

"""What outlives a restart of the key process besides key material: orders, sessions, reports.

Each function is part of a transaction of the key store, so that a key and what is known of its making change
together. Records and bodies are opaque here; none of them is secret. Blocking.
"""

from typing import Final, NamedTuple

from qfleet_agent.keystore.base import Base
from qfleet_wire.names import Millis

REMEMBERED_MS: Final = 86_400_000
"""How long after its end an order is known, so that it does not begin again."""


class Waiting(NamedTuple):
    """An order that has not begun."""

    id: str
    body: bytes


class Session(NamedTuple):
    """A session that is not settled: its name, the device at its other end, and its record."""

    name: str
    peer: str
    record: bytes


class Carried(NamedTuple):
    """A relay at one of its ends: the device at the other, the plan, where it is, and the last word."""

    relay: bytes
    peer: str
    plan: bytes
    state: str
    word: bytes


class Report(NamedTuple):
    """A report that the control plane has not stored yet."""

    name: str
    body: bytes


def take(base: Base, order: Waiting, now: Millis, expires: Millis) -> bool:
    """Store an order; False where it was taken before."""
    added = base.database.execute(
        "INSERT OR IGNORE INTO key_orders VALUES (?, ?, ?, ?)", (order.id, order.body, now, expires)
    )
    return added.rowcount == 1


def waiting(base: Base) -> list[Waiting]:
    """The orders that have not begun, the oldest first."""
    rows = base.database.execute("SELECT id, body FROM key_orders WHERE body NOTNULL ORDER BY taken, id")
    return [Waiting(*row) for row in rows.fetchall()]


def begun(base: Base, order: str) -> None:
    """An order has begun, or will not: only its id is kept."""
    base.database.execute("UPDATE key_orders SET body = NULL WHERE id = ?", (order,))


def save(base: Base, session: Session) -> None:
    """Store the record of a session in place of the one before."""
    base.database.execute("INSERT OR REPLACE INTO key_sessions VALUES (?, ?, ?)", session)


def forget(base: Base, session: str) -> None:
    """Both ends have settled: the record is not needed any more."""
    base.database.execute("DELETE FROM key_sessions WHERE session = ?", (session,))


def sessions(base: Base) -> list[Session]:
    """All sessions that are not settled."""
    rows = base.database.execute("SELECT session, peer, record FROM key_sessions").fetchall()
    return [Session(*row) for row in rows]


def record(base: Base, session: str) -> bytes | None:
    """The record of one session as it is stored."""
    row = base.database.execute("SELECT record FROM key_sessions WHERE session = ?", (session,)).fetchone()
    return None if row is None else bytes(row[0])


def save_relay(base: Base, carried: Carried) -> None:
    """Store what is known of a relay in place of what was."""
    base.database.execute("INSERT OR REPLACE INTO key_relays VALUES (?, ?, ?, ?, ?)", carried)


def forget_relay(base: Base, relay: bytes) -> None:
    """There is no key of this relay."""
    base.database.execute("DELETE FROM key_relays WHERE relay = ?", (relay,))


def relays(base: Base) -> list[Carried]:
    """All relays that are stored, those with a key among them."""
    rows = base.database.execute("SELECT relay, peer, plan, state, word FROM key_relays").fetchall()
    return [Carried(*row) for row in rows]


def relay(base: Base, name: bytes) -> Carried | None:
    """One relay as it is stored."""
    row = base.database.execute(
        "SELECT relay, peer, plan, state, word FROM key_relays WHERE relay = ?", (name,)
    ).fetchone()
    return None if row is None else Carried(*row)


def tell(base: Base, report: Report) -> None:
    """Store a report; one of that name that still waits stays as it is."""
    base.database.execute("INSERT OR IGNORE INTO key_reports VALUES (?, ?)", report)


def reports(base: Base) -> list[Report]:
    """All reports that wait."""
    return [Report(*row) for row in base.database.execute("SELECT name, body FROM key_reports").fetchall()]


def told(base: Base, name: str) -> None:
    """The control plane has stored a report."""
    base.database.execute("DELETE FROM key_reports WHERE name = ?", (name,))


def sweep(base: Base, now: Millis) -> None:
    """Forget the ids of orders that can come no more."""
    base.database.execute(
        "DELETE FROM key_orders WHERE body IS NULL AND expires + ? <= ?", (REMEMBERED_MS, now)
    )

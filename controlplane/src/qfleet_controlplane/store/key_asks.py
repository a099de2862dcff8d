"""What was asked for under a key of the caller's, so that the same question asked again orders nothing.

The key stands beside what was made and not in its name: names stay random, and a caller who repeats an old
question to a store that was restored from a copy gets a session whose name devices have never seen.
"""

from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.store.tables.keys import key_asks
from qfleet_wire.names import Millis

What: TypeAlias = Literal["exchange", "relay"]


class Ask(NamedTuple):
    """A question: the hash of its key, what it asks for, and the request as JSON."""

    key: bytes
    what: What
    request: bytes


class Answered(NamedTuple):
    """A question of before, and the name of the session or relay that it made."""

    ask: Ask
    name: str


def find(connection: sa.Connection, key: bytes) -> Answered | None:
    """What was asked for under a key."""
    row = connection.execute(sa.select(key_asks).where(key_asks.c.key == key)).one_or_none()
    return None if row is None else Answered(Ask(row.key, row.what, row.request), row.name)


def keep(connection: sa.Connection, answered: Answered, created: Millis) -> None:
    """Store a question in the transaction that stores what it made."""
    values = {**answered.ask._asdict(), "name": answered.name, "created": created}
    connection.execute(key_asks.insert().values(values))


def forget(connection: sa.Connection, before: Millis) -> None:
    """Forget the questions of before a time."""
    connection.execute(key_asks.delete().where(key_asks.c.created < before))

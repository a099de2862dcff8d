"""What all statements of the store share: the open file, the sealer, and whose store it is."""

import sqlite3
from collections.abc import Sequence

from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.blocks import Blocks
from qfleet_agent.keystore.counts import Tally
from qfleet_agent.keystore.sealer import Sealer
from qfleet_wire.channel.labels import Label


class Base:
    """An open store inside a transaction."""

    def __init__(self, database: sqlite3.Connection, sealer: Sealer, name: str) -> None:
        self.database = database
        self.sealer = sealer
        self.name = name
        """The device that the store belongs to."""
        self.tally = Tally(database)
        self.blocks = Blocks(database, sealer, self.tally)

    def wait(self, link: str, made: Announcement, saes: Sequence[str], material: bytes | None) -> None:
        """Let a key wait for applications; None: it was withdrawn and waits for nobody."""
        sealed = None if material is None else self.sealer.seal(material, Label.KEY_STORE_WAITING, made.key)
        self.database.execute(
            "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)",
            (made.key, link, made.master, made.digest, sealed, made.expires),
        )
        self.database.executemany(
            "INSERT INTO recipients (key, sae) VALUES (?, ?)", [(made.key, sae) for sae in saes]
        )

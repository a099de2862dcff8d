"""Forgets telemetry after a week: nothing else that a fleet says grows for ever."""

import asyncio
import logging

import sqlalchemy as sa

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import Millis

KEPT_MS = 7 * 86_400_000
EVERY_S = 3600.0

_log = logging.getLogger(__name__)


async def run(database: Database) -> None:
    """Forget what is too old now and every hour, until cancelled."""
    while True:
        try:
            gone = await database.writer.run(_forget)
        except Unavailable as error:
            _log.warning("Old telemetry stays for now: %s", error, extra={"action": "retention-failed"})
        else:
            _log.debug("%d samples of telemetry were forgotten.", gone, extra={"action": "retention"})
        await asyncio.sleep(EVERY_S)


def _forget(connection: sa.Connection) -> int:
    return queries.drop_telemetry(connection, Millis(clocks.wall() - KEPT_MS))

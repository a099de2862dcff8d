"""Forgets old telemetry, a few devices at a time: nothing that a fleet says grows for ever."""

import asyncio
import itertools
import logging
from functools import partial

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import Millis

EVERY_S = 3600.0
_DEVICES = 20
"""Devices of one transaction: it must not keep the region's own waiting."""
_DAY_MS = 86_400_000

_log = logging.getLogger(__name__)


async def run(database: Database, days: float) -> None:
    """Forget what is older than ``days`` now and every hour, until cancelled."""
    while True:
        try:
            gone = await _forget(database, Millis(clocks.wall() - int(days * _DAY_MS)))
        except Unavailable as error:
            _log.warning("Old telemetry stays for now: %s", error, extra={"action": "retention-failed"})
        else:
            _log.debug("%d samples of telemetry were forgotten.", gone, extra={"action": "retention"})
        await asyncio.sleep(EVERY_S)


async def _forget(database: Database, before: Millis) -> int:
    gone = 0
    names = iter(await database.read(queries.device_names))
    while some := tuple(itertools.islice(names, _DEVICES)):
        drop = partial(queries.drop_telemetry, devices=some, before=before)
        gone += await database.writer.run(drop)
    return gone

"""Runs the twin of the network that is loaded: on one controller at a time, as fast as was asked.

What is asked of it waits in the store until it is done. It is saved every few seconds and with everything
that was asked; after a restart it goes on, and catches up with the time that went by. Whatever it fails of
is told and shown, and it is tried again from what was saved last: after a while, when something is asked,
when another scenario is loaded.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.twin.model import Alarm, Twin
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.service.twin_live import Live, orders
from qfleet_controlplane.store import networks
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import Millis

TICK_S = 1.0
SAVE_MS = 5_000
"""A twin that runs is saved so often."""
_LONGEST_PAUSE_S = 60.0
"""Between two tries of a twin that fails, if nobody asks for anything."""
_LONGEST_WORDS = 300

_log = logging.getLogger(__name__)


class TwinRunner:
    """Runs the twin while this controller may; all methods are called in the event loop."""

    def __init__(self, database: Database, leads: Callable[[], bool], clock: Callable[[], Millis]) -> None:
        """``leads`` says whether the twin is this controller's to run."""
        self._database = database
        self._leads = leads
        self._clock = clock
        self._wake = asyncio.Event()
        self.still = asyncio.Lock()
        """Held while the twin changes, in a thread: whoever looks at it takes it too."""
        self.live: Live | None = None
        """The twin, while it runs here."""
        self.failure = ""
        """Why the twin of this controller cannot go on; empty: it can."""

    def wake(self) -> None:
        """Look now: something was asked, or another network was loaded."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled, whatever fails."""
        outage = Outage(_log, Words("The twin stands still", "The twin goes on", "twin_stands"))
        pause_s = TICK_S
        while True:
            try:
                await self.turn()
            except Unavailable as error:
                outage.failed(error)
            except Exception:  # noqa: BLE001 – the twin is no reason to end; `failure` and the log say why
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                outage.over()
                pause_s = TICK_S
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), pause_s)
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Take up what is loaded, run up to now, do what was asked, and save.

        What fails leaves the twin as it was saved last; the next turn takes it up again.

        Raises:
            Unavailable: the store does not answer.
            Exception: whatever the twin failed of; ``failure`` says so until a turn succeeds.
        """
        async with self.still:
            try:
                await self._turn()
            except Exception as error:
                self.live = None  # what is in the store counts
                if not isinstance(error, Unavailable):
                    await self._failed(error)
                raise
            if self.failure:
                self.failure = ""
                _log.info("The network's twin goes on.", extra={"action": "network_twin_recovered"})

    async def _turn(self) -> None:
        if not self._leads():
            self.live = None
            return
        number = await self._database.read(networks.number)
        if self.live is None or self.live.number != number:
            self.live = None if number is None else await self._take_up()
        live = self.live
        if live is None:
            return
        if self.failure:
            # What failed may be what is due: to begin again or to stand still goes before it.
            await self._do(live, self._clock())
        now = self._clock()
        if live.running:
            _tell(await asyncio.to_thread(live.advance, now))
        recovered, live.twin.failure = bool(live.twin.failure), ""
        await self._do(live, now)
        if recovered or (now - live.saved_at >= SAVE_MS and live.twin.at_s > live.base[1]):
            await self._save(live, now, [])

    async def _do(self, live: Live, now: Millis) -> None:
        """Do what was asked, and save it with its effect."""
        asked = await self._database.read(lambda connection: networks.asked(connection, live.number))
        for one in orders(asked):
            live.take(one, now)
        if asked:
            await self._save(live, now, [one.id for one in asked])

    async def _save(self, live: Live, now: Millis, done: list[int]) -> None:
        row = live.row(now)

        def work(connection: sa.Connection) -> None:
            if networks.number(connection) == row.network:  # else another was loaded meanwhile
                networks.save(connection, row, done)

        await self._database.writer.run(work)
        live.saved_at = now
        live.base = (row.saved, live.twin.at_s)

    async def _take_up(self) -> Live | None:
        found = await self._database.read(networks.loaded)
        if found is None:
            return None
        saved = await self._database.read(lambda connection: networks.twin(connection, found.id))
        survey = await asyncio.to_thread(msgspec.json.decode, found.survey, type=Survey)
        return Live(found.id, network_of(survey), saved, seed=0)

    async def _failed(self, error: Exception) -> None:
        """Tell why the twin failed, once, and keep it with the twin for whoever looks from elsewhere."""
        words = f"{type(error).__name__}: {error}"[:_LONGEST_WORDS]
        if words == self.failure:
            return
        self.failure = words
        _log.error(
            "The network's twin failed and stands still: %s", words,
            exc_info=error, extra={"action": "network_twin_failed"},
        )  # fmt: skip
        with contextlib.suppress(Unavailable, msgspec.DecodeError):
            await self._database.writer.run(lambda connection: _marked(connection, words))


def _marked(connection: sa.Connection, words: str) -> None:
    """Write the reason into the twin that is saved; all else of it stays, and it goes on from there."""
    number = networks.number(connection)
    saved = None if number is None else networks.twin(connection, number)
    if saved is not None:
        twin = msgspec.json.decode(saved.state, type=Twin)
        twin.failure = words
        networks.save(connection, saved._replace(state=msgspec.json.encode(twin)))


def _tell(alarms: list[Alarm]) -> None:
    for alarm in alarms:
        _log.warning(
            "Simulated network, %s: %s: %s", alarm.kind, alarm.subject, alarm.detail,
            extra={"action": "network_alarm"},
        )  # fmt: skip

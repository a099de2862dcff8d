"""Runs the twin of the network that is loaded: on one controller at a time, as fast as was asked.

What is asked of it waits in the store until it is done. It is saved every few seconds and with everything
that was asked; after a restart it goes on, and catches up with the time that went by.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.twin.advance import advance, begin, is_over
from qfleet_controlplane.network.twin.model import Alarm, Fault, Network, Twin, pair
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.store import networks
from qfleet_controlplane.store.database import Database
from qfleet_wire.api.network import FaultRequest, SimulationRequest
from qfleet_wire.names import Millis

TICK_S = 1.0
SAVE_MS = 5_000
"""A twin that runs is saved so often."""

_log = logging.getLogger(__name__)


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Let the twin run."""

    asked: SimulationRequest


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Let the twin stand still."""


class Meddle(msgspec.Struct, frozen=True, tag="meddle"):
    """Let something be wrong with a link, or mend it."""

    asked: FaultRequest


_ORDERS: msgspec.json.Decoder[Run | Stop | Meddle] = msgspec.json.Decoder(Run | Stop | Meddle)


def order(asked: Run | Stop | Meddle) -> bytes:
    """Write an order as it is stored."""
    return msgspec.json.encode(asked)


class Live:
    """A twin in memory, with how fast it runs. ``clock`` is the wall clock in milliseconds."""

    def __init__(self, number: int, network: Network, saved: networks.Saved | None, seed: int) -> None:
        self.number = number
        self.network = network
        self.running = saved is not None and saved.running
        self.speed = 1.0 if saved is None else saved.speed
        self.twin = begin(network, seed) if saved is None else msgspec.json.decode(saved.state, type=Twin)
        self.base = (Millis(0) if saved is None else saved.saved, self.twin.at_s)
        self.saved_at = self.base[0]

    def due_s(self, now: Millis) -> float:
        """Where the twin should be now."""
        since, at_s = self.base
        return at_s + max(0, now - since) / 1000 * self.speed if self.running else self.twin.at_s

    def advance(self, now: Millis) -> list[Alarm]:
        """Run up to now; return the alarms that came, the newest of them where there are many."""
        before = self.twin.alarms_raised
        advance(self.network, self.twin, self.due_s(now))
        if is_over(self.network, self.twin):
            self.running = False
        return (
            self.twin.alarms[-min(self.twin.alarms_raised - before, len(self.twin.alarms)) :]
            if (self.twin.alarms_raised > before)
            else []
        )

    def take(self, asked: Run | Stop | Meddle, now: Millis) -> None:
        """Do what was asked, at the time to which the twin has run."""
        match asked:
            case Run(request):
                if request.restart or is_over(self.network, self.twin):
                    self.twin = begin(self.network, request.seed)
                self.running, self.speed = True, request.speed
                self.base = (now, self.twin.at_s)
            case Stop():
                self.running = False
            case Meddle(request):
                name = pair(request.a, request.b)
                self.twin.faults.pop(name, None)
                if request.fault != "none":
                    self.twin.faults[name] = Fault(kind=request.fault, share=request.share)

    def row(self, now: Millis) -> networks.Saved:
        """Return it as it is saved; the time that its grid has not reached yet is not lost."""
        behind_ms = 1000 * max(0.0, self.due_s(now) - self.twin.at_s) / self.speed if self.running else 0.0
        at = Millis(now - int(behind_ms))
        return networks.Saved(self.number, self.running, self.speed, at, msgspec.json.encode(self.twin))


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

    def wake(self) -> None:
        """Look now: something was asked, or another network was loaded."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        outage = Outage(_log, Words("The twin stands still", "The twin goes on", "twin_stands"))
        while True:
            try:
                await self.turn()
            except Unavailable as error:
                self.live = None  # what is in the store counts
                outage.failed(error)
            else:
                outage.over()
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), TICK_S)
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Take up what is loaded, run up to now, do what was asked, and save. Raises ``Unavailable``."""
        async with self.still:
            await self._turn()

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
        asked = await self._database.read(lambda connection: networks.asked(connection, live.number))
        now = self._clock()
        if live.running:
            _tell(await asyncio.to_thread(live.advance, now))
        for one in asked:
            live.take(_ORDERS.decode(one.body), now)
        if asked or (now - live.saved_at >= SAVE_MS and live.twin.at_s > live.base[1]):
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


def _tell(alarms: list[Alarm]) -> None:
    for alarm in alarms:
        _log.warning(
            "Simulated network, %s: %s: %s", alarm.kind, alarm.subject, alarm.detail,
            extra={"action": "network_alarm"},
        )  # fmt: skip

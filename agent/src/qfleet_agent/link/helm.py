"""Steers the link: takes the way that the chooser names, waits where there is none, and says when to leave.

It decides nothing: it tells the chooser what happens, by the clocks, and does what follows.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from qfleet_agent.link.broker import Broker
from qfleet_agent.ways import telling
from qfleet_agent.ways.chooser import Chooser, Rules
from qfleet_agent.ways.standing import Now, month_of
from qfleet_agent.ways.way import ONLY, Manner, Way
from qfleet_wire import codec, ways
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Contacts

PROBE_S = 5.0
"""How long a gateway may take to answer a probe."""
SPREAD_SHARE = 0.2
"""Devices that lose one gateway together come to the next over this share of the base, not at once."""
LEAST_LOOK_S = 0.05
KEEP_S = 900.0
"""What was used of a budget is written so often, and with each connection that ends."""
OVERHEAD_BYTES = 120
"""What a message takes on the way beside itself: headers of MQTT, TCP and IP, and their acknowledgements."""
CONNECTION_BYTES = 6_000
"""What a connection takes to come about, with TLS."""

log = logging.getLogger(__name__)


class WayLeft(Exception):
    """The connection is to be given up: another way is better, or the window of this one closes."""


class Used(msgspec.Struct, frozen=True):
    """Bytes by way, in a month; kept in the journal."""

    month: str
    bytes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A way, and the broker at its end."""

    way: Way
    address: Broker


@dataclass(frozen=True, slots=True)
class Means:
    """What the helm needs: the device's clock in UTC, randomness, and where to keep what was used."""

    utc: Callable[[], Millis]
    random: Callable[[int], bytes]
    keep: Callable[[bytes], Awaitable[None]]


class Helm:
    """The ways of one device. ``network`` is set when the network comes up."""

    def __init__(self, gateways: Sequence[Gateway], rules: Rules, means: Means, *, beat_s: float) -> None:
        self._gateways = {each.way.name: each.address for each in gateways}
        self._ways = {each.way.name: each.way for each in gateways}
        self._rules = rules
        self._means = means
        self._beat_s = beat_s
        self._chooser = Chooser(tuple(self._ways.values()), rules)
        self._look = asyncio.Event()
        self._kept_s = float("-inf")
        self._dirty = False
        self._since = Millis(0)
        self.network = asyncio.Event()
        for name, address in self._gateways.items():  # a fleet spreads over a cluster
            for _ in range(int.from_bytes(means.random(4), "big") % len(address.nodes)):
                self._gateways[name] = self._gateways[name].following()

    # ── what is in use ──────────────────────────────────────────────────────────────────────

    @property
    def alone(self) -> bool:
        """Whether the settings name no ways: then nothing is told of one."""
        return tuple(self._ways.values()) == (ONLY,)

    @property
    def manner(self) -> Manner:
        """How messages go now."""
        return (self._chooser.current or ONLY).manner

    @property
    def latency_ms(self) -> float | None:
        """Measured round trip of the way in use; None: nothing was measured, or there is one way only."""
        current = self._chooser.current
        if self.alone or current is None:
            return None
        return self._chooser.standings[current.name].latency_ms

    @property
    def in_words(self) -> str:
        """The way in use, for people; empty where there is one only."""
        current = self._chooser.current
        if self.alone:
            return ""
        if current is None:
            return f"none of {', '.join(self._ways)}"
        latency = self.latency_ms
        return f"{current.name} ({current.kind}){'' if latency is None else f', {latency:.0f} ms'}"

    def told(self) -> ways.Way | None:
        """What the controller is told of the way in use; None: nothing."""
        way = self._chooser.current
        if self.alone or way is None:
            return None
        address = self._gateways[way.name]
        return telling.told(
            self._chooser.standings[way.name],
            address.host if address.transport == "unix" else f"{address.host}:{address.port}",
            since=self._since,
            utc_ms=self._means.utc(),
            beat_ms=round(self._beat_s * 1000),
        )

    def plan(self, contacts: Contacts) -> None:
        """Know when ways are there by the control plane's plan."""
        self._chooser.planned(contacts)
        self._look.set()

    # ── the course ──────────────────────────────────────────────────────────────────────────

    async def embark(self) -> Gateway:
        """Return the way to connect over, once there is one."""
        await self._keep()
        while True:
            now = self._now()
            way = self._chooser.choose(now)
            if way is not None:
                return Gateway(way, self._gateways[way.name])
            await self._rest(self._chooser.wait_s(now))

    async def watch(self, depart: Callable[[bool], Awaitable[None]]) -> None:
        """Look for a better way while connected.

        ``depart`` sends what is in line before this one is given up; it is told whether the device is gone
        for a while then, because there is no other.

        Raises:
            WayLeft: another is to be taken, or none.
        """
        if self.alone:
            return
        while True:
            self._look.clear()
            now = self._now()
            await asyncio.gather(*(self._probe(way) for way in self._chooser.probes(now)))
            now = self._now()
            chosen, current = self._chooser.choose(now), self._chooser.current
            if chosen is None or chosen is not current:
                await depart(chosen is None)
                self._chooser.left()
                text = "no way is there" if chosen is None else f"{chosen.name} is taken"
                raise WayLeft(f"{'the way' if current is None else current.name} is left: {text}")
            if now.elapsed_s - self._kept_s > KEEP_S:
                await self._keep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LEAST_LOOK_S, self._chooser.wait_s(now))):
                    await self._look.wait()

    def connected(self, gateway: Gateway) -> None:
        """A connection stands."""
        self._chooser.connected(gateway.way.name, None, self._now())
        self._since = self._means.utc()
        self.moved(CONNECTION_BYTES)
        if not self.alone:
            log.info("Messages go over %s.", self.in_words, extra={"action": "way-taken"})

    def answered(self, seconds: float) -> None:
        """The gateway in use has answered a message after so long."""
        current = self._chooser.current
        if current is not None:
            self._chooser.answered(current.name, seconds * 1000, self._now())

    def mute(self) -> None:
        """No controller answers over the way in use."""
        current = self._chooser.current
        if current is not None:
            self._chooser.mute(current.name, self._now(), self._means.random)
            self._look.set()

    def moved(self, count: int) -> None:
        """So many bytes went over the way in use."""
        current = self._chooser.current
        if current is not None:
            self._chooser.moved(current.name, count, self._now())
            self._dirty = True

    async def lost(self, gateway: Gateway, why: str) -> None:
        """A connection was lost, or none came about: go on over another way, soon, or wait."""
        now, name = self._now(), gateway.way.name
        self._chooser.lost(name, now, self._means.random)
        # Of a cluster, the node that was lost is tried last.
        self._gateways[name] = self._gateways[name].following()
        other = self._chooser.choose(now)
        if other is None:
            wait = self._chooser.wait_s(now)
            log.warning("%s; the next attempt is in %.1f s.", why, wait, extra={"action": "disconnected"})
            return
        log.warning("%s; %s is tried.", why, other.name, extra={"action": "way-lost"})
        await asyncio.sleep(self._rules.base_s * SPREAD_SHARE * self._share())

    # ── what it takes ───────────────────────────────────────────────────────────────────────

    def restore(self, stored: bytes | None) -> None:
        """Go on from what was used of the budgets."""
        if stored is None:
            return
        try:
            used = codec.decode(stored, Used)
        except RemoteError as error:
            log.warning("What ways have cost is not known: %s", error, extra={"action": "budget-unread"})
            return
        self._chooser.restore(used.month, used.bytes)

    async def _keep(self) -> None:
        """Write what was used, where a budget counts it."""
        if not self._dirty or all(way.month_mb is None for way in self._ways.values()):
            return
        now = self._now()
        self._dirty, self._kept_s = False, now.elapsed_s
        try:
            await self._means.keep(codec.encode(Used(month_of(now.utc_ms), self._chooser.used(now))))
        except sqlite3.OperationalError as error:
            log.warning("What ways have cost is not kept: %s", error, extra={"action": "budget-unsaved"})

    async def _rest(self, wait_s: float) -> None:
        """Wait, but no longer than until the network has come up."""
        self.network.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self.network.wait()
        except TimeoutError:
            return
        now = self._now()
        self._chooser.network_came_up(now, self._means.random)
        log.info("The network came up; the next attempt is in %.1f s.", self._chooser.wait_s(now))

    async def _probe(self, way: Way) -> None:
        """Ask a gateway whether it is there."""
        address = self._gateways[way.name]
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PROBE_S):
                if address.transport == "unix":
                    _, writer = await asyncio.open_unix_connection(address.host)
                else:
                    local = None if address.source is None else (address.source, 0)
                    _, writer = await asyncio.open_connection(address.host, address.port, local_addr=local)
        except (OSError, TimeoutError) as error:
            log.debug("%s does not answer: %s", way.name, error, extra={"action": "probed"})
            self._chooser.probed_in_vain(way.name)
            return
        took = asyncio.get_running_loop().time() - begun
        self._chooser.answered(way.name, took * 1000, self._now())
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _now(self) -> Now:
        return Now(asyncio.get_running_loop().time(), self._means.utc())

    def _share(self) -> float:
        return int.from_bytes(self._means.random(4), "big") / 2**32

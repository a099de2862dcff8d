"""The authority of keys of a running control plane: it orders sessions and relays, and never sees a key.

One controller acts by itself, the one that leads the first region, and writes under that region's lease.
Any controller does what the API asks. Everything is decided on what is stored, in one transaction at a time.
Regions that are led elsewhere are told by the store that their devices have orders.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qfleet_controlplane.errors import InvalidRequest, Unavailable
from qfleet_controlplane.keys import events
from qfleet_controlplane.keys.model import Relay, Rules, Session, State
from qfleet_controlplane.service import key_finds, key_repeats, key_views
from qfleet_controlplane.service.key_acts import Desk, Done
from qfleet_controlplane.service.key_scene import Scenes
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.store import key_rows
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.key_asks import Ask
from qfleet_wire.api.keys import (
    MOST_LISTED,
    KeyAlarmView,
    KeyExchangeRequest,
    KeyLinkView,
    KeyRelayDetail,
    KeyRelayRequest,
    KeyRelayView,
    KeySessionDetail,
    KeySessionView,
)
from qfleet_wire.key_orders import Eavesdropper
from qfleet_wire.names import DeviceName, Millis, RegionName

LOOK_S = 1.0
_NAME_BYTES = 16
_FORGET_MS = 86_400_000
_LONGEST_PAUSE_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the authority works with.

    ``home`` gives the store as the first region's leader writes it, None where that is not led here.
    ``send`` has the devices of the regions that are ``led`` here sent their orders; ``marked`` tells that
    something was asked of the twin.
    """

    clock: Callable[[], Millis]
    random: Callable[[int], bytes]
    home: Callable[[], Database | None]
    send: Callable[[Collection[DeviceName]], None]
    marked: Callable[[], None]
    led: Callable[[], Collection[RegionName]]


class KeyAuthority:
    """Start ``run`` once; the other methods are called in the same event loop."""

    def __init__(self, database: Database, rules: Rules, around: Surroundings) -> None:
        self._database = database
        self._around = around
        self._scenes = Scenes()
        self._desk = Desk(rules, self._scenes.read, lambda: around.random(_NAME_BYTES), around.led)
        self._forgot = Millis(0)
        self.counts: Counter[str] = Counter()
        """What became of sessions, relays, alarms and reports since the start, for ``/metrics``."""

    async def run(self) -> None:
        """Act until cancelled, whatever fails."""
        outage = Outage(_log, Words("Keys are not scheduled", "Keys are scheduled again", "keys_stand"))
        pause_s = LOOK_S
        while True:
            try:
                await self.turn()
            except Exception as error:  # noqa: BLE001 - what is stored stands, and is looked at again
                outage.failed(error)
                pause_s = pause_s if isinstance(error, Unavailable) else min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                outage.over()
                pause_s = LOOK_S
            await asyncio.sleep(pause_s)

    async def turn(self) -> None:
        """Take in what was reported and do what is due, if this controller may. Raises ``Unavailable``."""
        home = self._around.home()
        if home is None:
            return
        now = self._around.clock()
        if now - self._forgot >= _FORGET_MS:
            await home.writer.run(lambda connection: key_rows.forget(connection, now))
            self._forgot = now
        # What is idle writes nothing.
        if await home.read(lambda connection: self._desk.due(connection, now)):
            self._follow(await home.writer.run(lambda connection: self._desk.turn(connection, now)))

    async def exchange(
        self, request: KeyExchangeRequest, actor: str, key: str | None = None
    ) -> KeySessionView:
        """Let a link make a key; both ends are ordered when this returns.

        What is asked for again under the same ``key`` is the session of the first time.

        Raises:
            NotFound: there is no such link.
            Conflict: it has a session, is broken or has no light now, or the key stands for something else.
            InvalidRequest: so many pulses, or such an eavesdropper, cannot be.
        """
        listener = None
        if not 0.0 <= request.share <= 1.0:
            raise InvalidRequest(
                f"share = {request.share:g} must lie in [0, 1]", hint="1 is all of the light", field="share"
            )
        if request.eavesdropper is not None:
            listener = Eavesdropper(kind=request.eavesdropper, share=request.share)
        event = events.ExchangeAsked(request.a, request.b, actor, listener, request.pulses)
        made = await self._ask(event, key_repeats.ask(key, "exchange", request))
        return next(key_views.session(one) for one in made if isinstance(one, Session))

    async def relay(self, request: KeyRelayRequest, actor: str, key: str | None = None) -> KeyRelayView:
        """Let a key be carried between two places; every device of its route is ordered when this returns.

        What is asked for again under the same ``key`` is the relay of the first time.

        Raises:
            NotFound: a place has no link.
            Conflict: no route is well and has enough key, or ``key`` stands for something else.
            InvalidRequest: so many bytes are no key.
        """
        event = events.RelayAsked(request.a, request.b, request.bytes, actor)
        made = await self._ask(event, key_repeats.ask(key, "relay", request))
        return next(key_views.relay(one) for one in made if isinstance(one, Relay))

    async def links(self) -> tuple[KeyLinkView, ...]:
        """Every link of the twin that joins two devices."""
        now = self._around.clock()

        def read(connection: sa.Connection) -> State:
            return State(
                scene=self._scenes.read(connection, now),
                rules=self._desk.rules,
                stocks=key_rows.stocks(connection),
                latest=key_rows.latest_sessions(connection),
                alarms=key_rows.standing_alarms(connection),
            )

        return tuple(key_views.links(await self._database.read(read)))

    async def sessions(self, limit: int = 100, link: str = "") -> tuple[KeySessionView, ...]:
        """Sessions, the latest first; those of one link where it is named, as ``A|B``."""
        most = _bounded(limit)
        if link and link.count("|") != 1:
            raise InvalidRequest(
                f"link = {link!r} is no name of a link",
                hint="name its two places as A|B; `qfleet key links` shows them",
                field="link",
            )
        name = "|".join(sorted(link.split("|")))
        found = await self._database.read(lambda connection: key_rows.sessions(connection, most, name))
        return tuple(key_views.session(one) for one in found)

    async def session(self, name: str) -> KeySessionDetail:
        """One session by its name or how that begins; ``NotFound`` and ``Conflict`` else."""
        found = await self._database.read(lambda connection: key_finds.session(connection, name))
        return key_views.session_detail(found)

    async def carried(self, name: str) -> KeyRelayDetail:
        """One relay by its name or how that begins; raises as ``session`` does."""
        found = await self._database.read(lambda connection: key_finds.relay(connection, name))
        return key_views.relay_detail(found)

    async def relays(self, limit: int = 100) -> tuple[KeyRelayView, ...]:
        """Relays, the latest first."""
        most = _bounded(limit)
        found = await self._database.read(lambda connection: key_rows.relays(connection, most))
        return tuple(key_views.relay(one) for one in found)

    async def alarms(self, limit: int = 100) -> tuple[KeyAlarmView, ...]:
        """Alarms, the latest first."""
        most = _bounded(limit)
        found = await self._database.read(lambda connection: key_rows.alarms(connection, most))
        return tuple(key_views.alarm(one) for one in found)

    async def _ask(self, event: events.Asked, ask: Ask | None) -> Sequence[Session | Relay]:
        now = self._around.clock()
        home = self._around.home() or self._database
        done = await home.writer.run(lambda connection: self._desk.ask(connection, event, now, ask))
        self._follow(done)
        return done.made

    def _follow(self, done: Done) -> None:
        """Send what was ordered and tell what was seen; both are stored already."""
        self.counts.update(done.counts)
        for alarm in done.alarms:
            _log.warning(
                "Keys: %s was seen on %s by %s; %s.", alarm.seen, alarm.link, alarm.session, alarm.action,
                extra={"action": "key_alarm"},
            )  # fmt: skip
        if done.devices:
            self._around.send(sorted(done.devices))
        if done.marked:
            self._around.marked()


def _bounded(limit: int) -> int:
    if not 1 <= limit <= MOST_LISTED:
        raise InvalidRequest(
            f"limit = {limit} must lie in [1, {MOST_LISTED}]", hint="ask for fewer", field="limit"
        )
    return limit

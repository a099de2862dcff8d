"""One decision about keys in one transaction: what is stored is read, what was decided is stored and ordered.

Nothing is ordered that is not stored, and nothing stored whose orders are not: both ends of a session are
ordered, or neither. Sending comes afterwards and may be repeated.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from qfleet_controlplane.keys import events
from qfleet_controlplane.keys.decider import Decider
from qfleet_controlplane.keys.model import Alarm, Relay, Rules, Scene, Session, State
from qfleet_controlplane.service import key_repeats, ordering, twin_live
from qfleet_controlplane.store import audit, key_rows, keys, networks, orders, roster
from qfleet_controlplane.store.key_asks import Ask
from qfleet_wire import key_orders
from qfleet_wire.api.network import FaultRequest
from qfleet_wire.errors import InvalidMessage
from qfleet_wire.key_orders import ExchangeEnded, RelayEnded, RouteAlarm, Stock
from qfleet_wire.names import DeviceName, Millis, RegionName

AT_ONCE = 200
"""Reports that one transaction takes in."""


@dataclass(slots=True)
class Done:
    """What follows once it is committed: who is to be sent orders, and what is counted and told.

    ``marked``: something was asked of the twin.
    """

    devices: set[DeviceName] = field(default_factory=set)
    marked: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    alarms: list[Alarm] = field(default_factory=list)
    made: list[Session | Relay] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes decisions in transactions.

    ``scene`` reads the network, ``fresh`` gives 16 random bytes, ``led`` names the regions whose devices can
    be sent their orders from here; the others are told in the same transaction.
    """

    rules: Rules
    scene: Callable[[sa.Connection, Millis], Scene]
    fresh: Callable[[], bytes]
    led: Callable[[], Collection[RegionName]]

    def due(self, connection: sa.Connection, now: Millis) -> bool:
        """Whether there is anything to do; stores nothing."""
        if keys.reports(connection, 1):
            return True
        decider = Decider(self._state(connection, now), self.fresh)
        return bool(decider.handle(events.Looked(), now))

    def turn(self, connection: sa.Connection, now: Millis) -> Done:
        """Take in reports, then look what time has brought."""
        key_rows.take_turn(connection)
        unread = keys.reports(connection, AT_ONCE)
        done, said = Done(), []
        for one in unread:
            try:
                said.append((one, key_orders.report(one.body)))
            except InvalidMessage:
                done.counts["report-unreadable"] += 1
        decider = Decider(self._state(connection, now, [body for _, body in said]), self.fresh)
        effects: list[events.Effect] = []
        for one, body in said:
            done.counts["report"] += 1
            if isinstance(body, Stock):
                key_rows.stock(connection, one.device, body, one.received)
            # A stock is as old as it is, whenever it is read.
            at = one.received if isinstance(body, Stock) else now
            effects += decider.handle(events.Reported(one.device, body), at)
        effects += decider.handle(events.Looked(), now)
        _perform(connection, effects, decider.state.scene.number, now, done)
        self._tell(connection, done.devices, now)
        keys.read(connection, unread)
        return done

    def ask(
        self, connection: sa.Connection, event: events.Asked, now: Millis, ask: Ask | None = None
    ) -> Done:
        """Do what somebody asks for; what was asked for before under the key of ``ask`` is found again.

        Raises:
            NotFound: a place has no link.
            Conflict: it cannot be now, or something else was asked for under this key.
            InvalidRequest: it can never be.
        """
        key_rows.take_turn(connection)
        if ask is not None and (again := key_repeats.made(connection, ask)) is not None:
            # Devices that have not taken its orders get them again: the answer may not be all that was lost.
            return Done(devices=set(_devices(again)), made=[again])
        decider, done = Decider(self._state(connection, now), self.fresh), Done()
        _perform(connection, decider.handle(event, now), decider.state.scene.number, now, done)
        if ask is not None:
            key_repeats.keep(connection, ask, done.made[0].name, now)
        self._tell(connection, done.devices, now)
        return done

    def _tell(self, connection: sa.Connection, devices: Collection[DeviceName], now: Millis) -> None:
        """Tell regions that are led elsewhere that their devices have orders."""
        led = self.led()
        places = [(device, roster.device(connection, device)) for device in sorted(devices)]
        orders.put(
            connection,
            [
                ordering.key_order(place.region, device, now)
                for device, place in places
                if place is not None and place.region not in led
            ],
        )

    def _state(self, connection: sa.Connection, now: Millis, said: Iterable[key_orders.Report] = ()) -> State:
        """What is open, and what reports speak of."""
        reports = list(said)
        return State(
            scene=self.scene(connection, now),
            rules=self.rules,
            stocks=key_rows.stocks(connection),
            sessions=key_rows.open_sessions(
                connection, [one.session for one in reports if isinstance(one, ExchangeEnded)]
            ),
            latest=key_rows.latest_sessions(connection),
            relays=key_rows.open_relays(
                connection, [one.relay.hex() for one in reports if isinstance(one, RelayEnded | RouteAlarm)]
            ),
            alarms=key_rows.standing_alarms(connection),
        )


def _devices(what: Session | Relay) -> Collection[DeviceName]:
    """Whom it was ordered of; nobody once it has ended, for what was not taken is withdrawn then."""
    if what.status != "ordered":
        return ()
    return what.devices if isinstance(what, Session) else what.route


def _perform(
    connection: sa.Connection, effects: Sequence[events.Effect], network: int, now: Millis, done: Done
) -> None:
    for effect in effects:
        match effect:
            case events.Save(what):
                key_rows.save(connection, what)
                _count(done, what)
            case events.Order(device, name, body):
                keys.order(connection, [keys.Order(device, name, now, body)])
                done.devices.add(device)
            case events.Withdraw(device, name):
                keys.taken(connection, device, name)
            case events.Mark(a, b):
                asked = twin_live.Meddle(FaultRequest(a=a, b=b, fault="failed"))
                networks.ask(connection, network, twin_live.order(asked))
                done.marked = True
            case events.Note(who, action, subject, detail):
                audit.append(connection, [audit.Entry(now, who, action, subject, detail)])
            case events.Count(what=word):
                done.counts[word] += 1


def _count(done: Done, what: Session | Relay | Alarm) -> None:
    match what:
        case Session():
            done.counts[f"session-{what.status}"] += what.ended is not None or not what.said
            done.made.append(what)
        case Relay():
            done.counts[f"relay-{what.status}"] += what.ended is not None or not what.said
            done.made.append(what)
        case Alarm(cleared=None):
            done.counts["alarm"] += 1
            done.alarms.append(what)
        case Alarm():
            done.counts["alarm-cleared"] += 1

"""The authority of keys: an event and the time go in, and what is to be done comes out.

It knows the state as it is stored and changes its own copy; whoever asks stores and sends what comes out in
one transaction, or drops both.
"""

from collections.abc import Callable
from typing import TypeAlias

from qfleet_controlplane.keys import alarms, places, relays, sessions
from qfleet_controlplane.keys.events import (
    Count,
    Effect,
    Event,
    ExchangeAsked,
    Looked,
    Note,
    RelayAsked,
    Reported,
)
from qfleet_controlplane.keys.model import Relay, State, Stocked
from qfleet_wire.key_orders import ExchangeEnded, RelayEnded, Report, RouteAlarm, Stock
from qfleet_wire.names import DeviceName, Millis

Fresh: TypeAlias = Callable[[], bytes]


class Decider:
    """Decides on one state.

    Args:
        state: as it is stored; changed in place.
        fresh: gives 16 random bytes at each call. Sessions and relays are named by them, so that no name
            ever comes again, also in a store that was restored from a copy.
    """

    def __init__(self, state: State, fresh: Fresh) -> None:
        self.state = state
        self._fresh = fresh

    def handle(self, event: Event, now: Millis) -> list[Effect]:
        """Return what is to be done, in sequence.

        Raises:
            NotFound: a place has no link.
            Conflict: it cannot be now.
            InvalidRequest: it can never be.
        """
        match event:
            case ExchangeAsked():
                link = places.link(self.state.scene, event.a, event.b)
                session, effects = sessions.begin(self.state, link, event, self._name(), now)
                return [*effects, Note(event.who, "key.exchange", session.link, session.name)]
            case RelayAsked():
                return self._relay(event, now)
            case Reported(device, said):
                return self._heard(device, said, now)
            case Looked():
                return self._look(now)

    def _heard(self, device: DeviceName, said: Report, now: Millis) -> list[Effect]:
        match said:
            case Stock(links=held):
                self.state.stocks[device] = Stocked(now, {one.peer: one for one in held})
                return []
            case ExchangeEnded():
                return self._ended(device, said, now)
            case RelayEnded():
                return _known(relays.heard(self.state, device, said, now))
            case RouteAlarm():
                names = (self._name(), self._name())
                return _known(alarms.of_route(self.state, device, said, names, now))

    def _relay(self, event: RelayAsked, now: Millis) -> list[Effect]:
        ends = places.nodes(self.state.scene, event.a, event.b)
        asked = Relay(
            name=self._name(), route=(), links=(), size=event.size, created=now, expires=now, who=event.who
        )
        relay, effects = relays.begin(self.state, ends, asked, now)
        return [*effects, Note(event.who, "key.relay", relay.name, " - ".join(relay.route))]

    def _ended(self, device: DeviceName, said: ExchangeEnded, now: Millis) -> list[Effect]:
        effects = _known(sessions.heard(self.state, device, said, now))
        session = self.state.sessions.get(said.session)
        first = session is not None and sum(bool(one.seen) for one in session.said.values()) == 1
        if session is None or not _is_news(effects) or not said.seen or not first:
            return effects
        names = [self._name() for _ in range(1 + len(self.state.relays))]
        return [*effects, *alarms.of_session(self.state, session, said.seen, names, now)]

    def _look(self, now: Millis) -> list[Effect]:
        effects = [
            *sessions.expired(self.state, now),
            *relays.expired(self.state, now),
            *alarms.mended(self.state, now),
        ]
        for link in sessions.low(self.state, now):
            asked = ExchangeAsked(link.a, link.b, sessions.BY_ITSELF)
            effects += sessions.begin(self.state, link, asked, self._name(), now)[1]
        return effects

    def _name(self) -> str:
        return self._fresh().hex()


def _known(effects: list[Effect] | None) -> list[Effect]:
    """What a device said of something that it has no part in is counted and does nothing."""
    if effects is None:
        return [Count("foreign")]
    return effects


def _is_news(effects: list[Effect]) -> bool:
    return any(not isinstance(one, Count) for one in effects)

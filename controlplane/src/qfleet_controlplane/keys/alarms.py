"""What follows when something is seen: the link stands still, the twin knows, and relays go another way.

An alarm of a link stands until an operator mends the link in the twin. Of a relay only the route is known:
it is given up, and the key is sent another way that passes none of the nodes between.
"""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.keys import places, relays
from qfleet_controlplane.keys.events import Effect, Mark, Note, Save
from qfleet_controlplane.keys.model import Alarm, Relay, Session, State
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_wire.key_orders import RouteAlarm
from qfleet_wire.names import DeviceName, Millis

WHO = "key-authority"


def of_session(
    state: State, session: Session, seen: str, names: Collection[str], now: Millis
) -> list[Effect]:
    """Raise the alarm of a link; ``names`` are those of the alarm and of each relay that goes another way."""
    if session.link in state.alarms:
        return []
    fresh = iter(names)
    alarm = Alarm(
        name=next(fresh),
        at=now,
        link=session.link,
        session=session.name,
        seen=seen,
        action="",
        network=state.scene.number,
        simulated=session.simulated,
    )
    state.alarms[session.link] = alarm
    effects: list[Effect] = []
    moved = []
    for relay in list(state.relays.values()):
        if relay.status == "ordered" and session.link in relay.links:
            more, words = _moved(state, relay, next(fresh), now)
            effects += more
            moved.append(words)
    link = state.scene.links.get(session.link)
    if link is not None:
        effects.append(_mark(state, link))
    marked = "the link stands still and is marked as failed in the twin"
    alarm = replace(alarm, action="; ".join([marked, *moved]))
    state.alarms[session.link] = alarm
    return [*effects, Save(alarm), Note(WHO, "key.alarm", session.link, f"{session.name}: {seen}")]


def of_route(
    state: State, device: DeviceName, said: RouteAlarm, names: Collection[str], now: Millis
) -> list[Effect] | None:
    """Give the route of a relay up; None: the device is not on it."""
    relay = state.relays.get(said.relay.hex())
    if relay is None or device not in relay.route:
        return None
    if relay.status == "aborted":
        return []
    name, other = names
    if relay.status == "ordered":
        effects, words = _moved(state, relay, other, now, without=relay.trusted)
    else:
        effects, words = [], "the relay was over"
    alarm = Alarm(
        name=name, at=now, link=" ".join(relay.route), session=relay.name, seen=said.seen, action=words,
        cleared=now, simulated=relay.simulated,
    )  # fmt: skip
    return [*effects, Save(alarm), Note(WHO, "key.route-alarm", relay.name, f"{device}: {said.seen}")]


def mended(state: State, now: Millis) -> Iterator[Effect]:
    """Clear the alarms of links that an operator has mended; mark those anew that another scenario forgot."""
    if state.scene.marking:
        return
    for name, alarm in list(state.alarms.items()):
        link = state.scene.links.get(name)
        if link is None or name in state.scene.faults:
            continue
        if alarm.network != state.scene.number:
            again = replace(alarm, network=state.scene.number)
            state.alarms[name] = again
            yield from (Save(again), _mark(state, link))
            continue
        del state.alarms[name]
        yield Save(replace(alarm, cleared=now))
        yield Note(WHO, "key.alarm-cleared", name, f"the link was mended; the alarm was of {alarm.session}")


def _mark(state: State, link: KeyLink) -> Mark:
    """Let the twin know; until it has heard, that the link is well there says nothing."""
    state.scene = state.scene._replace(marking=True)
    return Mark(link.a, link.b)


def _moved(
    state: State, relay: Relay, name: str, now: Millis, *, without: Collection[DeviceName] = ()
) -> tuple[list[Effect], str]:
    """Give a relay's route up and take another one, if there is one."""
    nodes = {device: node for node, device in places.seats(state.scene).items()}
    reason = f"something was seen on its way, {' - '.join(relay.route)}"
    effects = relays.close(state, replace(relay, bits=0), "aborted", reason, now)
    ends = nodes.get(relay.route[0]), nodes.get(relay.route[-1])
    if ends[0] is None or ends[1] is None:
        return effects, f"relay {relay.name} is given up"
    asked = Relay(
        name=name, route=(), links=(), size=relay.size, created=now, expires=now, who=relay.who,
        replaces=relay.name,
    )  # fmt: skip
    avoided = [nodes[device] for device in without if device in nodes]
    try:
        other, more = relays.begin(state, (ends[0], ends[1]), asked, now, without=avoided)
    except Conflict:
        return effects, f"relay {relay.name} is given up: there is no other way"
    return [
        *effects,
        *more,
    ], f"relay {relay.name} goes another way, {' - '.join(other.route)}, as {other.name}"

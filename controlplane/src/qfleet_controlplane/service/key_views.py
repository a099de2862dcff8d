"""What the authority of keys knows, as the API shows it."""

from collections.abc import Iterator

import msgspec

from qfleet_controlplane.keys import plans
from qfleet_controlplane.keys.model import Alarm, Relay, Scene, Session, State, Stocked
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_wire.api.keys import (
    KeyAlarmView,
    KeyEndView,
    KeyLinkState,
    KeyLinkView,
    KeyRelayDetail,
    KeyRelayView,
    KeySessionDetail,
    KeySessionEnd,
    KeySessionView,
    KeyUseView,
)
from qfleet_wire.key_orders import Role
from qfleet_wire.key_plans import WeakPulses
from qfleet_wire.names import DeviceName


def links(state: State) -> Iterator[KeyLinkView]:
    """Every link that joins two devices."""
    for name, link in sorted(state.scene.links.items()):
        standing, reason = _standing(state, name, link)
        latest = state.latest.get(name)
        a, b = link.devices
        yield KeyLinkView(
            a=link.a,
            b=link.b,
            link=name,
            protocol="bb84" if isinstance(link.protocol, WeakPulses) else "bbm92",
            state=standing,
            reason=reason,
            simulated=state.light(name),
            expected_bits_per_s=link.bits_per_s,
            ends=(_end(state.stocks.get(a), a, b), _end(state.stocks.get(b), b, a)),
            low_water_bits=state.rules.low_water_bits,
            last_session=None if latest is None else latest.name,
        )


def session(one: Session) -> KeySessionView:
    """A session."""
    told = one.told
    return KeySessionView(
        session=one.name,
        a=one.devices[0],
        b=one.devices[1],
        link=one.link,
        protocol=one.protocol,
        status=one.status,
        bits=told.bits,
        sifted=told.sifted,
        error_rate=told.error_rate,
        leak_bits=told.leak_bits,
        reason=one.reason or told.reason,
        seen=told.seen,
        created=one.created,
        ended=one.ended,
        eavesdropper=one.eavesdropper,
        simulated=one.simulated,
    )


def session_detail(one: Session) -> KeySessionDetail:
    """A session with what its ends said."""
    roles: tuple[tuple[Role, DeviceName], ...] = (("alice", one.devices[0]), ("bob", one.devices[1]))
    said = [(role, device, one.said[role]) for role, device in roles if role in one.said]
    return KeySessionDetail(
        session=session(one),
        who=one.who,
        pulses=one.pulses,
        expires=one.expires,
        contact_s=one.contact_s,
        ends=tuple(
            KeySessionEnd(device=device, role=role, **msgspec.structs.asdict(told))
            for role, device, told in said
        ),
    )


def relay_detail(one: Relay) -> KeyRelayDetail:
    """A relay with what its devices said."""
    return KeyRelayDetail(
        relay=relay(one),
        who=one.who,
        links=one.links,
        expires=one.expires,
        ends={device: one.said[device] for device in one.route if device in one.said},
        replaces=one.replaces,
    )


def relay(one: Relay) -> KeyRelayView:
    """A relay."""
    return KeyRelayView(
        relay=one.name,
        route=one.route,
        trusted=one.trusted,
        size=one.size,
        status=one.status,
        bits=one.bits,
        reason=one.reason,
        created=one.created,
        ended=one.ended,
        simulated=one.simulated,
    )


def alarm(one: Alarm) -> KeyAlarmView:
    """An alarm."""
    return KeyAlarmView(
        at=one.at,
        link=one.link,
        session=one.session,
        seen=one.seen,
        action=one.action,
        cleared=one.cleared,
        simulated=one.simulated,
    )


def _standing(state: State, name: str, link: KeyLink) -> tuple[KeyLinkState, str]:
    if (seen := state.alarms.get(name)) is not None:
        return "alarmed", seen.seen
    fault = state.scene.faults.get(name)
    if fault is not None and fault.kind == "failed":
        return "down", "it has failed in the twin"
    return _contact(state.scene, link)


def _contact(scene: Scene, link: KeyLink) -> tuple[KeyLinkState, str]:
    if link.light is not None or plans.contact(link, scene.at_s) is not None:
        return "up", ""
    later = [one.start_s for one in link.contacts if one.start_s > scene.at_s]
    return "down", f"no contact before {later[0]:,.0f} s of the scenario" if later else "no contact comes"


def _end(told: Stocked | None, device: DeviceName, peer: DeviceName) -> KeyEndView:
    if told is None:
        return KeyEndView(device=device)
    held = told.links.get(peer)
    if held is None:
        return KeyEndView(device=device, told=told.at)
    return KeyEndView(
        device=device,
        ours_bits=held.ours_bits,
        all_bits=held.all_bits,
        used_bits=held.used_bits,
        told=told.at,
        uses=tuple(KeyUseView(**msgspec.structs.asdict(use)) for use in held.uses),
    )

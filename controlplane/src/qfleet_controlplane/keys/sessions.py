"""Sessions of links: when one begins, what its ends are ordered, and how it ends.

A link has one open session at most. One is open until both ends have said how it ended, or until its orders
are void at both and what had begun in time is over: so each ends, whatever is lost.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.keys import plans
from qfleet_controlplane.keys.events import Effect, ExchangeAsked, Order, Save, Withdraw
from qfleet_controlplane.keys.model import GRACE_MS, Ended, Session, State
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Eavesdropper, ExchangeEnded
from qfleet_wire.key_plans import WeakPulses
from qfleet_wire.names import DeviceName, Millis

BY_ITSELF: Final = "low-water"
"""Who asks for a session that nobody asked for."""
_FIRST_PAUSE_MS: Final = 60_000
_LONGEST_PAUSE_MS: Final = 3_600_000


def begin(
    state: State, link: KeyLink, asked: ExchangeAsked, name: str, now: Millis
) -> tuple[Session, list[Effect]]:
    """Open a session and order both ends.

    Raises:
        Conflict: the link has one, is broken, or has no light now.
        InvalidRequest: so many pulses cannot be sent.
    """
    _refuse(state, link)
    at_s = state.scene.at_s
    within = plans.contact(link, at_s)
    plan = plans.plan(link, plans.light(link, at_s), name, path_s=state.rules.path_s, pulses=asked.pulses)
    listener = asked.eavesdropper or _listener(state, link)
    session = Session(
        name=name,
        link=pair(link.a, link.b),
        devices=link.devices,
        protocol="bb84" if isinstance(link.protocol, WeakPulses) else "bbm92",
        created=now,
        expires=Millis(now + int(1000 * state.rules.session_s)),
        busy=Millis(now + int(1000 * plan.pulses / link.pulses_hz)),
        pulses=plan.pulses,
        who=asked.who,
        contact_s=None if within is None else within.start_s,
        eavesdropper=None if listener is None else f"{listener.kind} {listener.share:g}",
        failed=_failed(state, link),
        before=state.light(pair(link.a, link.b)),
    )
    effects: list[Effect] = [Save(session)]
    for role, device, peer in _ends(link.devices):
        body = key_orders.Exchange(
            plan=plan, peer=peer, role=role, expires=session.expires, eavesdropper=listener
        )
        effects.append(Order(device, name, key_orders.encode(body)))
    state.sessions[name] = state.latest[session.link] = session
    return session, effects


def low(state: State, now: Millis) -> Iterator[KeyLink]:
    """The links whose stock is under the mark and which can have a session now, the emptiest first."""
    mark = state.rules.low_water_bits
    found = []
    for name, link in state.scene.links.items():
        stock = state.stock(link, now)
        if stock is not None and stock[1] < mark and _may_begin(state, link, now):
            found.append((stock[1], name))
    yield from (state.scene.links[name] for _, name in sorted(found))


def heard(state: State, device: DeviceName, said: ExchangeEnded, now: Millis) -> list[Effect] | None:
    """Take in what an end says; None: it is no end of such a session."""
    session = state.sessions.get(said.session)
    if session is None or (said.role, device, said.peer) not in _ends(session.devices):
        return None
    if said.role in session.said:
        return []
    ended = Ended(
        outcome=said.outcome,
        bits=said.bits,
        sifted=said.sifted,
        error_rate=said.error_rate,
        leak_bits=said.leak_bits,
        reason=said.reason,
        seen=said.seen,
        simulated=said.simulated,
    )
    session = replace(session, said={**session.said, said.role: ended})
    if len(session.said) == len(session.devices) or session.status != "ordered":
        # What was taken for expired may have made a key after all: who reports late is believed.
        return _close(state, session, now)
    state.sessions[session.name] = session
    return [Save(session)]


def expired(state: State, now: Millis) -> Iterator[Effect]:
    """End the sessions whose orders are void and whose ends have had time to finish."""
    for session in list(state.sessions.values()):
        if session.status == "ordered" and now >= session.expires + GRACE_MS:
            yield from _close(state, session, now)


def _close(state: State, session: Session, now: Millis) -> list[Effect]:
    told = session.told
    missing = [device for role, device, _ in _ends(session.devices) if role not in session.said]
    reason = f"{' and '.join(missing)} did not say how it ended" if missing else ""
    done = replace(
        session,
        status=told.outcome if session.said else "expired",
        ended=session.ended or now,
        reason="; ".join(filter(None, (told.reason, reason))),
        failed=0 if told.outcome == "key" and session.said else session.failed + (session.ended is None),
    )
    state.sessions[done.name] = done
    if done.link not in state.latest or state.latest[done.link].name == done.name:
        state.latest[done.link] = done
    return [Save(done), *(Withdraw(device, done.name) for device in done.devices)]


def _refuse(state: State, link: KeyLink) -> None:
    name, ends = pair(link.a, link.b), f"{link.a} and {link.b}"
    mend = f"`qfleet network mend {link.a} {link.b}` clears it, once somebody has looked"
    if (alarm := state.alarms.get(name)) is not None:
        raise Conflict(f"the link of {ends} stands still: {alarm.seen}", hint=mend)
    fault = state.scene.faults.get(name)
    if fault is not None and fault.kind == "failed":
        raise Conflict(f"the link of {ends} has failed in the twin", hint=mend)
    if (session := state.open_session(name)) is not None:
        raise Conflict(
            f"{ends} have a session, {session.name}",
            hint="wait until it has ended, at the latest "
            f"{state.rules.session_s + GRACE_MS / 1000:.0f} s after it began",
        )
    within, latest = plans.contact(link, state.scene.at_s), state.latest.get(name)
    if within is not None and latest is not None and _used(latest, within.start_s):
        raise Conflict(
            f"{ends} have used the light of this contact in session {latest.name}",
            hint=f"wait for the next: `qfleet network contacts --node {link.a} --node {link.b}` shows them",
        )


def _used(latest: Session, start_s: float) -> bool:
    """Whether a contact has given its key, or shown that somebody listens: it is one block."""
    return latest.contact_s == start_s and (latest.status == "key" or bool(latest.told.seen))


def _may_begin(state: State, link: KeyLink, now: Millis) -> bool:
    latest = state.latest.get(pair(link.a, link.b))
    if latest is not None and now < max(latest.busy, _again(latest)):
        return False
    try:
        _refuse(state, link)
        plans.light(link, state.scene.at_s)
    except Conflict:
        return False
    return True


def _again(latest: Session) -> int:
    """When a link whose sessions give no key is tried again by itself: after twice as long each time."""
    if latest.ended is None or not latest.failed:
        return 0
    return latest.ended + min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(latest.failed - 1, 16))


def _failed(state: State, link: KeyLink) -> int:
    latest = state.latest.get(pair(link.a, link.b))
    return 0 if latest is None else latest.failed


def _listener(state: State, link: KeyLink) -> Eavesdropper | None:
    """Who listens on the link in the twin: the simulated light shows it."""
    fault = state.scene.faults.get(pair(link.a, link.b))
    if fault is None or fault.kind != "intercepted":
        return None
    return Eavesdropper(kind="intercept", share=fault.share)


def _ends(
    devices: tuple[DeviceName, DeviceName],
) -> tuple[tuple[key_orders.Role, DeviceName, DeviceName], ...]:
    alice, bob = devices
    return (("alice", alice, bob), ("bob", bob, alice))

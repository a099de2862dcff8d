"""The machine: one event in, its effects out.

Deterministic: the same events at the same times give the same state and effects. It raises only for
an event that must not be taken in at all (``plan.PlanRefused``), and then nothing has changed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from qfleet_controlplane.machine import (
    alarms,
    artefacts,
    contacts,
    copies,
    devices,
    effects,
    endings,
    events,
    jobs,
    leases,
    messages,
    moving,
    results,
    shares,
    state,
    ways,
)
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire.names import DeviceName, Millis


class Machine:
    """Holds the state and hands each event to the part that decides about it."""

    def __init__(self, known: state.State | None = None, policy: Policy | None = None) -> None:
        self.state = known or state.State()
        self.policy = policy or Policy()
        self._sequence = 0

    def handle(self, event: events.Event, now: Millis) -> list[effects.Effect]:
        """Decide; effects are to be performed in order, sends after everything is stored."""
        self._sequence += 1
        self.state.now = now
        turn = Turn(self.state, self.policy, now, self._sequence)
        _HANDLERS[type(event)](turn, event)
        if turn.accused:
            devices.shut_out_accused(turn)
        return turn.close()

    def next_due(self) -> Millis | None:
        """When the next ``events.Tick`` is due; None while nothing waits for time to pass."""
        return self.state.timers.next_due()


def _reloaded(turn: Turn, event: events.Reloaded) -> None:
    """Arm every timer of a state that was loaded from the store, and ask around."""
    known = turn.state
    known.began = turn.now
    for job in known.jobs.values():
        jobs.watch_deadline(turn, job)
        jobs.estimate_held(turn, job)
    for device in known.devices.values():
        devices.resume(turn, device)
    for job in list(known.jobs.values()):
        copies.resume(turn, job)
    for job in list(known.jobs.values()):
        endings.settle_end(turn, job)
    messages.ask_all(turn, event)


def _ordered(turn: Turn, event: events.Ordered) -> None:
    """Do once what an order asks for, however often it is read."""
    if event.order not in turn.state.orders:
        _HANDLERS[type(event.event)](turn, event.event)
    shares.done(turn, event.order)


def _tick(turn: Turn, _: events.Tick) -> None:
    for kind, key in turn.state.timers.take(turn.now):
        _ALARM_CLOCK[kind](turn, key)


def _settle(turn: Turn, _: events.Settle) -> None:
    leases.settle(turn)


def _link_changed(turn: Turn, event: events.LinkChanged) -> None:
    known = turn.state
    if not event.up:
        known.link_down_since = turn.now if known.link_up else known.link_down_since
    elif not known.link_up:
        known.link_down_since = None
        known.pool.changed = True


def _rested(turn: Turn, key: str) -> None:
    """The device may be given tasks again, by the settling after this event."""
    turn.state.offer(turn.state.devices[DeviceName(key)])


def _go_on(turn: Turn, _: str) -> None:
    """The last settling left tasks that may be leased."""
    turn.state.pool.changed = True


_ALARM_CLOCK: Mapping[str, Callable[[Turn, str], None]] = {
    "silence": devices.look_for_silence,
    "device-lost": devices.give_up_device,
    "lost": devices.give_up_tasks,
    "resend": leases.resend,
    "deadline": jobs.deadline,
    "rest": _rested,
    "settle": _go_on,
    "alarms": alarms.sum_up,
    "gathered": ways.send_gathered,
}

_HANDLERS: Mapping[type, Callable[[Turn, Any], None]] = {
    events.JobSubmitted: jobs.submit,
    events.JobCancelled: jobs.cancel,
    events.ShareArrived: shares.arrive,
    events.Rebalance: moving.look,
    events.Ordered: _ordered,
    events.Invited: devices.invited,
    events.Enrolled: devices.enrolled,
    events.CertificateRenewed: devices.renewed,
    events.SessionOpened: devices.session_opened,
    events.Heard: messages.heard,
    events.HeardBatch: messages.heard_batch,
    events.LinkChanged: _link_changed,
    events.PresenceLost: devices.presence_lost,
    events.Revoked: lambda turn, event: devices.shut_out(turn, event, "revoke"),
    events.Quarantined: lambda turn, event: devices.shut_out(turn, event, "quarantine"),
    events.Retired: lambda turn, event: devices.shut_out(turn, event, "retire"),
    events.Released: devices.released,
    events.Assembled: artefacts.assembled,
    events.Compared: results.compared,
    events.Weighed: copies.weighed,
    events.ContactsPlanned: contacts.planned,
    events.Tick: _tick,
    events.Settle: _settle,
    events.Reloaded: _reloaded,
}

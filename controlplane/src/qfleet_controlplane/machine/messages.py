"""What devices say, item by item, handed to the part of the machine that it concerns."""

from collections.abc import Callable, Mapping
from typing import Any

from qfleet_controlplane.machine import (
    artefacts,
    attempts,
    devices,
    events,
    inventory,
    leases,
    results,
    state,
    tables,
    telemetry,
)
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire import payloads


def heard(turn: Turn, event: events.Heard) -> None:
    """One payload."""
    heard_batch(turn, events.HeardBatch(event.device, (event.item,)))


def heard_batch(turn: Turn, event: events.HeardBatch) -> None:
    """Payloads in order; nothing of a device that is shut out counts."""
    device = devices.find(turn, event.device)
    if device.status in tables.SHUT_OUT:
        return
    devices.heard(turn, device)
    for item in event.items:
        handler = _HANDLERS.get(type(item))
        if handler is not None:
            handler(turn, device, item)


def ask_all(turn: Turn, event: events.Reloaded) -> None:
    """Ask every device with a live session what it is and what it holds.

    The opening of its session may be what was not stored, so each counts as opened now.
    """
    for name in event.devices:
        devices.session_opened(turn, events.SessionOpened(name))
        if devices.find(turn, name).status == "online":
            turn.send(name, payloads.Ask("announcement"))
            turn.send(name, payloads.Ask("inventory"))


def _accepted(turn: Turn, device: state.Device, answer: payloads.Accepted) -> None:
    task = device.held.get(answer.task)
    if task is not None and task.attempt == answer.attempt:
        if not task.accepted:
            turn.state.latencies.append(turn.now - task.leased_at)
        state.answer(device, task)
    else:
        inventory.stray(turn, device, answer.task, answer.attempt)


def _started(turn: Turn, device: state.Device, hint: payloads.Started) -> None:
    task = device.held.get(hint.task)
    if task is None or not leases.holds(task, device, hint.attempt):
        inventory.stray(turn, device, hint.task, hint.attempt)
        return
    state.answer(device, task)
    if tables.allowed(tables.TASK, task.status, "start"):
        state.move(task, "start")
        turn.save_task(task)


def _progress(turn: Turn, device: state.Device, hint: payloads.Progress) -> None:
    task = device.held.get(hint.task)
    if task is None or not leases.holds(task, device, hint.attempt):
        inventory.stray(turn, device, hint.task, hint.attempt)
        return
    state.answer(device, task)
    if task.progress < hint.fraction <= 1.0:
        state.advance(task, hint.fraction)
        turn.save_task(task)


_HANDLERS: Mapping[type, Callable[[Turn, state.Device, Any], None]] = {
    payloads.Announcement: devices.announcement,
    payloads.Heartbeat: devices.heartbeat,
    payloads.Inventory: inventory.reconcile,
    payloads.Accepted: _accepted,
    payloads.Refused: attempts.refused,
    payloads.Started: _started,
    payloads.Progress: _progress,
    payloads.Results: results.arrive,
    payloads.Chunk: artefacts.chunk,
    payloads.Telemetry: telemetry.arrive,
}
"""``RenewRequest`` and ``Unsupported`` are the link's: they do not reach the machine."""

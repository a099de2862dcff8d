"""Alarms about what a device sends: raised while they are few, counted when they are many.

A broken or hostile device can send a thousand invalid results a second. A person needs to know
which device and what, once; the audit log must not fill with it.
"""

from typing import Literal

from qfleet_controlplane.machine import effects, state
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire.names import DeviceName


def about(
    turn: Turn, device: state.Device, kind: Literal["artefact", "invalid-result"], subject: str, detail: str
) -> None:
    """Raise an alarm about something that a device sent, or count it."""
    if turn.now - device.alarms_since >= turn.policy.alarms_ms:
        device.alarms_since, device.alarms = turn.now, 0
    device.alarms += 1
    if device.alarms <= turn.policy.most_alarms:
        turn.effects.append(effects.Alarm(turn.cause, kind, subject, f"{device.name}: {detail}"))
    elif device.alarms == turn.policy.most_alarms + 1:
        turn.state.timers.arm(device.alarms_since + turn.policy.alarms_ms, "alarms", device.name)


def sum_up(turn: Turn, key: str) -> None:
    """Say how many alarms about a device were not raised."""
    device = turn.state.devices[DeviceName(key)]
    hidden = device.alarms - turn.policy.most_alarms
    device.alarms = 0
    if hidden > 0:
        minutes = turn.policy.alarms_ms / 60_000
        detail = f"{hidden:,} more of its results or chunks were not valid within {minutes:g} min"
        turn.effects.append(effects.Alarm(turn.cause, "invalid-result", device.name, detail))

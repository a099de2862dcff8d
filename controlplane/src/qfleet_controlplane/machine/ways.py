"""Devices that are heard in a rhythm of their own: what is sent to them gathers, and silence is judged by it.

Nothing here is stored. What gathers may be lost with this process: it is sent after its commit or not at
all, and a device's next inventory settles what it lacks, as after any other loss.
"""

from qfleet_controlplane.machine import leases, state, tables
from qfleet_controlplane.machine.effects import Send
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.machine.turn import Turn, way_of
from qfleet_controlplane.planning import reach
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName


def silence_ms(policy: Policy, device: state.Device) -> int:
    """How long the device may be unheard before it counts as silent.

    As for everyone while its own rhythm leaves room for three beats in that; else its rhythm, and as
    much again as everyone has.
    """
    way = way_of(device)
    rhythm = 0 if way is None else min(max(0, way.rhythm_ms), policy.most_rhythm_ms)
    return policy.silence_ms if 3 * rhythm <= policy.silence_ms else rhythm + policy.silence_ms


def passes(device: state.Device) -> bool:
    """Whether its way comes and goes by plan: that it is gone says nothing."""
    return reach.gap_ms(way_of(device)) > 0


def send_gathered(turn: Turn, key: str) -> None:
    """Send what has gathered, in one go; assignments that were taken back meanwhile are left out."""
    device = turn.state.devices[DeviceName(key)]
    if turn.now < device.sends_at:
        return
    waiting, device.gathered = device.gathered, []
    if device.status in tables.SHUT_OUT:
        return
    for payload in waiting:
        if isinstance(payload, payloads.Assign):
            task = turn.state.tasks.get(payload.task)
            if not leases.holds(task, device, payload.attempt):
                continue
        turn.effects.append(Send(turn.cause, device.name, payload))

"""What devices measured of themselves: stored once, acknowledged when it is."""

from qfleet_controlplane.machine import state
from qfleet_controlplane.machine.effects import SaveTelemetry
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire import payloads

_MOST = 2**63
"""Numbers from here on fit into no database."""


def arrive(turn: Turn, device: state.Device, told: payloads.Telemetry) -> None:
    """Keep samples; of those that came before the first copy stays. Numbers that cannot be are dropped."""
    samples = tuple(one for one in told.samples if 0 < one.sequence < _MOST and 0 <= one.at < _MOST)
    if not samples:
        return
    turn.effects.append(SaveTelemetry(turn.cause, device.name, samples, told.lost))
    turn.send(device.name, payloads.TelemetryAcknowledge(max(one.sequence for one in samples)))

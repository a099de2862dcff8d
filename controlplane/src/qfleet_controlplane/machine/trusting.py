"""What results say of the devices that sent them, and the accusation that may follow.

An accused device is shut out at the end of the turn: whoever judged is in the middle of something.
"""

from collections.abc import Callable
from functools import partial

from qfleet_controlplane.machine import state
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import trust
from qfleet_wire.names import DeviceName


def right(turn: Turn, name: DeviceName | None) -> None:
    """A device's result was found right."""
    _judge(turn, name, trust.right)


def wrong(turn: Turn, name: DeviceName | None, *, exact: bool) -> None:
    """A device's result was found wrong; ``exact``: equality was demanded."""
    _judge(turn, name, partial(trust.wrong, exact=exact))


def compared(turn: Turn, names: tuple[DeviceName, ...], *, agree: bool) -> None:
    """Devices happened to do the same task: raise the trust in those that agree, else doubt them all."""
    for name in names:
        _judge(turn, name, trust.confirmed if agree else trust.doubted)


def _judge(turn: Turn, name: DeviceName | None, verdict: Callable[[trust.Record], trust.Record]) -> None:
    device: state.Device | None = None if name is None else turn.state.devices.get(name)
    if device is None:  # it serves another region by now, which has its record
        return
    known = device.record.accused
    device.record = verdict(device.record)
    turn.save_device(device)
    if device.record.accused and not known:
        turn.accused[device.name] = (
            f"its results were found wrong: {device.record.contradicted:g} contradictions in "
            f"{device.record.judged:,} judged tasks, which an honest device shows with a probability "
            f"below {1.0 / trust.ACCUSED:.0e}"
        )

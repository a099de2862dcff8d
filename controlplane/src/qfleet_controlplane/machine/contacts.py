"""Contact plans: what devices are told of when satellites are in sight of them.

Nothing here is stored: the plan follows from the network that is loaded, and whoever runs the machine hands
it in again after every start. A device is told with each of its sessions, and when the plan changes; what
is lost on the way comes with its next session, and ends by itself.
"""

from qfleet_controlplane.machine import events, state
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Contacts

MOST_WINDOWS = 64
"""In one message: 1.2 kB. A device between windows is told anew in each of them."""

LONGEST_MS = 7 * 86_400_000
"""So long a plan is believed at most: with wrong orbits a device would come at wrong times until it ends."""


def planned(turn: Turn, event: events.ContactsPlanned) -> None:
    """Another plan counts: tell the devices for which it is not what it was."""
    before, turn.state.contacts = turn.state.contacts, event.plan
    for name, device in turn.state.devices.items():
        known = () if before is None else before.windows.get(name, ())
        if event.plan.windows.get(name, ()) == known or device.status != "online":
            continue
        if not tell(turn, device):
            turn.send(name, Contacts(issued=turn.now, until=turn.now, windows=()))


def tell(turn: Turn, device: state.Device) -> bool:
    """Tell a device that is there the windows that are left to it; False: there are none."""
    plan = turn.state.contacts
    windows = () if plan is None else plan.windows.get(device.name, ())
    until = 0 if plan is None else min(plan.until, turn.now + LONGEST_MS)
    left = [window for window in windows if turn.now < window.closes <= until]
    if not left:
        return False
    if len(left) > MOST_WINDOWS:  # cut short, it says nothing after the last of them
        left = left[:MOST_WINDOWS]
        until = left[-1].closes
    turn.send(device.name, Contacts(issued=turn.now, until=Millis(until), windows=tuple(left)))
    return True

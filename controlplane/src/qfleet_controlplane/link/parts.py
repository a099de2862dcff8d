"""What the doers of one link share."""

from dataclasses import dataclass

from qfleet_controlplane.link.alarms import Alarms
from qfleet_controlplane.link.outbound import Outbound
from qfleet_controlplane.link.peers import Peers
from qfleet_controlplane.link.stores import Stores
from qfleet_controlplane.link.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Parts:
    """Handed to every doer."""

    stores: Stores
    peers: Peers
    outbound: Outbound
    alarms: Alarms
    around: Surroundings

"""What the authority of keys is told, and what is to be done about it."""

from typing import NamedTuple, TypeAlias

from qfleet_controlplane.keys.model import Alarm, Relay, Session
from qfleet_wire.key_orders import Eavesdropper, Report
from qfleet_wire.names import DeviceName


class ExchangeAsked(NamedTuple):
    """Somebody wants a session between two nodes or devices; ``pulses`` None: as many as are planned."""

    a: str
    b: str
    who: str
    eavesdropper: Eavesdropper | None = None
    pulses: int | None = None


class RelayAsked(NamedTuple):
    """Somebody wants a key of ``size`` bytes between two nodes or devices."""

    a: str
    b: str
    size: int
    who: str


Asked: TypeAlias = ExchangeAsked | RelayAsked


class Reported(NamedTuple):
    """The key process of a device has said something."""

    device: DeviceName
    report: Report


class Looked(NamedTuple):
    """Time has gone by."""


Event: TypeAlias = ExchangeAsked | RelayAsked | Reported | Looked


class Save(NamedTuple):
    """Store a session, a relay or an alarm as it is now."""

    what: Session | Relay | Alarm


class Order(NamedTuple):
    """Order something of a device's key process, in the transaction that saves what it is for."""

    device: DeviceName
    name: str
    body: bytes


class Withdraw(NamedTuple):
    """Forget an order that its device has not taken: what it is for is over."""

    device: DeviceName
    name: str


class Mark(NamedTuple):
    """Let a link of the twin count as failed."""

    a: str
    b: str


class Note(NamedTuple):
    """Write into the audit log."""

    who: str
    action: str
    subject: str
    detail: str


class Count(NamedTuple):
    """Count something that is stored nowhere."""

    what: str


Effect: TypeAlias = Save | Order | Withdraw | Mark | Note | Count

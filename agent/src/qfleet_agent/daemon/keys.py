"""Joins the socket of the key process to the link: bodies, orders and reports pass, none is kept here."""

import os
from collections.abc import Callable
from pathlib import Path

from qfleet_agent.keylink import protocol
from qfleet_agent.keylink.protocol import (
    FromKeys,
    Incoming,
    NotSent,
    Order,
    OrderTaken,
    Outgoing,
    Report,
    ReportStored,
    Welcome,
)
from qfleet_agent.keylink.server import Host, KeySocket
from qfleet_agent.link.handshakes import Handshakes
from qfleet_agent.link.inbox import ForKeys
from qfleet_agent.link.link import Link
from qfleet_agent.settings import Settings
from qfleet_wire import payloads
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import DeviceName, parse_name

MOST_ORDERS = 64
"""Orders that are kept for a key process that is away; of more the oldest are left to be repeated."""
_NAME = "keys.sock"
_WORDS = {
    "away": "this device has no session with its controller",
    "full": "too much waits to be sent from this device: wait and repeat",
}


def path_for(settings: Settings) -> Path:
    """Where a key process connects: as the settings say, else where systemd or the state has a place."""
    if settings.keys_socket is not None:
        return settings.keys_socket
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return (Path(runtime) if runtime else settings.state) / _NAME


class KeyDesk:
    """The daemon's side of the key process. ``changed`` is to be called when the session comes or goes."""

    def __init__(self, path: Path, handshakes: Handshakes, changed: Callable[[], None]) -> None:
        self._handshakes = handshakes
        self._changed = changed
        self._link: Link | None = None
        self._orders: dict[str, bytes] = {}
        self.socket = KeySocket(path, Host(self._welcome, self._take, self._waiting))

    def connect(self, link: Link) -> None:
        """Say over which link to send; before ``socket.run``."""
        self._link = link
        link.inbox.for_keys = self._hear

    def changed(self) -> None:
        """The session has come or gone, or the link has news for the status."""
        self._changed()
        if self._link is not None:
            self.socket.changed(self._handshakes.standing, online=self._link.online)

    def _welcome(self) -> Welcome:
        held = self._handshakes.membership
        online = self._link is not None and self._link.online
        standing = self._handshakes.standing
        return Welcome(protocol.VERSION, held.fleet, held.region, held.device, standing, online)

    def _waiting(self) -> list[Order]:
        """Orders that no key process has taken; the control plane repeats them all, but not so soon."""
        return [Order(name, body) for name, body in self._orders.items()]

    def _hear(self, item: ForKeys) -> None:
        match item:
            case payloads.FromPeer(peer, body):
                self.socket.tell(Incoming(peer, body))
            case payloads.PeerRefused(peer, number, code, text):
                self.socket.tell(NotSent(peer, number, code, text))
            case payloads.KeyOrder(name, body):
                self._orders[name] = body
                while len(self._orders) > MOST_ORDERS:
                    self._orders.pop(next(iter(self._orders)))
                self.socket.tell(Order(name, body))
            case payloads.KeyReportStored(names):
                for name in names:
                    self.socket.tell(ReportStored(name))

    def _take(self, frame: FromKeys) -> None:
        assert self._link is not None
        match frame:
            case Outgoing():
                self._forward(frame)
            case OrderTaken(name):
                self._orders.pop(name, None)
                self._link.send(payloads.KeyOrderTaken(name))
            case Report(name, body):
                self._link.send(payloads.KeyReport(name, body))

    def _forward(self, frame: Outgoing) -> None:
        assert self._link is not None
        peer = DeviceName(frame.peer)
        try:
            parse_name(peer, "device")
        except InvalidName as error:
            self.socket.tell(NotSent(peer, frame.number, "unknown", str(error)))
            return
        refused = self._link.send_to_peer(payloads.ToPeer(peer, frame.body, frame.number))
        if refused is not None:
            self.socket.tell(NotSent(peer, frame.number, refused, _WORDS[refused]))

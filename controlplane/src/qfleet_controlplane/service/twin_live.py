"""The twin in memory: how far it is due, and what is asked of it."""

import logging
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from qfleet_controlplane.network.twin.advance import advance, begin, is_over
from qfleet_controlplane.network.twin.model import Alarm, Fault, Network, Twin, pair
from qfleet_controlplane.store import networks
from qfleet_wire.api.network import FaultRequest, SimulationRequest
from qfleet_wire.names import Millis

_log = logging.getLogger(__name__)


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Let the twin run."""

    asked: SimulationRequest


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Let the twin stand still."""


class Meddle(msgspec.Struct, frozen=True, tag="meddle"):
    """Let something be wrong with a link, or mend it."""

    asked: FaultRequest


Order: TypeAlias = Run | Stop | Meddle
_ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def order(asked: Order) -> bytes:
    """Write an order as it is stored."""
    return msgspec.json.encode(asked)


def orders(stored: Iterable[networks.Order]) -> list[Order]:
    """Read orders as they were stored.

    One that cannot be read is told and left out: it would bar the others for ever.
    """
    found = []
    for one in stored:
        try:
            found.append(_ORDERS.decode(one.body))
        except msgspec.DecodeError as error:
            _log.error(
                "An order to the network's twin cannot be read and is dropped: %s", error,
                extra={"action": "network_order_dropped"},
            )  # fmt: skip
    return found


class Live:
    """A twin in memory, with how fast it runs. ``clock`` is the wall clock in milliseconds."""

    def __init__(self, number: int, network: Network, saved: networks.Saved | None, seed: int) -> None:
        self.number = number
        self.network = network
        self.running = saved is not None and saved.running
        self.speed = 1.0 if saved is None else saved.speed
        self.twin = begin(network, seed) if saved is None else msgspec.json.decode(saved.state, type=Twin)
        self.base = (Millis(0) if saved is None else saved.saved, self.twin.at_s)
        self.saved_at = self.base[0]

    def due_s(self, now: Millis) -> float:
        """Where the twin should be now."""
        since, at_s = self.base
        return at_s + max(0, now - since) / 1000 * self.speed if self.running else self.twin.at_s

    def advance(self, now: Millis) -> list[Alarm]:
        """Run up to now; return the alarms that came, the newest of them where there are many."""
        before = self.twin.alarms_raised
        advance(self.network, self.twin, self.due_s(now))
        if is_over(self.network, self.twin):
            self.running = False
        return (
            self.twin.alarms[-min(self.twin.alarms_raised - before, len(self.twin.alarms)) :]
            if (self.twin.alarms_raised > before)
            else []
        )

    def take(self, asked: Order, now: Millis) -> None:
        """Do what was asked, at the time to which the twin has run."""
        match asked:
            case Run(request):
                if request.restart or is_over(self.network, self.twin):
                    self.twin = begin(self.network, request.seed)
                elif request.seed and self.twin.at_s == 0.0:
                    self.twin.seed = request.seed  # nothing has been drawn of it yet
                self.running, self.speed = True, request.speed
                self.base = (now, self.twin.at_s)
            case Stop():
                self.running = False
            case Meddle(request):
                name = pair(request.a, request.b)
                self.twin.faults.pop(name, None)
                if request.fault != "none":
                    self.twin.faults[name] = Fault(kind=request.fault, share=request.share)

    def row(self, now: Millis) -> networks.Saved:
        """Return it as it is saved; the time that its grid has not reached yet is not lost."""
        behind_ms = 1000 * max(0.0, self.due_s(now) - self.twin.at_s) / self.speed if self.running else 0.0
        at = Millis(now - int(behind_ms))
        return networks.Saved(self.number, self.running, self.speed, at, msgspec.json.encode(self.twin))

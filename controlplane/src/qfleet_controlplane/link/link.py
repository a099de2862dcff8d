"""The link as the daemon sees it: it starts, stops, sends, and posts what it has verified."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from qfleet_controlplane.authority import accounts
from qfleet_controlplane.authority.enrolments import Granting
from qfleet_controlplane.broker import clients
from qfleet_controlplane.broker.services import Broker
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.alarms import Alarms
from qfleet_controlplane.link.confirmations import Confirmations
from qfleet_controlplane.link.connection import Connection, Retained, Traffic
from qfleet_controlplane.link.enrolments import Enrolments, Enter
from qfleet_controlplane.link.forwarding import Forwarding, Neighbours
from qfleet_controlplane.link.handshakes import Handshakes
from qfleet_controlplane.link.inbound import Inbound, Post, Takers
from qfleet_controlplane.link.key_desk import KeyDesk
from qfleet_controlplane.link.outbound import Outbound
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Peers, Shown
from qfleet_controlplane.link.renewals import Renewals
from qfleet_controlplane.link.roll_call import RollCall
from qfleet_controlplane.link.stores import Stores
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.forwarding import Refused, Verdict
from qfleet_controlplane.settings import Settings
from qfleet_wire import payloads
from qfleet_wire.channel import frames
from qfleet_wire.channel.session import Session
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, subscription, topic_for

_log = logging.getLogger(__name__)

_HEARD = (Channel.ENROL, Channel.HELLO, Channel.UP, Channel.PRESENCE)
_HEARD_QOS = 0
"""Everything is acknowledged and repeated by ourselves, and a clean session's QoS 1 subscription keeps
nothing over a lost connection. It would cost a fifth of a round trip, and on a NATS cluster that has just
lost a node a replicated consumer each, for which a majority may be wanting for a minute."""
_DRAIN_S = 2.0
_CANCEL_AGAIN_S = 0.5
_RECALL_MS = 200


@dataclass(frozen=True, slots=True)
class Ends:
    """What the link connects: the broker below, the service above.

    ``enter`` returns when an enrolment is durable in the device table; ``neighbours`` is what forwarding
    between devices knows of them.
    """

    broker: Broker
    post: Post
    enter: Enter
    neighbours: Neighbours


class Link:
    """All traffic with devices. ``send`` makes it the service's carrier."""

    def __init__(self, settings: Settings, stores: Stores, ends: Ends, around: Surroundings) -> None:
        region = RegionName(settings.region)
        self._peers = Peers()
        self._leads = around.leads
        self._outbound = Outbound(self._peers, self._publish, around)
        self._alarms = Alarms(stores.database.writer, around)
        parts = Parts(stores, self._peers, self._outbound, self._alarms, around)
        self._handshakes = Handshakes(parts, settings.security)
        self._confirmations = Confirmations(parts)
        self._roll_call = RollCall(parts)
        self._stores, self._region, self._post = stores, region, ends.post
        self._accounts = ends.broker.accounts
        granting = Granting(
            stores.ring, region, shared=None if self._accounts.own else ends.broker.logins.device
        )
        self._enrolments = Enrolments(parts, granting, ends.enter, self._accounts)
        self._renewals = Renewals(parts, ends.post)
        self._keys = KeyDesk(parts)
        self._forwarding = Forwarding(self._peers, self._outbound, around, ends.neighbours)
        takers = Takers(
            handshake=self._handshakes.take,
            enrolment=self._enrolments.take,
            confirmed=self._confirmed,
            renewal=self._renewals.take,
            post=ends.post,
            forward=self._forwarding.take,
            keys=self._keys.take,
        )
        traffic = Traffic(
            subscriptions=tuple((subscription(region, channel), _HEARD_QOS) for channel in _HEARD),
            retained=(Retained(topic_for(AuthorityTopic(region)), stores.ring.authority.raw),),
            receive=Inbound(parts, takers).receive,
            came_up=self._came_up,
            went_down=self._went_down,
        )
        self._connection = Connection(
            clients.in_turn(lambda: ends.broker.accesses), settings.controller, traffic
        )
        self._running: asyncio.Task[None] | None = None
        self._removing: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether the broker is connected."""
        return self._connection.up

    @property
    def queued(self) -> int:
        """Payloads that wait to be sent."""
        return self._peers.queued()

    @property
    def handshakes_waiting(self) -> int:
        """Handshakes that wait for an answer."""
        return self._handshakes.waiting

    @property
    def connections(self) -> int:
        """How often the broker was connected."""
        return self._connection.connections

    def send(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Queue payloads for a device; what cannot be sent is repeated by the service."""
        self._outbound.send(device, items)

    def deliver(self, sender: DeviceName, receiver: DeviceName, body: bytes) -> Verdict:
        """Hand what a device of another region sent to one of this; say why not, if it is refused."""
        return self._forwarding.deliver(sender, receiver, body)

    def returned(self, sender: DeviceName, receiver: DeviceName, number: int, refused: Refused) -> None:
        """Tell a device of this region that another one refused what it sent."""
        self._forwarding.returned(sender, receiver, number, refused)

    def shut_out(self, device: DeviceName) -> None:
        """End a device's sessions at once, for good, and its account at the broker."""
        self._peers.shut_out(device)
        self._handshakes.forget(device)
        removing = asyncio.get_running_loop().create_task(self._remove_account(device))
        self._removing.add(removing)
        removing.add_done_callback(self._removing.discard)

    def end(self, device: DeviceName) -> None:
        """End a device's sessions and drop what waits for it; the store says whether it returns."""
        self._peers.end(device)
        self._handshakes.forget(device)

    def recall(self, device: DeviceName) -> None:
        """Let a device begin anew: its session ends, and it is asked to open another."""
        self._peers.end(device)
        self._outbound.send_frame(device, Channel.DOWN, frames.call(_RECALL_MS))

    def wake(self) -> None:
        """Send what waited while the lease was in doubt."""
        self._outbound.wake_all()

    async def start(self) -> None:
        """Begin to connect; ``up`` tells when that has worked."""
        self._went_down()
        ring = self._stores.ring
        holders = await self._stores.database.read(
            lambda connection: accounts.holders(connection, ring.sealer, self._region)
        )
        await self._accounts.start(holders)
        self._running = asyncio.create_task(self._connection.run(), name="link")
        self._keys.start()

    async def wait_up(self) -> None:
        """Return once the broker is connected."""
        await self._connection.wait_up()

    async def stop(self) -> None:
        """Send what is queued while the lease lasts, finish what is under way, disconnect."""
        await self._outbound.drain(_DRAIN_S if self._leads() else 0)
        if self._running is not None:
            await _end(self._running)
        await self._keys.stop()
        await self._roll_call.stop()
        await self._handshakes.stop()
        await self._confirmations.stop()
        await self._accounts.stop()
        await self._enrolments.stop()
        await asyncio.gather(*self._removing)
        await self._renewals.stop()
        await self._outbound.drain(0)
        await self._alarms.settle()

    async def order(self, device: DeviceName, name: str, body: bytes) -> None:
        """Order something of a device's key process; raises as ``KeyDesk.order``."""
        await self._keys.order(device, name, body)

    def ordered(self, device: DeviceName) -> None:
        """Send a device the orders that are stored for its key process; never waits."""
        self._keys.opened(device)

    def _confirmed(self, device: DeviceName, session: Session, shown: Shown | None) -> None:
        self._confirmations.take(device, session, shown)
        self._keys.opened(device)

    async def _remove_account(self, device: DeviceName) -> None:
        try:
            await self._accounts.remove(device)
        except BrokerUnavailable as error:
            consequence = f"The broker still knows device {device}, which is shut out"
            faults.note(_log, consequence, error, "account_remains")

    def _went_down(self) -> None:
        self._post(events.LinkChanged(up=False))

    def _came_up(self) -> None:
        self._post(events.LinkChanged(up=True))
        self._outbound.wake_all()
        self._roll_call.begin()

    async def _publish(self, topic: str, payload: bytes) -> None:
        await self._connection.publish(topic, payload)


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it is over: Python 3.11 loses a cancellation that comes with a result."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)

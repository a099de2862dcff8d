"""From payloads to sealed messages: what queued for a device during a publish goes in the next one.

No timer adds latency: only acknowledgements, for which nobody waits, wait a moment for something to travel
with. No message is lost silently: what the broker did not take is sealed again when the link is up.
Everything sent is repeatable, so sending twice is never wrong. Nothing is sent after the region's lease has
ended, whatever was queued before.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence

from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_controlplane.link.peers import Peer, Peers
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

_log = logging.getLogger(__name__)

_FOR_RENEWAL = (payloads.Renewed, payloads.RenewalRefused)
"""All that a session may carry whose device's certificate has ended."""

PATIENT = (payloads.Acknowledge, payloads.TelemetryAcknowledge)
PATIENT_S = 0.05
"""How long these wait for company: a device sends again after seconds only what is not acknowledged."""

Publish = Callable[[str, bytes], Coroutine[None, None, None]]


class Outbound:
    """Seals and publishes what the service sends.

    Args:
        peers: the devices and their queues.
        publish: hands a message to the broker; raises ``BrokerUnavailable``.
        around: region, lease, counters, clock and randomness.
    """

    def __init__(self, peers: Peers, publish: Publish, around: Surroundings) -> None:
        self._peers = peers
        self._publish = publish
        self._around = around
        self._counts = around.counts
        self.epoch = around.epoch
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Queue payloads for a device; without a session they are dropped, since its inventory settles."""
        peer = self._peers.get(device)
        session = peer.sessions.current if peer else None
        if peer is None or session is None:
            self._counts.dropped.add("no-session", len(items))
            return
        if session.renew_only(self._around.clock()):
            items = [item for item in items if isinstance(item, _FOR_RENEWAL)]
        for item in items:
            if not peer.queue.add(item):
                self._counts.dropped.add("queue-full")
        if all(isinstance(item, PATIENT) for item in items):
            self._wake_later(peer)
        else:
            self.wake(peer)

    def send_frame(self, device: DeviceName, channel: Channel, frame: bytes) -> None:
        """Publish an unsealed frame (a handshake or enrolment answer); lost when the link is down."""
        self._start(self._publish_frame(topic_for(DeviceTopic(self._around.region, device, channel)), frame))

    def wake(self, peer: Peer) -> None:
        """Send what is queued for a peer, if a pump is not at it already and the lease lasts."""
        if peer.patience is not None:
            peer.patience.cancel()
            peer.patience = None
        if not self._around.leads():
            return
        if peer.pump is None and peer.queue:
            peer.pump = self._start(self._pump(peer))

    def wake_all(self) -> None:
        """Send what is queued for anyone; the link has come up."""
        for peer in self._peers.all():
            self.wake(peer)

    async def drain(self, timeout_s: float) -> None:
        """Wait until what was queued is sent, but not for long; then stop."""
        if timeout_s:
            self.wake_all()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake_later(self, peer: Peer) -> None:
        """Send what is queued soon; a pump that is at it takes it along anyway."""
        if peer.pump is None and peer.patience is None and peer.queue.items:
            peer.patience = asyncio.get_running_loop().call_later(PATIENT_S, self.wake, peer)

    async def _pump(self, peer: Peer) -> None:
        topic = topic_for(DeviceTopic(self._around.region, peer.name, Channel.DOWN))
        try:
            while peer.queue and peer.sessions.current is not None and self._around.leads():
                taken = peer.queue.take()
                now = self._around.clock()
                batch = codec.encode(payloads.Batch(epoch=self.epoch, sent=now, items=taken))
                envelope = peer.sessions.seal(batch, now=now, random=self._around.random)
                try:
                    await self._publish(topic, envelope)
                except BrokerUnavailable as error:
                    peer.queue.put_back(taken)
                    _log.debug("A message waits for the broker: %s", error, extra={"action": "send_waits"})
                    return
                self._counts.sent.add()
                self._counts.items.add("down", len(taken))
        finally:
            peer.pump = None

    async def _publish_frame(self, topic: str, frame: bytes) -> None:
        if not self._around.leads():
            self._counts.dropped.add("no-lease")
            return
        try:
            await self._publish(topic, frame)
        except BrokerUnavailable as error:
            _log.debug("An answer was lost: %s", error, extra={"action": "answer_lost"})

    def _start(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

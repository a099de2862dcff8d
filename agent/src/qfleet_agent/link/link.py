"""The link: stays connected, keeps a session open, sends what waits.

Every new connection opens a new session, by resumption where it can: what was lost with the old
connection is settled by the inventory that follows.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

import aiomqtt

from qfleet_agent.journal.journal import Journal
from qfleet_agent.link import broker, network
from qfleet_agent.link.calls import Calls
from qfleet_agent.link.handshakes import Handshakes
from qfleet_agent.link.helm import OVERHEAD_BYTES, Gateway, Helm, WayLeft
from qfleet_agent.link.hints import Hints
from qfleet_agent.link.inbox import Inbox
from qfleet_agent.link.opening import Opening
from qfleet_agent.link.renewals import Renewals
from qfleet_agent.link.renewing import Renewing
from qfleet_agent.link.sending import Batches
from qfleet_agent.machine import events
from qfleet_agent.machine.events import Key
from qfleet_agent.ways.backoff import Backoff
from qfleet_wire import door, payloads
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Established
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.payloads import PeerRefusal
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

SILENCE_S = 35.0
"""How long results may go unanswered before the session is taken for dead."""
PATIENT = (payloads.Accepted, payloads.Started, payloads.Progress)
PATIENT_S = 0.05
"""How long these wait for something to travel with. A task that ends sooner needs none of them, and
nobody waits for them: an assignment is repeated after seconds only."""
DRAIN_S = 2.0
"""How long what is in line may take to leave before a way is given up for another."""
_TIMED_BYTES = 2_048
"""A message up to so large is answered after a round trip, and not after its own transmission."""
QOS = 1
SEALED_QOS = 0
"""For receiving sealed messages: what they carry is acknowledged and repeated by ourselves, and the
broker's own acknowledgements cost a fifth of a round trip."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times of the link, in seconds."""

    keep_alive_s: int
    reconnect_base_s: float
    reconnect_most_s: float
    answer_s: float


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what happens on the link: ``tell`` the machine, ``changed`` the status."""

    number: Callable[[], int]
    tell: Callable[[events.Event], None]
    changed: Callable[[], None]


class Link:
    """One device's link to its region's controller."""

    def __init__(
        self, helm: Helm, rhythm: Rhythm, handshakes: Handshakes, journal: Journal, ears: Ears
    ) -> None:
        self.helm = helm
        self._rhythm = rhythm
        self._handshakes = handshakes
        self._ears = ears
        self._batches = Batches(journal)
        self._sessions = Sessions()
        self._opening = Opening(
            handshakes, self._new_backoff(), answer_s=rhythm.answer_s, random=secrets.token_bytes
        )
        self.inbox = Inbox(
            handshakes.membership.device,
            self._sessions,
            now=handshakes.clock.now,
            number=ears.number,
            tell=ears.tell,
        )
        self.inbox.connect(self._take_frame, self._hint)
        self._calls = Calls(ears.changed, secrets.token_bytes)
        self._ready = asyncio.Event()
        self._drained = asyncio.Event()
        self._reopen = asyncio.Event()
        self._renewing = Renewing(Renewals(handshakes, secrets.token_bytes), self.send, self._reopen.set)
        self._hints = Hints(
            rhythm.reconnect_base_s / 10, lambda: self.inbox.opened, self._reopen.set, secrets.token_bytes
        )
        self._asked: float | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._answers_seen = 0
        self._background: set[asyncio.Task[None]] = set()
        self._broken: str | None = None
        self._connected: aiomqtt.Client | None = None
        self._publishing = False
        self.online = False
        """Whether a session stands on a living connection."""

    @property
    def trouble(self) -> str | None:
        """Why there is no session, or None."""
        return None if self.online else (self._broken or self._opening.trouble)

    # ── what the performer wants ────────────────────────────────────────────────────────────

    def send(self, payload: payloads.Up) -> None:
        """Put a payload in line for the current session; without one it is dropped."""
        if self.online:
            self._batches.outgoing.add(payload)
            self._soon(PATIENT_S if isinstance(payload, PATIENT) else 0.0)

    def send_to_peer(self, item: payloads.ToPeer) -> PeerRefusal | None:
        """Put a body for another device in line; say why not, if it cannot be."""
        if not self.online:
            return "away"
        if not self._batches.outgoing.add_for_peer(item):
            return "full"
        self._soon(0.0)
        return None

    def send_result(self, key: Key, result: bytes | None) -> None:
        """Put a result in line; None: it is read from the journal when its turn comes."""
        if self.online:
            self._batches.outgoing.add_result(key, result)
            self._watch_for_answer()
            self._soon(0.0)

    def foresee_results(self, results: Sequence[bytes]) -> None:
        """Sign results that are about to be put in line; not while others leave: more may go with them."""
        if self.online and not self._publishing:
            self._batches.foresee(results, self._handshakes.own.key)

    def send_telemetry(self, after: int, lost: int) -> None:
        """Send journalled samples after this number once no result waits."""
        if self.online:
            self._batches.ask_telemetry(after, lost)
            self._soon(0.0)

    def drop_results(self, keys: Sequence[Key]) -> None:
        """Take acknowledged results out of the line."""
        self._batches.drop(keys)

    def plan(self, contacts: payloads.Contacts) -> None:
        """Let ways be there by this plan; what that changes of the one in use is told."""
        before = self.helm.told()
        self.helm.plan(contacts)
        if self.online and self.helm.told() != before:
            self._tell_way(again=True)

    def renewal(self, answer: payloads.Renewed | payloads.RenewalRefused) -> None:
        """Take in the answer about a certificate."""
        self._start(self._renewing.take(answer))

    # ── the connection ──────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Stay connected until cancelled."""
        with network.Watch(self.helm.network.set):
            await self._stay_connected()

    async def _stay_connected(self) -> None:
        while True:
            gateway = await self.helm.embark()
            lost = False
            try:
                await broker.apart(self._connection(gateway))
            except* (aiomqtt.MqttError, OSError) as group:
                self._broken, lost = f"the broker cannot be reached: {_first(group)}", True
            except* WayLeft as group:
                self._broken = str(_first(group))
                log.info("%s.", self._broken, extra={"action": "way-left"})
            self._close()
            if lost:
                await self.helm.lost(gateway, self._broken or "")

    async def _connection(self, gateway: Gateway) -> None:
        async with self._client(gateway) as client:
            self.helm.connected(gateway)
            self._broken, self._connected = None, client
            await self._converse(client)

    async def leave(self, timeout_s: float) -> None:
        """Send what is in line, say that the device goes, but take no longer than this."""
        if self._connected is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._drain()
                await broker.publish(self._connected, self._topic(Channel.PRESENCE), b"", qos=QOS)
        except (TimeoutError, aiomqtt.MqttError) as error:
            log.info("Not all messages left in time: %s", error, extra={"action": "left-early"})

    async def _drain(self) -> None:
        """Send what is in line."""
        self._drained.clear()
        self._ready.set()
        if self.online:
            await self._drained.wait()

    async def _depart(self, for_a_while: bool) -> None:  # noqa: FBT001 - the answer to one question
        """Send what is in line, and say that the device goes if it does not come over another way."""
        if for_a_while:
            await self.leave(DRAIN_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._drain()

    def _client(self, gateway: Gateway) -> aiomqtt.Client:
        device = self._handshakes.membership.device
        will = aiomqtt.Will(self._topic(Channel.PRESENCE), b"", qos=QOS)
        # Random digits: a broker drops the older of two clients of one name, and every device of
        # a fleet may hold the same login.
        identifier = f"{device}-{secrets.token_hex(4)}"
        return broker.client(
            gateway.address,
            self._deliver,
            identifier=identifier,
            keep_alive_s=self._rhythm.keep_alive_s * (2 if gateway.way.manner.thrifty else 1),
            will=will,
        )

    def _deliver(self, topic: str, payload: bytes) -> None:
        self.helm.moved(len(payload) + OVERHEAD_BYTES)
        self.inbox.deliver(topic, payload)

    async def _publish(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        """Publish, and take the time until the gateway has it for its round trip."""
        begun = asyncio.get_running_loop().time()
        await broker.publish(client, topic, payload, qos=QOS)
        self.helm.moved(len(payload) + OVERHEAD_BYTES)
        if len(payload) <= _TIMED_BYTES:
            self.helm.answered(asyncio.get_running_loop().time() - begun)

    async def _converse(self, client: aiomqtt.Client) -> None:
        authority = AuthorityTopic(self._handshakes.membership.region)
        await client.subscribe(self._topic(Channel.DOWN), SEALED_QOS)
        # Controllers publish it whenever they connect: a hint that they may have lost the session.
        # Not at QoS 1, for which NATS keeps state per device, and refuses the thousandth.
        await client.subscribe(topic_for(authority), SEALED_QOS)
        await self._publish(client, self._topic(Channel.PRESENCE), b"online")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.helm.watch(self._depart))
            group.create_task(broker.lost(client))
            group.create_task(self._keep_session(client))
            group.create_task(self._pump(client))
            group.create_task(self._renewing.keep())

    def _close(self) -> None:
        self._connected = None
        self._suspend()
        self._drained.set()
        self._ears.changed()

    def _suspend(self) -> None:
        """Take the session for dead: it is gone with the connection, or another was refused."""
        self._batches.clear()
        if self.online:
            self.online = False
            self._ears.tell(events.SessionLost(self._ears.number()))
            self._ears.changed()

    # ── the session ─────────────────────────────────────────────────────────────────────────

    async def _keep_session(self, client: aiomqtt.Client) -> None:
        async def say(frame: bytes) -> None:
            await self._publish(client, self._topic(Channel.HELLO), frame)

        while True:
            self._reopen.clear()
            self._hints.session_begins()
            self._adopt(await self._opening.open(say, self._suspend, self.helm.mute))
            await self._reopen.wait()

    def _adopt(self, established: Established) -> None:
        self._hints.session_begins()
        self._asked = None
        self._sessions.adopt(established.session, self._handshakes.clock.now())
        self._batches.clear()
        self.online = True
        self._tell_way()
        log.info("A session is open.", extra={"action": "session-opened"})
        self._ears.tell(events.SessionOpened(self._ears.number()))
        self._ears.changed()
        self._start(self._renewing.ask())

    def _tell_way(self, *, again: bool = False) -> None:
        way, manner = self.helm.told(), self.helm.manner
        if way is not None:
            told = events.WayTaken(self._ears.number(), way, manner.stretch, manner.thrifty, again)
            self._ears.tell(told)

    def _take_frame(self, frame: door.Frame) -> None:
        if frame.kind is Kind.CALL:
            if self.online:
                self._calls.take(frame)
            return
        self._opening.take(frame)
        if frame.kind is Kind.REFUSAL:
            self._hint()

    def _hint(self) -> None:
        """Somebody says that the controller has come or lost this session."""
        self._opening.nudge()
        if self.online:
            self._hints.take()

    def _watch_for_answer(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._asked is None or self._answers_seen != self.inbox.opened:
            self._asked, self._answers_seen = now, self.inbox.opened
        elif now - self._asked > SILENCE_S:
            self._asked = None
            self._reopen.set()

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    async def _pump(self, client: aiomqtt.Client) -> None:
        topic, clock = self._topic(Channel.UP), self._handshakes.clock
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self.online:
                plaintext = await self._batches.next(self._handshakes.own.key, clock.now)
                if plaintext is None:
                    break
                envelope = self._sessions.seal(plaintext, now=clock.now(), random=secrets.token_bytes)
                self._publishing = True
                try:
                    await self._publish(client, topic, envelope)
                finally:
                    self._publishing = False
            self._drained.set()

    def _soon(self, patience_s: float) -> None:
        """Send what is in line, at once or with what comes meanwhile, as the way wants it."""
        patience_s = max(patience_s, self.helm.manner.batch_ms / 1000)
        if not patience_s:
            self._ready.set()
        elif self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(patience_s, self._patience_ends)

    def _patience_ends(self) -> None:
        self._patience = None
        self._ready.set()

    def _topic(self, channel: Channel) -> str:
        membership = self._handshakes.membership
        return topic_for(DeviceTopic(membership.region, membership.device, channel))

    def _new_backoff(self) -> Backoff:
        return Backoff(self._rhythm.reconnect_base_s, self._rhythm.reconnect_most_s)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

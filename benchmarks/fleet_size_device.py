"""A light device: the real protocol of an agent without its journal, engines and processes.

It connects, resumes or says hello with its real key, answers hints as an agent does, sends
inventory, announcement and heartbeats sealed, and returns echoes. Many share one event loop and one
core with each other, so it makes keys only while it needs them.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec
from benchmarks import fleet_size_mqtt as mqtt
from benchmarks import fleet_size_sayings as sayings
from benchmarks.fleet_size_region import Identity, Region

from qfleet_agent.ways.backoff import Backoff
from qfleet_wire import codec, door, payloads, workload
from qfleet_wire.channel import authority, frames, initiator, keys, resumption
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Circumstances, Standing
from qfleet_wire.channel.session import Dropped
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.errors import AnotherAnswer, NoSession, RemoteError
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

SENDS = 3
ANSWER_S = 15.0
BASE_S, MOST_S = 5.0, 120.0
SOONEST_S = 5.0
LATEST_TURN_S = 60.0
"""Times of a real agent's link, at their defaults."""
KEEP_ALIVE_S = 60


class Device:
    """One device. ``run`` until cancelled."""

    def __init__(self, identity: Identity, region: Region) -> None:
        self._identity = identity
        self._region = region
        self._tally = region.tally
        self.name = DeviceName(identity.name)
        self._circumstances = Circumstances(region.name, "boot", Security())
        self._standing = Standing(Millis(0))
        self._state: resumption.State | None = None
        self._sessions = Sessions()
        self._client: mqtt.Client | None = None
        self._frames: asyncio.Queue[door.Frame] = asyncio.Queue(16)
        self._wake = asyncio.Event()
        self._reopen = False
        self._beat_now = False
        self._opened_at = float("-inf")
        self._topics = {
            channel: topic_for(DeviceTopic(region.name, self.name, channel)) for channel in Channel
        }
        self._online = False

    async def run(self) -> None:
        """Stay connected, with the back-off of an agent."""
        backoff = Backoff(BASE_S, MOST_S)
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._connect()
                backoff.connected(loop.time())
                await self._converse()
            except (OSError, TimeoutError, mqtt.Refused):
                self._tally.refused_connections += 1
            finally:
                self._close()
            await asyncio.sleep(backoff.next_s(loop.time(), secrets.token_bytes))

    # ── the connection ──────────────────────────────────────────────────────────────────────

    async def _connect(self) -> None:
        who = self._identity
        session = mqtt.Session(
            f"{who.name}-{secrets.token_hex(4)}",
            who.user,
            who.password,
            self._topics[Channel.PRESENCE],
            KEEP_ALIVE_S,
        )
        client = await mqtt.connect(self._region.door, session, self._deliver)
        self._client = client
        record = topic_for(AuthorityTopic(self._region.name))
        await client.subscribe(((self._topics[Channel.DOWN], 0),), ANSWER_S)
        await client.subscribe(((record, 0),), ANSWER_S)
        client.publish(self._topics[Channel.PRESENCE], b"online")
        self._tally.connects += 1

    async def _converse(self) -> None:
        """Open sessions and send heartbeats until the connection is lost."""
        client = self._client
        assert client is not None
        ended = asyncio.ensure_future(client.ended.wait())
        talking = asyncio.ensure_future(self._talk(client))
        try:
            await asyncio.wait((ended, talking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            talking.cancel()
            await asyncio.gather(ended, talking, return_exceptions=True)
        self._tally.lost += 1

    def _close(self) -> None:
        self._offline()
        if self._client is not None:
            self._client.close()
        self._client = None

    async def _talk(self, client: mqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        # Devices do not beat in step: each has its own phase.
        beat_at = loop.time() + secrets.randbelow(1000) / 1000 * self._region.heartbeat_s
        while True:
            self._reopen = False
            await self._open(client)
            while not self._reopen:
                self._wake.clear()
                try:
                    async with asyncio.timeout(max(0.0, beat_at - loop.time())):
                        await self._wake.wait()
                except TimeoutError:
                    self._beat()
                    beat_at = loop.time() + self._region.heartbeat_s
                if self._beat_now:
                    self._beat_now = False
                    self._beat()
                    beat_at = loop.time() + self._region.heartbeat_s
            # A session that was opened anew leaves the old one's answers behind.
            self._offline()

    # ── the session ─────────────────────────────────────────────────────────────────────────

    async def _open(self, client: mqtt.Client) -> None:
        backoff, loop = Backoff(BASE_S, MOST_S), asyncio.get_running_loop()
        self._opened_at = loop.time()
        while True:
            resuming = self._state is not None
            attempt = self._resume() if resuming else self._hello()
            established = await self._ask(client, attempt)
            if established is not None:
                break
            self._state = None
            if not resuming:
                await asyncio.sleep(backoff.next_s(loop.time(), secrets.token_bytes))
        self._state, self._standing = established.state, established.standing
        self._sessions.adopt(established.session, sayings.now())
        self._opened_at = loop.time()
        self._online = True
        self._tally.online += 1
        self._tally.sessions += 1
        self._send(payloads.Inventory((), ()), sayings.announcement())

    async def _ask(
        self, client: mqtt.Client, attempt: initiator.Attempt | initiator.ResumeAttempt
    ) -> initiator.Established | None:
        sends = 0
        while sends < SENDS:
            self._tally.repeated += sends > 0
            client.publish(self._topics[Channel.HELLO], attempt.frame)
            outcome = await self._answer(attempt, ANSWER_S)
            if isinstance(outcome, float):
                outcome = await self._answer(attempt, outcome)
            else:
                sends += 1
            if outcome is not None and not isinstance(outcome, float):
                return None if outcome == "refused" else outcome
        self._tally.unanswered += 1
        return None

    async def _answer(
        self, attempt: initiator.Attempt | initiator.ResumeAttempt, patience_s: float
    ) -> initiator.Established | Literal["refused"] | float | None:
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    outcome = self._judge(attempt, await self._frames.get())
                    if outcome is not None:
                        return outcome
        except TimeoutError:
            return None

    def _judge(
        self, attempt: initiator.Attempt | initiator.ResumeAttempt, frame: door.Frame
    ) -> initiator.Established | Literal["refused"] | float | None:
        """Return the session, that this attempt is refused, or in how many seconds its turn is."""
        try:
            if frame.kind is Kind.REFUSAL:
                refusal = frames.read(frame.payload, frames.Refusal)
                meant = refusal.request == frames.frame_hash(attempt.frame)
                if meant and refusal.code == "rate" and refusal.after_ms:
                    self._tally.put_off += 1
                    return min(refusal.after_ms / 1000, LATEST_TURN_S)
                self._tally.refusals += meant
                return "refused" if meant else None
            if isinstance(attempt, initiator.Attempt):
                return initiator.finish(attempt, frame.payload, self._standing, now=sayings.now())
            return initiator.finish_resume(attempt, frame.payload, self._standing, now=sayings.now())
        except (AnotherAnswer, RemoteError):
            return None

    def _hello(self) -> initiator.Attempt:
        self._tally.hellos += 1
        return initiator.hello(
            self._credentials(), self._circumstances, preshared=None, random=secrets.token_bytes
        )

    def _resume(self) -> initiator.ResumeAttempt:
        assert self._state is not None
        self._tally.resumptions += 1
        return initiator.resume(
            self._state,
            self._credentials(),
            self._standing,
            circumstances=self._circumstances,
            random=secrets.token_bytes,
        )

    def _credentials(self) -> authority.Credentials:
        return authority.credentials(self._identity.seed, self._identity.chain, self._region.authority)

    def _offline(self) -> None:
        if self._online:
            self._online = False
            self._tally.online -= 1

    # ── what comes ──────────────────────────────────────────────────────────────────────────

    def _deliver(self, topic: str, payload: bytes) -> None:
        match door.read(topic, payload):
            case door.Frame(kind, _, envelope) if kind is Kind.SEALED:
                self._sealed(envelope)
            case door.Frame(kind, _, call) if kind is Kind.CALL:
                within_s = frames.read(call, frames.Call).within_ms / 1000
                asyncio.get_running_loop().call_later(within_s * secrets.randbelow(1000) / 1000, self._call)
            case door.Frame(kind) as frame:
                if not self._frames.full():
                    self._frames.put_nowait(frame)
                if kind is Kind.REFUSAL:
                    self._hint()
            case door.Record():
                self._hint()

    def _sealed(self, envelope: bytes) -> None:
        outcome = self._sessions.open(envelope, sayings.now())
        if isinstance(outcome, Dropped):
            self._tally.stale += 1
            return
        for item in codec.unpack_down(outcome.plaintext)[1]:
            if isinstance(item, payloads.Ask):
                self._send(payloads.Inventory((), ()) if item.what == "inventory" else sayings.announcement())
            elif isinstance(item, payloads.Assign):
                self._work(item)

    def _hint(self) -> None:
        """As an agent: somebody says that the controller has come or has lost the session."""
        loop = asyncio.get_running_loop()
        if self._online:
            # One that comes too soon after the last session is not forgotten, but waits.
            wait = max(0.0, self._opened_at + SOONEST_S - loop.time())
            wait += secrets.randbelow(1000) / 1000 * BASE_S / 10
            loop.call_later(wait, self._open_again, self._opened_at)

    def _open_again(self, marker: float) -> None:
        if self._opened_at == marker:
            self._reopen = True
            self._wake.set()

    def _call(self) -> None:
        """A controller calls: send a heartbeat now."""
        self._tally.calls += 1
        self._beat_now = True
        self._wake.set()

    def _work(self, assign: payloads.Assign) -> None:
        work = codec.decode(assign.work, workload.ProbeEcho)
        body = msgspec.Raw(codec.encode(workload.EchoResult(work.data)))
        provenance = payloads.Provenance(self.name, "probe", "1", 0, 0.1)
        result = payloads.TaskResult(assign.task, assign.attempt, "succeeded", provenance, body)
        raws = [codec.encode(result)]
        signature = keys.result_signature(keys.load(self._identity.seed), raws)
        self._tally.results += 1
        self._send(payloads.Results(tuple(map(msgspec.Raw, raws)), signature))

    # ── what goes ───────────────────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        self._tally.heartbeats += 1
        self._send(sayings.heartbeat())

    def _send(self, *items: payloads.Up) -> None:
        if self._client is None:
            return
        try:
            envelope = self._seal(items)
        except NoSession:
            return
        self._client.publish(self._topics[Channel.UP], envelope)

    def seal_announcement(self) -> bytes:
        """Return a sealed announcement, to be published by the caller; raises ``NoSession``."""
        return self._seal((sayings.announcement(),))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0 on this device's connection."""
        assert self._client is not None, f"{self.name} is not connected"
        self._client.publish(topic, payload, qos=0)

    def _seal(self, items: Sequence[payloads.Up]) -> bytes:
        plaintext = codec.pack(items, epoch=0, sent=sayings.now())
        return self._sessions.seal(plaintext, now=sayings.now(), random=secrets.token_bytes)

    def keep_alive(self, now: float) -> None:
        """Ping before the broker takes the device for dead."""
        if self._client is not None and now - self._client.sent_at >= KEEP_ALIVE_S * 0.75:
            self._client.ping()

"""A device made of the channel package and an MQTT client: what it proves, it proves by itself."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import TypeVar

import aiomqtt
import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_controlplane.broker import clients
from qfleet_controlplane.broker.addresses import parse_address
from qfleet_controlplane.broker.logins import Login
from qfleet_wire import codec, door, payloads
from qfleet_wire.channel import authority, enrolment, frames, initiator, invitation, keys, renewal, resumption
from qfleet_wire.channel.authority import Authority, Credentials
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.preshared import PresharedKey
from qfleet_wire.channel.session import Dropped
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.names import Millis
from qfleet_wire.profile import Security
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

FACTS = enrolment.Facts("x86_64", "test", 1, 1, "0", "generic")
PATIENCE_S = 15.0
Received = TypeVar("Received")


def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


class Device:
    """One device; ``token`` is its join token, ``offset_ms`` how wrong its clock is."""

    def __init__(self, token: str, *, offset_ms: int = 0) -> None:
        self.token = invitation.read(token)
        self.identity = renewal.new_identity(secrets.token_bytes)
        self.offset_ms = offset_ms
        self.sessions = Sessions()
        self.state: resumption.State | None = None
        self.standing = initiator.Standing(Millis(0))
        self.grant: enrolment.Grant | None = None
        self._attempt: enrolment.Attempt | None = None
        self._own: Credentials | None = None
        self._authority: Authority | None = None
        self._client: aiomqtt.Client | None = None
        self._frames: asyncio.Queue[door.Received] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None

    @property
    def own(self) -> Credentials:
        assert self._own is not None, "not enrolled"
        return self._own

    @property
    def circumstances(self) -> initiator.Circumstances:
        return initiator.Circumstances(self.token.region, "boot", Security())

    def now(self) -> Millis:
        return Millis(now() + self.offset_ms)

    def topic(self, channel: Channel) -> str:
        return topic_for(DeviceTopic(self.token.region, self.token.device, channel))

    # ── enrolment ────────────────────────────────────────────────────────────────────────

    async def enrol(self) -> None:
        """Join, and keep what was granted."""
        async with self.enrolling() as ask:
            self.accept(await ask(self.identity.csr))

    def accept(self, frame: bytes) -> None:
        """Take a grant; raises as the channel does."""
        assert self._attempt is not None
        self.grant, self._own = enrolment.accept(self._attempt, frame, self.identity.seed)
        self.standing = initiator.Standing(self.grant.time, self.grant.revocations)

    @contextlib.asynccontextmanager
    async def enrolling(self) -> AsyncIterator["Ask"]:
        """Connect with the join token's login and fetch the authority's record."""
        login = Login(self.token.login, self.token.password)
        async with self._connection(login) as client:
            await client.subscribe(topic_for(AuthorityTopic(self.token.region)), qos=1)
            await client.subscribe(self.topic(Channel.ENROL), qos=1)
            record = await self.next(door.Record)
            self._authority = authority.read_record(record.payload, self.token.authority)
            yield Ask(self)

    async def request(self, csr: bytes) -> None:
        assert self._authority is not None
        assert self._client is not None
        self._attempt = enrolment.request(self.token, self._authority, csr, FACTS, secrets.token_bytes)
        await self._client.publish(self.topic(Channel.ENROL), self._attempt.frame, qos=1)

    # ── sessions ─────────────────────────────────────────────────────────────────────────

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncIterator["Device"]:
        """Connect with the granted login."""
        assert self.grant is not None, "not enrolled"
        async with self._connection(Login(self.grant.login, self.grant.password)) as client:
            self._client = client
            await self.listen()
            yield self

    async def listen(self) -> None:
        """Subscribe to what comes down to the device of this name."""
        assert self._client is not None
        await self._client.subscribe(self.topic(Channel.DOWN), qos=1)

    async def hello(self, key: PresharedKey | None = None) -> frames.Refusal | None:
        """Make a full handshake; return the refusal if there is one."""
        attempt = initiator.hello(self.own, self.circumstances, preshared=key, random=secrets.token_bytes)
        frame = await self.ask(attempt.frame)
        if frame.kind is Kind.REFUSAL:
            return frames.read(frame.payload, frames.Refusal)
        self._adopt(initiator.finish(attempt, frame.payload, self.standing, now=self.now()))
        return None

    async def resume(self) -> frames.Refusal | None:
        """Resume with what is kept; return the refusal if there is one."""
        assert self.state is not None
        attempt = initiator.resume(
            self.state, self.own, self.standing, circumstances=self.circumstances, random=secrets.token_bytes
        )
        frame = await self.ask(attempt.frame)
        if frame.kind is Kind.REFUSAL:
            return frames.read(frame.payload, frames.Refusal)
        self._adopt(initiator.finish_resume(attempt, frame.payload, self.standing, now=self.now()))
        return None

    async def ask(self, frame: bytes) -> door.Frame:
        """Send a hello or resumption and return the frame that answers."""
        assert self._client is not None
        await self._client.publish(self.topic(Channel.HELLO), frame, qos=1)
        while True:
            answer = await self.next(door.Frame)
            if answer.kind is not Kind.SEALED:
                return answer

    async def send(self, *items: payloads.Up) -> bytes:
        """Seal and send payloads; return the envelope."""
        assert self._client is not None
        batch = codec.pack(items, epoch=0, sent=self.now())
        envelope = self.sessions.seal(batch, now=self.now(), random=secrets.token_bytes)
        await self.publish(envelope)
        return envelope

    async def publish(self, envelope: bytes) -> None:
        """Send bytes as they are."""
        assert self._client is not None
        await self._client.publish(self.topic(Channel.UP), envelope, qos=1)

    async def send_results(self, *results: payloads.TaskResult, key: MLDSA65PrivateKey | None = None) -> None:
        """Send signed results, under another key if one is given."""
        raws = [codec.encode(result) for result in results]
        signature = keys.result_signature(key or self.own.key, raws)
        await self.send(payloads.Results(tuple(map(msgspec.Raw, raws)), signature))

    async def hear(self) -> list[payloads.Down]:
        """The payloads of the next sealed message."""
        while True:
            frame = await self.next(door.Frame)
            if frame.kind is Kind.SEALED:
                outcome = self.sessions.open(frame.payload, self.now())
                assert not isinstance(outcome, Dropped), outcome
                return codec.unpack_down(outcome.plaintext)[1]

    async def refusal(self) -> frames.Refusal:
        """The next refusal."""
        while True:
            frame = await self.next(door.Frame)
            if frame.kind is Kind.REFUSAL:
                return frames.read(frame.payload, frames.Refusal)

    async def renew(self) -> None:
        """Ask for a new certificate and use it from now on."""
        following = renewal.new_identity(secrets.token_bytes)
        await self.send(payloads.RenewRequest(following.csr))
        (answer,) = await self.hear()
        assert isinstance(answer, payloads.Renewed), answer
        self._own = authority.credentials(following.seed, answer.chain, self.own.authority)

    async def cut_off(self) -> None:
        """Return when the broker has ended the connection."""
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait((self._reading,))

    # ── below ────────────────────────────────────────────────────────────────────────────

    def _adopt(self, established: initiator.Established) -> None:
        self.state, self.standing = established.state, established.standing
        self.sessions.adopt(established.session, self.now())

    @contextlib.asynccontextmanager
    async def _connection(self, login: Login) -> AsyncIterator[aiomqtt.Client]:
        access = clients.Access(parse_address(self.token.broker), login)
        async with clients.client(access, self.token.device) as client:
            self._client = client
            self._frames = asyncio.Queue()
            self._reading = reading = asyncio.create_task(self._read(client))
            try:
                yield client
            finally:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                    await reading
                self._client = None

    async def _read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self._frames.put_nowait(door.read(str(message.topic), message.payload))

    async def next(self, kind: type[Received]) -> Received:
        """The next message of this kind; what else comes in between is skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(received := await self._frames.get(), kind):
                assert not isinstance(received, door.Rejected), received
        return received


class Ask:
    """Asks for a certificate and returns the frame that answers, skipping echoes."""

    def __init__(self, device: Device) -> None:
        self._device = device

    async def __call__(self, csr: bytes) -> bytes:
        await self._device.request(csr)
        return await self.answer()

    async def answer(self) -> bytes:
        while True:
            frame = await self._device.next(door.Frame)
            if frame.kind in (Kind.ENROL_ANSWER, Kind.REFUSAL):
                return frame.payload

"""A controller that stands in for the control plane: the channel's controller side over a broker.

It enrols, answers handshakes, remembers every payload, and sends what a test tells it to. It
acknowledges nothing by itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import msgspec
from tests.simulation.wire_fleet import REGION, ControllerEnd, Fleet

from qfleet_wire import codec, payloads
from qfleet_wire.channel import certificates, enrolment, identity, invitation
from qfleet_wire.channel.enrolment import Grant
from qfleet_wire.channel.invitation import JoinToken
from qfleet_wire.channel.keys import verify_result_signature
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, subscription, topic_for
from qfleet_wire.workload import ProbeEcho

PATIENCE_S = 30.0
DEVICE = DeviceName("pi-1")
T = TypeVar("T")


def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


class FakeController:
    """One controller with one device."""

    def __init__(self, broker: str, *, days: float = 90) -> None:
        self.broker = broker
        self.days = days
        self.fleet = Fleet("agent", now=now())
        self.end = ControllerEnd(self.fleet.controller(), now=now())
        self.token = JoinToken(
            fleet=self.fleet.name,
            region=REGION,
            device=DEVICE,
            broker=broker,
            login="",
            password="",
            authority=self.fleet.authority.hash,
            token_id=b"i" * 16,
            secret=b"s" * 32,
            expires=Millis(now() + 3_600_000),
        )
        self.items: list[payloads.Up] = []
        self.results: dict[tuple[str, int], payloads.TaskResult] = {}
        self.handshakes: list[str] = []
        self.requests: list[enrolment.Request] = []
        self.grants: dict[bytes, Grant] = {}
        self.silent = False
        self._client: aiomqtt.Client | None = None
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeController"]:
        client = aiomqtt.Client(
            self.broker.removeprefix("unix://"), 1, transport="unix", identifier="controller"
        )
        async with client:
            self._client = client
            for channel in (Channel.ENROL, Channel.HELLO, Channel.UP, Channel.PRESENCE):
                await client.subscribe(subscription(REGION, channel), 1)
            record = topic_for(AuthorityTopic(REGION))
            await client.publish(record, self.fleet.authority.raw, qos=1, retain=True)
            task = asyncio.create_task(self._listen(client))
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self._client = None

    async def send(self, *items: payloads.Down, epoch: int = 1) -> None:
        assert self._client is not None
        plaintext = codec.pack(items, epoch=epoch, sent=now())
        topic, sealed = self.end.send(plaintext, DEVICE)
        await self._client.publish(topic, sealed, qos=1)

    async def publish(self, topic: str, payload: bytes) -> None:
        assert self._client is not None
        await self._client.publish(topic, payload, qos=1)

    async def acknowledge(self, *keys: tuple[str, int]) -> None:
        await self.send(payloads.Acknowledge(tuple((TaskId(task), attempt) for task, attempt in keys)))

    async def until(self, found: Callable[[], T | None]) -> T:
        """Wait until ``found`` gives something true, and return it."""
        async with asyncio.timeout(PATIENCE_S):
            while not (value := found()):
                self._changed.clear()
                await self._changed.wait()
        return value

    async def item(self, kind: type[T], after: int = 0) -> T:
        """Wait for a payload of this kind that came after the first ``after`` payloads."""
        return await self.until(
            lambda: next((one for one in self.items[after:] if isinstance(one, kind)), None)
        )

    async def result(self, task: str, attempt: int = 1) -> payloads.TaskResult:
        return await self.until(lambda: self.results.get((task, attempt)))

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            assert isinstance(payload, bytes)
            if not self.silent:
                await self._take(client, str(message.topic), payload)
            self._changed.set()

    async def _take(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        self.end.now = now()
        if topic.endswith(Channel.ENROL):
            if payload[0] == 1:
                await client.publish(topic, self._enrol(payload), qos=1)
            return
        before = len(self.end.received)
        for answer_topic, answer in self.end.receive((topic, payload)):
            self.handshakes.append({0x11: "full", 0x13: "resumed", 0x1F: "refused"}[answer[0]])
            await client.publish(answer_topic, answer, qos=1)
        for plaintext in self.end.received[before:]:
            self._hear(codec.unpack_up(plaintext)[1])

    def _hear(self, items: Iterable[payloads.Up]) -> None:
        for item in items:
            self.items.append(item)
            if isinstance(item, payloads.Results):
                raws = [bytes(raw) for raw in item.results]
                verify_result_signature(self._key(), raws, item.signature)
                for raw in raws:
                    result = codec.decode(raw, payloads.TaskResult)
                    self.results[result.task, result.attempt] = result

    def _key(self) -> Any:
        return self.requests[-1].public_key

    def _enrol(self, frame: bytes) -> bytes:
        key = invitation.token_key(self.token.secret, self.token.token_id)
        request = enrolment.open_request(frame, self.fleet.authority, self.fleet.enrolment, key)
        self.requests.append(request)
        if request.csr_hash not in self.grants:
            self.grants[request.csr_hash] = self.grant(request.csr)
        return enrolment.answer(request, self.fleet.authority, key, self.grants[request.csr_hash])

    def grant(self, csr: bytes) -> Grant:
        return Grant(self.issue(csr, self.days), "", "", REGION, b"", now())

    def issue(self, csr: bytes, days: float) -> tuple[bytes, ...]:
        return certificates.issue(
            self.fleet.issuers["device"],
            certificates.read_request(csr),
            identity.DeviceIdentity(self.fleet.name, DEVICE),
            certificates.lasting(now(), days),
            random=self.fleet.random,
        )


def echo(task: str, data: bytes = b"hello", **changes: Any) -> payloads.Assign:
    """An assignment of a known-answer probe."""
    base = payloads.Assign(
        task=TaskId(task),
        attempt=1,
        job=JobId("job"),
        work=msgspec.Raw(codec.encode(ProbeEcho(data=data))),
        memory_bytes=1 << 20,
        result_bytes=len(data) + 4096,
        time_limit_ms=20_000,
    )
    return msgspec.structs.replace(base, **changes)


def configure(folder: Path) -> Path:
    """Write a configuration for an agent whose state is in ``folder``."""
    path = folder / "agent.toml"
    path.write_text(
        f'state = "{folder / "state"}"\nprofile = "generic"\nworkers = 1\nlog_level = "debug"\n'
        "[link]\nreconnect_base_s = 0.2\nreconnect_most_s = 1.0\nanswer_s = 5.0\n"
    )
    return path


def topic_of(channel: Channel) -> str:
    return topic_for(DeviceTopic(REGION, DEVICE, channel))

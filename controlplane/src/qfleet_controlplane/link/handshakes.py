"""Answering hellos and resumptions: verified in a thread, stored, then sent.

A storm of handshakes must not stall the event loop or grow without bound: requests are limited
per device, the line of those that wait is bounded (``admission``), the same request gets the same answer
without work, and all that queued during one round is answered in the next, with one transaction.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

import sqlalchemy as sa

from qfleet_controlplane.authority import membership, preshared
from qfleet_controlplane.authority.key_supply import KeySupply
from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.admission import Line
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Shown
from qfleet_controlplane.settings import Security
from qfleet_wire import door
from qfleet_wire.channel import frames, responder
from qfleet_wire.channel.answers import Answers
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.preshared import DELIVERED
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.errors import KeyNotDelivered, Refused, SuiteUnavailable, Untrusted
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.topics import Channel

_log = logging.getLogger(__name__)

_ROUND = 32
_DEVICE_BURST = 6
_DEVICE_INTERVAL_MS = 2000
_NO_ROOM = Refused("too many devices ask for sessions: come again when it is your turn", code="rate")


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer that is verified but not stored yet."""

    request: door.Frame = field(repr=False)
    answered: responder.Answered = field(repr=False)
    shown: Shown
    preshared: str | None


@dataclass(frozen=True, slots=True)
class _Named:
    """A hello that is verified, and names a key that the key delivery must give yet."""

    request: door.Frame = field(repr=False)
    hello: responder.HelloRequest = field(repr=False)
    key_id: str
    supply: KeySupply
    shown: Shown


@dataclass(frozen=True, slots=True)
class _Turned:
    """A request that was refused, and why."""

    request: door.Frame = field(repr=False)
    error: Refused


class Handshakes:
    """Answers requests for sessions."""

    def __init__(self, parts: Parts, security: Security) -> None:
        self._stores = parts.stores
        self._peers = parts.peers
        self._outbound = parts.outbound
        self._alarms = parts.alarms
        self._around = parts.around
        self._security = security
        self._preshared = preshared.Keys(security.preshared_directory)
        self._supply = None if security.qkd is None else KeySupply(security.qkd)
        self._answers = Answers()
        self._per_device = Buckets(burst=_DEVICE_BURST, interval_ms=_DEVICE_INTERVAL_MS)
        self._line = Line()
        self._task: asyncio.Task[None] | None = None

    def take(self, request: door.Frame) -> None:
        """Take a request in; called from the inbound path, never waits."""
        now = self._around.clock()
        known = self._answers.get(request.device, frames.frame_hash(request.payload), now)
        if known is not None:
            self._around.counts.handshakes.add("repeated")
            self._outbound.send_frame(request.device, Channel.DOWN, known)
        elif not self._per_device.admit(request.device, now):
            self._around.counts.handshakes.add("over-rate")
        elif after_ms := self._line.enter(request, now):
            self._around.counts.handshakes.add("put-off")
            hint = frames.refusal(request.payload, _NO_ROOM, after_ms=after_ms)
            self._outbound.send_frame(request.device, Channel.DOWN, hint)
        elif self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="handshakes")

    def forget(self, device: DeviceName) -> None:
        """Drop what a device was answered, as revoking demands."""
        self._answers.forget(device)
        self._line.leave(device)

    async def stop(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await self._task

    @property
    def waiting(self) -> int:
        """Requests that wait for an answer."""
        return len(self._line)

    async def _work(self) -> None:
        try:
            while requests := self._line.take(_ROUND):
                began = time.monotonic()
                await self._round(requests)
                self._line.learn(len(requests), 1000 * (time.monotonic() - began))
        finally:
            self._task = None

    async def _round(self, requests: list[door.Frame]) -> None:
        now = self._around.clock()
        try:
            outcomes = await self._stores.database.read(
                lambda connection: [self._judge(connection, request, now) for request in requests]
            )
        except Unavailable as error:
            faults.note(_log, "Devices could not be looked up", error, "handshake_read_failed")
            return
        judged = await asyncio.gather(*[self._supplied(outcome, now) for outcome in outcomes])
        ready = [outcome for outcome in judged if isinstance(outcome, _Ready)]
        for outcome in judged:
            if isinstance(outcome, _Turned):
                self._turn_away(outcome)
        if not ready:
            return
        try:
            await self._stores.database.writer.run(lambda connection: self._store(connection, ready, now))
        except Unavailable as error:
            # No answer is better than one that cannot be resumed; the device asks again.
            faults.note(_log, "Sessions could not be stored", error, "handshake_store_failed")
            return
        for outcome in ready:
            self._send(outcome, now)

    def _policy(self, now: Millis) -> responder.Policy:
        demanded = self._security.qkd is not None and self._security.qkd.require
        return responder.Policy(
            now=now,
            epoch=self._outbound.epoch,
            revocations=self._stores.ring.revocations,
            suites=self._security.suites,
            require_preshared_key=self._security.require_preshared_key or demanded,
            rekey_ms=self._security.rekey_minutes * 60_000,
        )

    async def _supplied(self, outcome: _Ready | _Turned | _Named, now: Millis) -> _Ready | _Turned:
        """Get the key that a hello names, outside of any transaction; others are as they were."""
        if not isinstance(outcome, _Named):
            return outcome
        return await asyncio.to_thread(self._complete, outcome, self._policy(now))

    def _complete(self, named: _Named, policy: responder.Policy) -> _Ready | _Turned:
        supply, request = named.supply, named.request
        try:
            key = supply.known(named.hello.device, named.key_id)
            answered = responder.answer(
                self._stores.ring.credentials, named.hello, policy, preshared=key, random=self._around.random
            )
        except KeyNotDelivered as error:
            refusal = Refused(f"the key of the hello is not there: {error}", code="preshared-key")
            return _Turned(request, refusal)
        except Refused as error:
            return _Turned(request, error)
        except SuiteUnavailable as error:
            return _Turned(request, Refused(str(error), code="suite"))
        return _Ready(request, answered, named.shown, key.id)

    def _judge(
        self, connection: sa.Connection, request: door.Frame, now: Millis
    ) -> _Ready | _Turned | _Named:
        """Verify and answer one request, as far as that goes without a call; runs in a thread."""
        policy = self._policy(now)
        try:
            # Before any signature is looked at: a made-up name must cost little.
            membership.check_device(connection, request.device)
            if request.kind is Kind.HELLO:
                return self._judge_hello(connection, request, policy)
            return self._judge_resume(connection, request, policy)
        except Refused as error:
            return _Turned(request, error)
        except SuiteUnavailable as error:
            return _Turned(request, Refused(str(error), code="suite"))

    def _judge_hello(
        self, connection: sa.Connection, request: door.Frame, policy: responder.Policy
    ) -> _Ready | _Named:
        ring = self._stores.ring
        hello = responder.examine(ring.credentials, request.payload, request.topic)
        found = membership.member(connection, ring.authority.root, hello.device, hello.peer.certificate_hash)
        shown = Shown(found.certificate_hash, found.key.public_bytes_raw())
        delivered = (hello.preshared or "").startswith(DELIVERED)
        if hello.preshared is not None and delivered:
            preshared.check_unused(connection, hello.device, hello.preshared)
            if self._supply is None:
                raise Refused("there is no key delivery here ([security.qkd])", code="preshared-key")
            return _Named(request, hello, hello.preshared, self._supply, shown)
        if self._security.qkd is not None and self._security.qkd.require:
            raise Refused("a key of the key delivery is required", code="preshared-key")
        key = self._preshared.find(connection, hello.device, hello.preshared)
        answered = responder.answer(
            ring.credentials, hello, policy, preshared=key, random=self._around.random
        )
        return _Ready(request, answered, shown, key.id if key else None)

    def _judge_resume(
        self, connection: sa.Connection, request: door.Frame, policy: responder.Policy
    ) -> _Ready:
        ring = self._stores.ring
        record = membership.record(connection, ring, request.device)
        resume = responder.examine_resume(
            ring.credentials, request.payload, request.topic, record=record, now=policy.now
        )
        found = membership.member(
            connection, ring.authority.root, resume.device, resume.state.device_certificate
        )
        answered = responder.answer_resume(resume, policy, self._around.random)
        shown = Shown(found.certificate_hash, found.key.public_bytes_raw())
        return _Ready(request, answered, shown, None)

    def _store(self, connection: sa.Connection, ready: list[_Ready], now: Millis) -> None:
        ring = self._stores.ring
        for outcome in ready:
            device = outcome.request.device
            kept = membership.record(connection, ring, device).offer(outcome.answered.state)
            membership.keep_record(connection, ring, device, kept, now)
            if outcome.preshared is not None:
                preshared.mark_used(connection, device, outcome.preshared)

    def _send(self, outcome: _Ready, now: Millis) -> None:
        device, answered = outcome.request.device, outcome.answered
        if self._peers.is_shut_out(device):
            return
        self._peers.ensure(device).propose(answered.session, outcome.shown, now)
        self._answers.put(device, frames.frame_hash(outcome.request.payload), answered.frame, now)
        self._outbound.send_frame(device, Channel.DOWN, answered.frame)
        if outcome.request.kind is Kind.HELLO:
            self._around.counts.handshakes.add("answered")
            self._around.counts.mixed.add(_mixed(outcome.preshared))
        else:
            self._around.counts.handshakes.add("resumed")

    def _turn_away(self, outcome: _Turned) -> None:
        request, error = outcome.request, outcome.error
        self._around.counts.handshakes.add(error.code)
        _log.info(
            "A session of %s is refused: %s", request.device, error, extra={"action": "handshake_refused"}
        )
        if isinstance(error, Untrusted):
            self._alarms.ring("untrusted-hello", request.device, str(error))
        self._outbound.send_frame(request.device, Channel.DOWN, frames.refusal(request.payload, error))


def _mixed(key_id: str | None) -> str:
    """What a full handshake mixed in, for the counter."""
    if key_id is None:
        return "none"
    return "delivered" if key_id.startswith(DELIVERED) else "preshared"
